#include "serve/dialects/tgi/vertex.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "serve/dialects/tgi/errors.h"
#include "serve/dialects/tgi/request.h"
#include "serve/house.h"
#include "serve/intake/fields.h"

namespace quire {
namespace {

constexpr std::size_t kInstancesMax = 128;
constexpr std::size_t kAtOnceMax = 8;
constexpr const char* kGenerate = "/generate";
constexpr const char* kChat = "/v1/chat/completions";

struct Asked {
  std::vector<http::Request> requests;  // [instances]
  Json warnings = Json::array();
};

// The request that an instance is, as if it came alone. `model`: of a chat that names none.
Parsed<http::Request> read_instance(const Json& instance, const std::string& where,
                                    const std::string& model) {
  const bool is_text = instance.is_object() && instance.find("inputs") != nullptr;
  const bool is_chat = !is_text && instance.is_object() && instance.find("messages") != nullptr;
  if (!is_text && !is_chat) {
    return tgi_wrong_type(where, "an object with `inputs` or `messages`", instance);
  }
  const Json* stream = instance.find("stream");
  if (stream != nullptr && *stream == Json(true)) {
    return tgi_validation(where + ".stream", "`stream` is not supported for predictions");
  }
  Json body = instance;
  const Json* named = body.find("model");
  if (is_chat && (named == nullptr || named->is_null())) body.set("model", model);
  return http::Request{.method = "POST",
                       .path = is_text ? kGenerate : kChat,
                       .headers = {{"content-type", "application/json"}},
                       .body = dump(body)};
}

Parsed<Asked> read_instances(const ModelHost& host, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  const Json* instances = body->is_object() ? body->find("instances") : nullptr;
  if (instances == nullptr) return tgi_missing_field("instances");
  if (!instances->is_array()) return tgi_wrong_type("instances", "a sequence", *instances);
  const std::size_t count = instances->items().size();
  if (count == 0 || count > kInstancesMax) {
    return tgi_validation("instances", fmt::format("`instances` must have 1 to {} items. Given: {}",
                                                   kInstancesMax, count));
  }
  const std::string first = first_tgi_model(host);
  Asked asked;
  for (std::size_t i = 0; i < count; ++i) {
    auto made = read_instance(instances->items()[i], fmt::format("instances[{}]", i), first);
    if (!made.is_ok()) return made.error();
    made->id = request.id;
    for (const char* name : {"traceparent", "tracestate"}) {  // of the whole
      if (const std::string* value = request.find(name)) made->headers.push_back({name, *value});
    }
    asked.requests.push_back(std::move(*made));
  }
  for (const auto& [name, value] : body->members()) {
    if (name == "instances") continue;
    asked.warnings.push(Json::object(
        {{"code", "unknown_parameter"}, {"param", name.substr(0, kNameShown)},
         {"message", "This field is not known here and was ignored."}}));
  }
  return asked;
}

// What the answer to an instance says.
std::string text_of(const Json& answer) {
  if (const Json* text = answer.find("generated_text"); text != nullptr && text->is_string()) {
    return text->as_string();
  }
  const Json* choices = answer.find("choices");
  const bool has_one = choices != nullptr && choices->is_array() && !choices->items().empty();
  const Json* message = has_one ? choices->items().front().find("message") : nullptr;
  if (message == nullptr) return {};
  const Json* content = message->find("content");
  if (content != nullptr && content->is_string()) return content->as_string();
  const Json* calls = message->find("tool_calls");
  return calls != nullptr ? dump(*calls) : std::string();
}

// An error of a chat is OpenAI's.
ApiError error_of(const Json& body, int status) {
  const Json* told = body.is_object() ? body.find("error") : nullptr;
  const auto text = [&](const char* name) {
    const Json* value = told != nullptr && told->is_object() ? told->find(name) : nullptr;
    return value != nullptr && value->is_string() ? value->as_string() : std::string();
  };
  return with_template_errors({.status = status, .message = text("message"),
                               .param = text("param"), .code = text("code")});
}

class Prediction : public std::enable_shared_from_this<Prediction> {
 public:
  Prediction(const House& house, Tenant tenant, std::shared_ptr<http::Exchange> exchange,
             Asked asked)
      : house_(&house),
        tenant_(std::move(tenant)),
        exchange_(std::move(exchange)),
        asked_(std::move(asked)),
        texts_(asked_.requests.size()),
        open_(asked_.requests.size()) {}

