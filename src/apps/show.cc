#include "apps/show.h"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "formats/describe.h"
#include "store/local_store.h"

namespace quire {
namespace {

int show(const std::string& model) {
  std::string path = model;
  if (path.empty()) {
    const auto found = default_model_path();
    if (!found.is_ok()) {
      std::fprintf(stderr, "quire: %s\n", found.status().message().c_str());
      return 1;
    }
    path = *found;
  }
  const auto text = describe_model(path);
  if (!text.is_ok()) {
    std::fprintf(stderr, "quire: %s\n", text.status().message().c_str());
    return 1;
  }
  std::fputs(text->c_str(), stdout);
  return 0;
}

}  // namespace

void declare_show(CLI::App& parent, std::function<int()>& chosen) {
  const auto model = std::make_shared<std::string>();
  CLI::App* command =
      parent.add_subcommand("show", "Shapes, types, sizes, context and template of a model");
  command->add_option("MODEL", *model, "file or directory (default: the default model)");
  command->callback([model, &chosen] { chosen = [model] { return show(*model); }; });
}

}  // namespace quire
