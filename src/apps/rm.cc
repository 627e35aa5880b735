#include "apps/rm.h"

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "apps/flags.h"
#include "apps/model_path.h"
#include "store/human.h"

namespace quire {
namespace {

Status remove_model(const std::string& name) {
  QUIRE_ASSIGN_OR_RETURN(const store::LocalStore store, open_store());
  const auto freed = store.remove(name);
  if (!freed.is_ok()) return with_suggestion(store, name, freed.status());
  fmt::print("removed {}, {} freed\n", name, store::human_bytes(*freed));
  return ok_status();
}

int run_rm(const std::vector<std::string>& names) {
  int failures = 0;
  for (const std::string& name : names) {
    const Status status = remove_model(name);
    if (status.is_ok()) continue;
    std::fprintf(stderr, "quire: %s\n", status.message().c_str());
    ++failures;
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace

void declare_rm(Command& parent, std::function<int()>& chosen) {
  const auto names = std::make_shared<std::vector<std::string>>();
  Command command = parent.command("rm", "Remove models from the local store");
  command.value("NAME", *names, "names that 'quire list' shows").required();
  command.footer("Files that no other model of the store uses are freed. A server that runs with\n"
                  "the model is not disturbed.\n");
  command.when_chosen([names, &chosen] { chosen = [names] { return run_rm(*names); }; });
}

}  // namespace quire
