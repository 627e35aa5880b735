#include "serve/dialects/ollama/manage/stored.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <functional>
#include <thread>

#include "host/repository/model_repository.h"
#include "serve/intake/names/model_names.h"
#include "serve/house.h"
#include "serve/waiting_room.h"

namespace quire {
namespace {

// As often as somebody else may begin a load in between.
constexpr int kLoadsAwaited = 64;
constexpr auto kLook = std::chrono::milliseconds(10);  // whether a load has ended

// Does what a load of that model is in the way of, when it has ended; how it ended is no matter,
// and none is begun for it.
Status change_behind_load(ModelHost& host, ModelHost::ModelIndex model,
                          const std::function<Status()>& change) {
  Status status = change();
  for (int i = 0; i < kLoadsAwaited && status.code() == StatusCode::kUnavailable; ++i) {
    while (is_loading(host, model)) std::this_thread::sleep_for(kLook);
    status = change();
  }
  return status;
}

}  // namespace

std::optional<ApiError> await_load(const DialectContext& context, const std::string& name) {
  const ModelHost& host = *context.models.host;
  const auto model = host.has_name(name) ? host.find(name) : std::nullopt;
  if (!model || host.name(*model) != name || !is_loading(host, *model)) return std::nullopt;
  return behind_load(name);
}

ApiError behind_load(const std::string& name) {
  return {.status = 503, .message = fmt::format("model '{}' is being loaded", name),
          .type = "server_error", .param = "model", .code = kAwaitsEnd, .awaited_model = name};
}

std::optional<ApiError> check_manageable(const DialectContext& context,
                                         const store::LocalStore& store,
                                         const std::string& name, bool may_be_hidden) {
  const auto refuse = [&](std::string_view whose) {
    return ApiError{.status = 409, .message = fmt::format("model '{}' is {}", name, whose),
                    .param = "model", .code = "model_not_manageable"};
  };
  if (name == kAnyName) return refuse("no name of one model");
  const ModelRepository* repository = context.house->repository;
  if (repository != nullptr && repository->has(name.substr(0, name.find(':')))) {
    return refuse("of the model repository, which is managed by its files and /v2/repository");
  }
  const ModelHost& host = *context.models.host;
  const bool is_ours = !host.has_name(name) || host.is_added_name(name) ||
                       !stored_name(store, name).empty();
  const std::string stored = stored_name(store, name);
  if (!may_be_hidden && !stored.empty() && visible_name(context, store, name).empty()) {
    return refuse("in the store and not served here; --serve-store serves whatever it has");
  }
  if (is_ours) return std::nullopt;
  return refuse("served from a file outside of the store, by the server's command line");
}

Parsed<store::LocalStore> open_managed_store(const DialectContext& context) {
  const bool is_served = context.house != nullptr && context.house->catalog != nullptr;
  auto store = is_served ? store::LocalStore::open()
                         : Result<store::LocalStore>(Status(
                               StatusCode::kUnsupported,
                               "this server serves no local store of models"));
  if (!store.is_ok()) return store_error(store.status());
  return std::move(*store);
}

std::string stored_name(const store::LocalStore& store, std::string_view name) {
  std::string same;
  for (const store::Manifest& manifest : store.list().models) {
    if (manifest.name == name) return manifest.name;
    if (same.empty() && is_same_model(manifest.name, name)) same = manifest.name;
  }
  return same;
}

std::string visible_name(const DialectContext& context, const store::LocalStore& store,
                         std::string_view name) {
  std::string stored = stored_name(store, name);
  const bool is_visible = context.house->catalog->is_on_demand() ||
                          context.models.host->has_name(stored);
  return is_visible ? stored : std::string();
}

std::string existing_name(const DialectContext& context, const store::LocalStore& store,
                          const std::string& name) {
  if (std::string stored = stored_name(store, name); !stored.empty()) return stored;
  const auto served = served_name(*context.models.host, name);
  return served && is_same_model(*served, name) ? *served : name;
}

store::ModelCheck model_check(const DialectContext& context) {
  const ModelCatalog* catalog = context.house->catalog;
  return [catalog](const std::string& path, const std::vector<std::string>& adapters) -> Status {
    ModelOverrides overrides;
    overrides.adapters = adapters;
    QUIRE_ASSIGN_OR_RETURN(const ModelRecipe recipe, catalog->recipe(path, {}, overrides));
    return recipe.open().status();
  };
}

Status serve_stored(const DialectContext& context, const std::string& name, LoadWait wait,
                    bool* is_in_way) {
  ModelHost& host = *context.models.host;
  QUIRE_ASSIGN_OR_RETURN(ModelRecipe recipe, context.house->catalog->recipe(name, {name}, {}));
  if (!host.has_name(name)) return host.add(std::move(recipe)).status();
  const auto before = host.find(name);
  QUIRE_ASSIGN_OR_RETURN(const ModelHost::ModelIndex after, host.stage(std::move(recipe)));
  ModelSwitch change{.come = {after}, .go = {}, .names = {}};
  if (before && host.name(*before) == name) change.go.push_back(*before);
  Status status = change.go.empty() ? host.remove_name(name) : ok_status();
  if (status.is_ok() && change.go.empty()) status = host.change(change);
  if (!change.go.empty()) {
    const auto switch_over = [&] { return host.change(change); };
    status = wait == LoadWait::kErrand ? change_behind_load(host, *before, switch_over)
                                       : switch_over();
    if (is_in_way != nullptr) *is_in_way = status.code() == StatusCode::kUnavailable;
  }
  if (status.is_ok()) return status;
  const Status dropped = host.remove(after);
  if (!dropped.is_ok()) spdlog::warn("{} stays staged: {}", name, dropped.message());
  return status;
}

http::Response progress_response(const std::vector<Json>& lines, bool is_stream) {
  http::Response response;
  if (!is_stream) {
    response.body = dump(lines.back());
    return response;
  }
  response.content_type = "application/x-ndjson";
  for (const Json& line : lines) response.body += dump(line) + "\n";
  return response;
}

ApiError store_error(const Status& status) {
  ApiError error{.status = 500, .message = status.message(), .type = "server_error"};
  switch (status.code()) {
    case StatusCode::kNotFound: error.status = 404; break;
    case StatusCode::kInvalidArgument:
    case StatusCode::kUnsupported:
    case StatusCode::kCorrupt: error.status = 400; break;
    case StatusCode::kUnavailable: error.status = 503; break;
    case StatusCode::kResourceExhausted: error.status = 507; break;
    default: break;
  }
  return error;
}

}  // namespace quire
