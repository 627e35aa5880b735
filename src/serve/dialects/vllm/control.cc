#include "serve/dialects/vllm/control.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/json.h"
#include "host/served_names.h"
#include "serve/dialects/openai/errors.h"
#include "serve/house.h"

namespace quire {
namespace {

http::Response refuse(ApiError error) { return render_openai_error(error); }

http::Response done() { return {.body = ""}; }

// What happens to requests that are being computed.
enum class Running : std::uint8_t { kAbort, kWait, kKeep, kUnknown };

Running running_of(const http::Request& request, Running fallback) {
  const auto mode = request.query_value("mode");
  if (!mode) return fallback;
  if (*mode == "abort") return Running::kAbort;
  if (*mode == "wait") return Running::kWait;
  return *mode == "keep" ? Running::kKeep : Running::kUnknown;
}

ApiError unknown_mode(std::string_view modes) {
  return invalid_value("mode", fmt::format("Invalid 'mode': expected {}.", modes));
}

ApiError aborted(std::string_view why) {
  return {.status = 503,
          .message = fmt::format("The request was aborted: {}.", why),
          .type = "service_unavailable_error",
          .code = "aborted"};
}

}  // namespace

http::Response ping_vllm(const DialectContext& context, const http::Request&) {
  return {.status = context.house->service.is_alive(SteadyClock::now()) ? 200 : 503, .body = ""};
}

http::Response show_vllm_load(const DialectContext& context, const http::Request&) {
  return {.body = dump(Json::object({{"server_load", context.house->service.calls()}}))};
}

http::Response show_vllm_server(const DialectContext& context, const http::Request&) {
  Json models = Json::array();
  for (const ModelRow& model : served_rows(context.house->host)) {
    models.push(Json::object({{"served_model_name", Json::array({model.names.begin(),
                                                                 model.names.end()})},
                              {"max_model_len", model.info.context_max},
                              {"vocab_size", model.info.vocab},
                              {"isa", model.info.isa},
                              {"state", model_state_name(model.state)}}));
  }
  return {.body = dump(Json::object({{"server", "quire"}, {"version", context.house->version},
                                     {"models", std::move(models)}}))};
}

http::Response show_vllm_tokenizer(const DialectContext& context, const http::Request& request) {
  const std::string name = request.query_value("model").value_or("");
  Parsed<ModelLease> model = lease_model_or_only(context.models, name);
  if (!model.is_ok()) return refuse(model.error());
  const HostedModel& hosted = **model;
  Json body = Json::object({{"tokenizer_class", "QuireTokenizer"},
                            {"vocab_size", hosted.tokenizer->vocab_size()},
                            {"model_max_length", hosted.info.context_max},
                            {"bos_token", hosted.info.words.bos_text},
                            {"eos_token", hosted.info.words.eos_text}});
  if (hosted.chat_template != nullptr) body.set("chat_template", hosted.chat_template->source());
  return {.body = dump(body)};
}

http::Response sleep_vllm(const DialectContext& context, const http::Request& request) {
  const auto level = request.query_value("level").value_or("1");
  const Running running = running_of(request, Running::kAbort);
  if (level != "0" && level != "1" && level != "2") {
    return refuse(invalid_value("level", "Invalid 'level': expected 0, 1 or 2."));
  }
  if (running == Running::kUnknown || (running == Running::kKeep && level != "0")) {
    return refuse(unknown_mode("abort or wait; keep with level 0"));
  }
  if (level == "0") return pause_vllm(context, request);
  const Status status = context.house->host.sleep();
  if (!status.is_ok()) {
    return refuse({.status = 409, .message = status.message() + "; try again when it is there.",
                   .code = "model_is_loading"});
  }
  if (running == Running::kAbort) {
    context.house->service.abort_all(aborted("the server goes to sleep"));
  }
  return done();
}

// Weights and KV come back together: whatever `tags` says, both are there afterwards.
http::Response wake_vllm(const DialectContext& context, const http::Request& request) {
  if (const auto tags = request.query_value("tags")) {
    if (*tags != "weights" && *tags != "kv_cache") {
      return refuse(invalid_value("tags", "Invalid 'tags': expected weights or kv_cache."));
    }
  }
  context.house->host.wake();
  context.house->host.pause(false);
  return done();
}

http::Response show_vllm_sleep(const DialectContext& context, const http::Request&) {
  return {.body = dump(Json::object({{"is_sleeping", context.house->host.is_asleep()}}))};
}

http::Response pause_vllm(const DialectContext& context, const http::Request& request) {
  const Running running = running_of(request, Running::kAbort);
  if (running == Running::kUnknown || running == Running::kWait) {
    return refuse(unknown_mode("abort or keep"));
  }
  context.house->host.pause(true);
  if (running == Running::kAbort) {
    context.house->service.abort_all(aborted("the server was paused"));
  }
  return {.body = dump(Json::object({{"status", "paused"}}))};
}

http::Response resume_vllm(const DialectContext& context, const http::Request&) {
  context.house->host.pause(false);
  return {.body = dump(Json::object({{"status", "resumed"}}))};
}

http::Response show_vllm_pause(const DialectContext& context, const http::Request&) {
  return {.body = dump(Json::object({{"is_paused", context.house->host.is_paused()}}))};
}

http::Response reset_vllm_cache(const DialectContext& context, const http::Request&) {
  context.house->host.reset_prefix_caches();
  return done();
}

}  // namespace quire
