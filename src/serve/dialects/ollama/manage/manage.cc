#include "serve/dialects/ollama/manage/manage.h"

#include <fmt/format.h>

#include "serve/dialects/ollama/generate.h"
#include "serve/dialects/ollama/manage/stored.h"
#include "serve/intake/names/model_names.h"
#include "serve/dialects/ollama/request.h"
#include "store/modelfile/create.h"

namespace quire {
namespace {

constexpr std::size_t kNameSizeMax = 512;  // bytes

Call done() {
  Call call;
  call.ready = http::Response{.content_type = "text/plain; charset=utf-8", .body = {}};
  return call;
}

// A model that is served from a file gets the name beside its own.
Parsed<Call> copy_served(const DialectContext& context, const std::string& from,
                         const std::string& to) {
  ModelHost& host = *context.models.host;
  const auto served = served_name(host, from);
  const auto model = served ? host.find(*served) : std::nullopt;
  if (!model) {
    return ApiError{.status = 404, .message = fmt::format("model \"{}\" not found", from),
                    .param = "source", .code = "model_not_found"};
  }
  const Status named = host.add_name(*model, to);
  if (!named.is_ok()) return store_error(named);
  return done();
}

Parsed<Call> copy(const DialectContext& context, const std::string& from,
                  const std::string& written) {
  auto store = open_managed_store(context);
  if (!store.is_ok()) return store.error();
  const std::string to = existing_name(context, *store, written);
  const std::string name = visible_name(context, *store, from);
  if (const auto fault = check_manageable(context, *store, to)) return *fault;
  if (name.empty()) return copy_served(context, from, to);
  if (const auto load = await_load(context, to)) return *load;
  const auto held = store->hold();
  auto manifest = store->find(name);
  if (!held.is_ok() || !manifest.is_ok()) {
    return store_error(held.is_ok() ? manifest.status() : held.status());
  }
  if (to == name) return done();
  manifest->name = to;
  const auto before = store->find(to);
  bool is_in_way = false;
  Status status = store->add(*manifest);
  if (status.is_ok()) status = serve_stored(context, to, LoadWait::kNone, &is_in_way);
  if (is_in_way && before.is_ok()) {
    status = store->add(*before);
    if (status.is_ok()) return behind_load(to);
  }
  if (!status.is_ok()) return store_error(status);
  return done();
}

// Whether the name is one that was given beside a model's own; then it is gone.
bool remove_alias(ModelHost& host, const std::string& name) {
  if (!host.is_added_name(name)) return false;
  return host.remove_name(name).is_ok();
}

}  // namespace

Parsed<Call> parse_ollama_copy(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_ollama_body(request);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const std::string* source = fields.text("source", kNameSizeMax);
  const std::string* destination = fields.text("destination", kNameSizeMax);
  if (fields.error()) return *fields.error();
  const auto refuse = [](const char* field, const std::string* name) {
    return invalid_value(field, fmt::format("{} \"{}\" is invalid", field,
                                            name != nullptr ? *name : ""));
  };
  if (source == nullptr || (!parse_ollama_name(*source) && !source->starts_with("hf:"))) {
    return refuse("source", source);
  }
  if (destination == nullptr || !parse_ollama_name(*destination)) {
    return refuse("destination", destination);
  }
  return copy(context, *source, store::store_name_of(*destination));
}

Parsed<Call> parse_ollama_delete(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_ollama_body(request);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const std::string name = read_model_name(fields);
  if (fields.error()) return *fields.error();
  ModelHost& host = *context.models.host;
  const auto served = served_name(host, name);
  const bool is_exact = served && is_same_model(*served, name);
  auto store = open_managed_store(context);
  const std::string stored = store.is_ok() ? visible_name(context, *store, name) : std::string();
  if (stored.empty() && !is_exact) {
    return ApiError{.status = 404, .message = fmt::format("model '{}' not found", name),
                    .param = "model", .code = "model_not_found"};
  }
  if (store.is_ok()) {
    if (const auto fault = check_manageable(context, *store, is_exact ? *served : name)) {
      return *fault;
    }
  }
  if (stored.empty() && is_exact) {
    if (remove_alias(host, *served)) return done();
    return ApiError{.message = fmt::format("model '{}' is served from a file outside of the "
                                           "store, which is not deleted here", name),
                    .param = "model"};
  }
  if (is_exact && !host.is_added_name(*served)) {
    if (const auto load = await_load(context, *served)) return *load;
  }
  if (is_exact && !remove_alias(host, *served)) {
    const auto model = host.find(*served);
    const Status removed = model ? host.remove(*model) : ok_status();
    if (removed.code() == StatusCode::kUnavailable) return behind_load(*served);
    if (!removed.is_ok()) return store_error(removed);
  }
  const auto freed = store->remove(stored);
  if (!freed.is_ok()) return store_error(freed.status());
  return done();
}

}  // namespace quire
