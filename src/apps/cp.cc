#include "apps/cp.h"

#include <cstdio>
#include <memory>
#include <string>

#include "apps/flags.h"
#include "apps/model_path.h"

namespace quire {
namespace {

struct CopyArguments {
  std::string from;
  std::string to;
};

Status copy_model(const CopyArguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(const store::LocalStore store, open_store());
  return with_suggestion(store, arguments.from, store.copy(arguments.from, arguments.to));
}

int run_cp(const CopyArguments& arguments) {
  const Status status = copy_model(arguments);
  if (status.is_ok()) return 0;
  std::fprintf(stderr, "quire: %s\n", status.message().c_str());
  return 1;
}

}  // namespace

void declare_cp(Command& parent, std::function<int()>& chosen) {
  const auto arguments = std::make_shared<CopyArguments>();
  Command command =
      parent.command("cp", "Give a model of the local store another name; takes no room");
  command.value("FROM", arguments->from, "a name that 'quire list' shows").required();
  command.value("TO", arguments->to, "letters, digits, dots, dashes and underscores")
      .required();
  command.when_chosen(
      [arguments, &chosen] { chosen = [arguments] { return run_cp(*arguments); }; });
}

}  // namespace quire
