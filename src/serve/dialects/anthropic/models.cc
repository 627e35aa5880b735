#include "serve/dialects/anthropic/models.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/json.h"
#include "host/served_names.h"
#include "serve/dialects/anthropic/errors.h"
#include "serve/intake/model_lease.h"
#include "serve/intake/names/model_names.h"

namespace quire {
namespace {

constexpr std::size_t kLimit = 20, kLimitMax = 1000;

// Until a model has been loaded once nobody knows its context.
Json model_json(const ModelRow& model, std::string_view name) {
  const auto created = fmt::gmtime(static_cast<std::time_t>(model.info.created));
  Json json = Json::object({{"type", "model"}, {"id", name}, {"display_name", name},
                            {"created_at", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", created)}});
  if (model.info.context_max > 0) {
    json.set("max_input_tokens", model.info.context_max);
    json.set("max_tokens", model.info.context_max);
  }
  return json;
}

std::string id_of(const Json& model) { return model.find("id")->as_string(); }

// Where the model of that name stands; the end where there is none.
std::size_t place_of(const std::vector<Json>& models, std::string_view id) {
  const auto found = std::find_if(models.begin(), models.end(),
                                  [&](const Json& model) { return id_of(model) == id; });
  return static_cast<std::size_t>(found - models.begin());
}

bool read_limit(const http::Request& request, std::size_t& limit) {
  const auto asked = request.query_value("limit");
  if (!asked) return true;
  const char* end = asked->data() + asked->size();
  const auto read = std::from_chars(asked->data(), end, limit);
  return read.ec == std::errc() && read.ptr == end && limit >= 1 && limit <= kLimitMax;
}

}  // namespace

http::Response list_anthropic_models(const ModelHost& host, const http::Request& request) {
  std::vector<Json> models;
  for (const ModelRow& model : served_rows(host)) {
    for (const std::string& name : served_names(model)) models.push_back(model_json(model, name));
  }
  std::size_t limit = kLimit;
  if (!read_limit(request, limit)) {
    return render_anthropic_error(
        invalid_value("limit", fmt::format("limit: expected an integer from 1 to {}", kLimitMax)),
        request);
  }
  std::size_t begin = 0, end = models.size();
  if (const auto after = request.query_value("after_id")) {
    begin = std::min(place_of(models, *after) + 1, models.size());
  } else if (const auto before = request.query_value("before_id")) {
    end = place_of(models, *before);
    begin = end - std::min(limit, end);
  }
  const bool is_backward = request.query_value("before_id").has_value();
  end = std::min(end, begin + limit);
  Json data = Json::array({models.begin() + static_cast<std::ptrdiff_t>(begin),
                           models.begin() + static_cast<std::ptrdiff_t>(end)});
  const bool is_empty = begin == end;
  Json body = Json::object({{"data", std::move(data)},
                            {"has_more", is_backward ? begin > 0 : end < models.size()}});
  body.set("first_id", is_empty ? Json() : Json(id_of(models[begin])));
  body.set("last_id", is_empty ? Json() : Json(id_of(models[end - 1])));
  return {.body = dump(body)};
}

http::Response show_anthropic_model(const ModelHost& host, std::string_view name,
                                    const http::Request& request) {
  const auto meant = served_name(host, name);
  const auto model = meant ? host.find(*meant) : std::nullopt;
  const auto row = model ? host.row(*model) : std::nullopt;
  if (!row) return render_anthropic_error(model_not_found(name), request);
  return {.body = dump(model_json(*row, name))};
}

}  // namespace quire
