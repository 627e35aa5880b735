#include "serve/dialects/ollama/manage/stored.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "host/repository/model_repository.h"
#include "serve/dialects/ollama/names.h"
#include "serve/house.h"

namespace quire {
std::optional<ApiError> check_manageable(const DialectContext& context,
                                         const store::LocalStore& store,
                                         const std::string& name) {
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
  for (const store::Manifest& manifest : store.list().models) {
    if (is_same_model(manifest.name, name)) return manifest.name;
  }
  return {};
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

Status serve_stored(const DialectContext& context, const std::string& name) {
  ModelHost& host = *context.models.host;
  QUIRE_ASSIGN_OR_RETURN(ModelRecipe recipe, context.house->catalog->recipe(name, {name}, {}));
  if (!host.has_name(name)) return host.add(std::move(recipe)).status();
  const auto before = host.find(name);
  QUIRE_ASSIGN_OR_RETURN(const ModelHost::ModelIndex after, host.stage(std::move(recipe)));
  ModelSwitch change{.come = {after}, .go = {}, .names = {}};
  if (before && host.name(*before) == name) change.go.push_back(*before);
  Status status = change.go.empty() ? host.remove_name(name) : ok_status();
  if (status.is_ok()) status = host.change(change);
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
