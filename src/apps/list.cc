#include "apps/list.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "apps/flags.h"
#include "apps/manifest_json.h"
#include "apps/model_path.h"
#include "base/clock.h"
#include "store/human.h"

namespace quire {
namespace {

constexpr std::size_t kRevisionShown = 8;

std::string age_text(std::int64_t seconds) {
  const auto ago = [](std::int64_t count, const char* unit) {
    return fmt::format("{} {}{} ago", count, unit, count == 1 ? "" : "s");
  };
  if (seconds < 60) return "just now";
  if (seconds < 3600) return ago(seconds / 60, "minute");
  if (seconds < 2 * 24 * 3600) return ago(seconds / 3600, "hour");
  return ago(seconds / (24 * 3600), "day");
}

void print_table(const store::LocalStore::Listing& listing) {
  if (listing.models.empty()) {
    std::fputs("There are no models here yet. 'quire pull hf:OWNER/NAME' fetches one of the hub,\n"
               "'quire run' the default model.\n", stdout);
    return;
  }
  std::size_t width = std::string_view("NAME").size();
  for (const store::Manifest& model : listing.models) width = std::max(width, model.name.size());
  fmt::print("{:<{}}  {:>9}  {:<14}  {}\n", "NAME", width, "SIZE", "FETCHED", "FROM");
  for (const store::Manifest& model : listing.models) {
    fmt::print("{:<{}}  {:>9}  {:<14}  {} at {}\n", model.name, width,
               store::human_bytes(model.bytes()),
               age_text(SteadyClock::unix_seconds() - model.fetched_at), model.source,
               model.revision.substr(0, kRevisionShown));
  }
}

Status list_models(bool is_json) {
  QUIRE_ASSIGN_OR_RETURN(const store::LocalStore store, open_store());
  const store::LocalStore::Listing listing = store.list();
  if (is_json) {
    Json models = Json::array();
    for (const store::Manifest& model : listing.models) models.push(manifest_json(store, model));
    fmt::print("{}\n", dump(Json::object({{"models", std::move(models)}})));
  } else {
    print_table(listing);
  }
  for (const Status& problem : listing.problems) {
    std::fprintf(stderr, "quire: %s\n", problem.message().c_str());
  }
  return listing.problems.empty()
             ? ok_status()
             : error(StatusCode::kCorrupt, "to be rid of a model whose manifest cannot be used, "
                                           "remove that file, or pull the model again");
}

int run_list(bool is_json) {
  const Status status = list_models(is_json);
  if (status.is_ok()) return 0;
  std::fprintf(stderr, "quire: %s\n", status.message().c_str());
  return 1;
}

}  // namespace

void declare_list(Command& parent, std::function<int()>& chosen) {
  const auto is_json = std::make_shared<bool>(false);
  Command command = parent.command("list", "The models of the local store");
  command.toggle("--json", *is_json, "for programs");
  command.when_chosen([is_json, &chosen] { chosen = [is_json] { return run_list(*is_json); }; });
}

}  // namespace quire
