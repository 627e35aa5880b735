#include "apps/pull.h"

#include <cstdio>
#include <memory>
#include <string>

#include "apps/fetch_progress.h"
#include "apps/flags.h"
#include "apps/model_path.h"
#include "store/human.h"
#include "store/pull.h"

namespace quire {
namespace {

Result<std::string> pull_model(const std::string& name) {
  QUIRE_ASSIGN_OR_RETURN(const store::LocalStore store, open_store());
  FetchProgress progress;
  const auto manifest = store::pull(store, name, progress, check_opens);
  if (!manifest.is_ok()) return with_suggestion(store, name, manifest.status());
  progress.announce(fmt::format("{} is here: {}", name, store::human_bytes(manifest->bytes())));
  return store.path_of(*manifest);
}

int run_pull(const std::string& name) {
  const auto path = pull_model(name);
  if (!path.is_ok()) {
    std::fprintf(stderr, "quire: %s\n", path.status().message().c_str());
    return 1;
  }
  std::printf("%s\n", path->c_str());
  return 0;
}

}  // namespace

void declare_pull(Command& parent, std::function<int()>& chosen) {
  const auto name = std::make_shared<std::string>();
  Command command = parent.command("pull", "Fetch a model into the local store");
  command
      .value("NAME", *name,
             "hf:OWNER/NAME of the hub (HF_ENDPOINT, HF_TOKEN), with @REVISION and "
             ":QUANT or :FILE.gguf behind it if you like; or smollm2, the default model, or "
             "minilm, an embedder")
      .required();
  command.footer("Prints the model's path. What was fetched stays when it is interrupted: the\n"
                  "same command goes on from there.\n\n"
                  "  quire pull hf:Qwen/Qwen3-0.6B-GGUF\n"
                  "  quire pull hf:Qwen/Qwen3-0.6B-GGUF:Q8_0\n");
  command.when_chosen([name, &chosen] { chosen = [name] { return run_pull(*name); }; });
}

}  // namespace quire
