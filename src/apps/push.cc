#include "apps/push.h"

#include <cstdio>
#include <memory>
#include <string>

#include "apps/assemble.h"
#include "apps/fetch_progress.h"
#include "apps/flags.h"
#include "apps/model_path.h"
#include "serve/dialects/ollama/manage/registry_place.h"
#include "store/human.h"
#include "store/modelfile/create.h"

namespace quire {
namespace {

struct PushArguments {
  std::string name;
  bool is_insecure = false;
};

// Where it is now: "host/space/model:tag".
Result<std::string> push_model(const PushArguments& arguments) {
  QUIRE_RETURN_IF_ERROR(check_pushable(arguments.name, arguments.is_insecure));
  QUIRE_ASSIGN_OR_RETURN(const store::LocalStore store, open_store());
  store::RegistryPush push{.place = *registry_place(arguments.name, arguments.is_insecure)};
  push.name = push.place.name;
  const auto manifest = store.find(push.name);
  if (!manifest.is_ok()) return with_suggestion(store, push.name, manifest.status());
  ModelArguments model;
  model.model = push.name;
  if (const auto look = look_at(model); look.is_ok()) push.facts = push_facts(look->info.card);
  FetchProgress progress;
  progress.announce(fmt::format("{} to {}: {}", push.name, push.place.host,
                                store::human_bytes(manifest->bytes())));
  QUIRE_RETURN_IF_ERROR(store::push_to_registry(
      store, push, store::push_limits(),
      [&](const std::string&, const std::string& hex, std::uint64_t total, std::uint64_t there) {
        if (!hex.empty()) progress.advance(there, total);
      }));
  return fmt::format("{}/{}/{}:{}", push.place.host, push.place.space, push.place.model,
                     push.place.tag);
}

int run_push(const PushArguments& arguments) {
  const auto place = push_model(arguments);
  if (!place.is_ok()) {
    std::fprintf(stderr, "quire: %s\n", place.status().message().c_str());
    return 1;
  }
  std::printf("%s\n", place->c_str());
  return 0;
}

}  // namespace

void declare_push(Command& parent, std::function<int()>& chosen) {
  const auto arguments = std::make_shared<PushArguments>();
  Command command = parent.command("push", "Send a model of the local store to a registry");
  command
      .value("NAME", arguments->name,
             "HOST/SPACE/MODEL:TAG, as 'quire list' shows it; without a host it goes to "
             "registry.ollama.ai")
      .required();
  command.toggle("--insecure", arguments->is_insecure, "ask a registry without TLS");
  command.footer("Prints where the model is then. What the registry has already is not sent. One\n"
                 "that asks who you are gets a signature of the key ~/.ollama/id_ed25519, which\n"
                 "Ollama makes. A model is called as the place where it is to go:\n\n"
                 "  quire cp mario localhost:5000/me/mario\n"
                 "  quire push localhost:5000/me/mario\n");
  command.when_chosen(
      [arguments, &chosen] { chosen = [arguments] { return run_push(*arguments); }; });
}

}  // namespace quire
