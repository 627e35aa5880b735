#include "apps/pull.h"

#include <cstdio>
#include <memory>
#include <string>

#include "apps/fetch_progress.h"
#include "apps/flags.h"
#include "apps/model_path.h"
#include "serve/dialects/ollama/manage/registry_place.h"
#include "serve/intake/names/model_names.h"
#include "store/human.h"
#include "store/modelfile/create.h"
#include "store/modelfile/ollama_registry.h"
#include "store/pull.h"
#include "text/chat_template.h"

namespace quire {
namespace {

// What our store fetches under the names that Ollama's users write: "smollm2:latest",
// "hf.co/OWNER/NAME:Q8_0"; else the name as it is.
std::string name_here(const std::string& name) {
  const auto parsed = parse_ollama_name(name);
  if (parsed && (parsed->host == "hf.co" || parsed->host == "huggingface.co")) {
    return "hf:" + parsed->space + "/" + parsed->model +
           (parsed->tag.empty() ? "" : ":" + parsed->tag);
  }
  const std::string plain = store::store_name_of(name);
  return store::can_pull(plain) ? plain : name;
}

// As Ollama names models, with a place or a tag: a plain word is more often a slip.
bool is_of_registry(const std::string& name) {
  return !store::can_pull(name) && parse_ollama_name(name) &&
         name.find_first_of("/:") != name.npos;
}

Result<store::Manifest> pull_from_registry(const store::LocalStore& store, const std::string& name,
                                           FetchProgress& progress) {
  const auto place = registry_place(name, name.starts_with("http://"));
  progress.announce(fmt::format("{}/{}/{}:{}", place->host, place->space, place->model,
                                place->tag));
  QUIRE_ASSIGN_OR_RETURN(
      const store::Manifest manifest,
      store::pull_from_registry(store, *place, check_opens, net::Limits(),
                                [&](const std::string&, const std::string& hex,
                                    std::uint64_t total, std::uint64_t there) {
                                  if (!hex.empty()) progress.advance(there, total);
                                }));
  QUIRE_RETURN_IF_ERROR(store.collect().status());
  if (manifest.dress.chat_template.empty()) return manifest;
  const auto compiled = ChatTemplate::compile_go(manifest.dress.chat_template);
  if (compiled.is_ok()) return manifest;
  return error(StatusCode::kUnsupported, "{} is in the store, but its template cannot be used: {}",
               manifest.name, compiled.status().message());
}

Result<std::string> pull_model(const std::string& asked) {
  const std::string name = name_here(asked);
  QUIRE_ASSIGN_OR_RETURN(const store::LocalStore store, open_store());
  FetchProgress progress;
  if (is_of_registry(name)) {
    const auto pulled = pull_from_registry(store, name, progress);
    if (!pulled.is_ok()) return with_suggestion(store, name, pulled.status());
    progress.announce(fmt::format("{} is here: {}", pulled->name,
                                  store::human_bytes(pulled->bytes())));
    return store.path_of(*pulled);
  }
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
             "minilm, an embedder; or a model of Ollama's registry or of another of its kind: "
             "NAME:TAG, SPACE/NAME, HOST/SPACE/NAME")
      .required();
  command.footer("Prints the model's path. What was fetched stays when it is interrupted: the\n"
                  "same command goes on from there.\n\n"
                  "  quire pull hf:Qwen/Qwen3-0.6B-GGUF\n"
                  "  quire pull hf:Qwen/Qwen3-0.6B-GGUF:Q8_0\n"
                  "  quire pull localhost:5000/me/mario\n");
  command.when_chosen([name, &chosen] { chosen = [name] { return run_pull(*name); }; });
}

}  // namespace quire