  void begin() {
    exchange_->on_gone([weak = weak_from_this()] {
      if (const auto left = weak.lock()) left->end();
    });
    ask_more();
  }

 private:
  void ask_more() {
    while (!is_over_ && next_ < asked_.requests.size() && in_flight_ < kAtOnceMax) ask(next_++);
  }

  void ask(std::size_t index) {
    constexpr std::size_t kPendingMax = std::size_t{1} << 20;  // of a stream, which it is not
    const auto inner =
        std::make_shared<http::Exchange>(std::move(asked_.requests[index]), kPendingMax);
    open_[index] = inner;
    ++in_flight_;
    // The exchange calls from within itself: what follows runs when it is done with that.
    inner->on_output([self = shared_from_this(), index] {
      self->house_->to_io([self, index] { self->take(index); });
    });
    house_->ask_inside(inner, tenant_);
  }

  void take(std::size_t index) {
    const std::shared_ptr<http::Exchange> inner = std::exchange(open_[index], nullptr);
    if (inner == nullptr) return;  // it was taken already
    inner->on_output(nullptr);
    --in_flight_;
    if (is_over_) return;
    const std::string bytes = inner->take_pending();
    Parsed<Json> read = read_json_body(bytes);
    const Json body = read.is_ok() ? std::move(*read) : Json::object();
    if (inner->head().status != 200) return fail(*inner, bytes, body);
    texts_[index] = text_of(body);
    keep_warnings(index, body);
    ask_more();
    if (in_flight_ == 0 && next_ == asked_.requests.size()) finish();
  }

  void keep_warnings(std::size_t index, const Json& body) {
    const Json* list = body.is_object() ? body.find("warnings") : nullptr;
    if (list == nullptr || !list->is_array()) return;
    for (Json warning : list->items()) {
      const Json* param = warning.find("param");
      const bool is_named = param != nullptr && param->is_string();
      warning.set("param", fmt::format("instances[{}]{}{}", index, is_named ? "." : "",
                                       is_named ? param->as_string() : ""));
      asked_.warnings.push(std::move(warning));
    }
  }

  // TGI's own errors go through as they are.
  void fail(const http::Exchange& inner, const std::string& bytes, const Json& body) {
    if (inner.request().path == kGenerate) {
      http::Response told = inner.head();
      told.body = bytes;
      return respond(std::move(told));
    }
    respond(render_tgi_error(error_of(body, inner.head().status), exchange_->request()));
  }

  void finish() {
    Json predictions = Json::array();
    for (std::string& text : texts_) predictions.push(std::move(text));
    Json body = Json::object({{"predictions", std::move(predictions)}});
    if (!asked_.warnings.items().empty()) body.set("warnings", std::move(asked_.warnings));
    respond({.body = dump(body)});
  }

  void respond(http::Response response) {
    house_->metrics.count_answer(response.status);
    exchange_->respond(std::move(response));
    end();
  }

  // Whoever has not answered need not.
  void end() {
    is_over_ = true;
    for (const auto& inner : std::vector(open_)) {
      if (inner != nullptr) inner->leave();
    }
    std::fill(open_.begin(), open_.end(), nullptr);
  }

  const House* house_;
  Tenant tenant_;
  std::shared_ptr<http::Exchange> exchange_;
  Asked asked_;
  std::vector<std::string> texts_;                      // [instances]
  std::vector<std::shared_ptr<http::Exchange>> open_;   // [instances]; null: not asked, or answered
  std::size_t next_ = 0, in_flight_ = 0;
  bool is_over_ = false;
};

}  // namespace

void predict_for_vertex(const DialectContext& context, std::shared_ptr<http::Exchange> exchange) {
  const House& house = *context.house;
  // The exchange goes back to the I/O thread with what was read: it must not end on another.
  house.to_workers([&house, tenant = context.tenant, exchange = std::move(exchange)]() mutable {
    auto asked = std::make_shared<Parsed<Asked>>(read_instances(house.host, exchange->request()));
    house.to_io([&house, tenant = std::move(tenant), exchange = std::move(exchange), asked] {
      if (exchange->is_gone()) return house.metrics.count_left();
      if (asked->is_ok()) {
        return std::make_shared<Prediction>(house, tenant, exchange, std::move(**asked))->begin();
      }
      http::Response refusal = render_tgi_error(asked->error(), exchange->request());
      house.metrics.count_answer(refusal.status);
      exchange->respond(std::move(refusal));
    });
  });
}

}  // namespace quire
