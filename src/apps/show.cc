#include "apps/show.h"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "apps/manifest_json.h"
#include "apps/model_path.h"
#include "model/describe.h"
#include "model/model_files.h"

namespace quire {
namespace {

struct ShowArguments {
  std::string model;
  bool is_json = false;
};

Result<std::string> page(const FoundModel& model) {
  QUIRE_ASSIGN_OR_RETURN(std::string text, describe_model(model.path));
  if (!model.manifest) return text;
  return fmt::format("{:<14}{}, {} at {}\n{:<14}{}\n{}", "store", model.manifest->name,
                     model.manifest->source, model.manifest->revision, "path", model.path, text);
}

Result<std::string> json_page(const FoundModel& model) {
  QUIRE_ASSIGN_OR_RETURN(const auto files, open_model(model.path));
  const ModelFacts& facts = files->facts();
  Json root = Json::object({{"path", model.path},
                            {"architecture", facts.architecture},
                            {"parameters", facts.parameters},
                            {"weight_bytes", facts.weight_bytes},
                            {"weight_types", facts.weight_types},
                            {"layers", facts.layers},
                            {"width", facts.width},
                            {"heads", facts.groups[0].heads},
                            {"kv_heads", facts.groups[0].kv_heads},
                            {"context", facts.context_max},
                            {"vocabulary", facts.vocab},
                            {"has_chat_template", !facts.words.chat_template.empty()}});
  if (model.manifest) {
    QUIRE_ASSIGN_OR_RETURN(const store::LocalStore store, open_store());
    root.set("store", manifest_json(store, *model.manifest));
  }
  return dump(root) + "\n";
}

Result<std::string> show(const ShowArguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(const FoundModel model, find_model(arguments.model));
  return arguments.is_json ? json_page(model) : page(model);
}

int run_show(const ShowArguments& arguments) {
  const auto text = show(arguments);
  if (!text.is_ok()) {
    std::fprintf(stderr, "quire: %s\n", text.status().message().c_str());
    return 1;
  }
  std::fputs(text->c_str(), stdout);
  return 0;
}

}  // namespace

void declare_show(CLI::App& parent, std::function<int()>& chosen) {
  const auto arguments = std::make_shared<ShowArguments>();
  CLI::App* command =
      parent.add_subcommand("show", "Shapes, types, sizes, context and template of a model");
  command->add_option("MODEL", arguments->model,
                      "file, directory or name (default: the default model)");
  command->add_flag("--json", arguments->is_json, "for programs, without the list of tensors");
  command->callback(
      [arguments, &chosen] { chosen = [arguments] { return run_show(*arguments); }; });
}

}  // namespace quire
