#include "serve/dialects/openai/answer.h"

#include <cmath>

#include "base/clock.h"
#include "serve/dialects/openai/errors.h"

namespace quire {
OpenAiAnswer::OpenAiAnswer(const OpenAiRequest& request, const std::vector<Request>& requests,
                           std::string_view id_prefix)
    : request_(request),
      names_(request.model->tokenizer, request.tokens_as_ids),
      counts_(requests),
      id_(request.request_id.empty() ? random_id(id_prefix)
                                     : std::string(id_prefix) + request.request_id),
      created_(SteadyClock::unix_seconds()),
      model_name_(request.model_name.empty() ? request.model->name() : request.model_name),
      fingerprint_(request.model->info.fingerprint),
      notes_(request.notes) {}

Json OpenAiAnswer::head(std::string_view object) const {
  Json body = Json::object();
  body.set("id", id_);
  body.set("object", object);
  body.set("created", created_);
  body.set("model", model_name_);
  if (!request_.service_tier.empty()) body.set("service_tier", request_.service_tier);
  body.set("system_fingerprint", fingerprint_.empty() ? Json() : Json(fingerprint_));
  return body;
}

Json OpenAiAnswer::usage() const {
  const std::uint64_t prompt = counts_.prompt_tokens(), generated = counts_.generated_tokens();
  Json usage = Json::object();
  usage.set("prompt_tokens", prompt);
  usage.set("completion_tokens", generated);
  usage.set("total_tokens", prompt + generated);
  usage.set("prompt_tokens_details",
            Json::object({{"cached_tokens", counts_.cached_tokens()}, {"audio_tokens", 0}}));
  usage.set("completion_tokens_details",
            Json::object({{"reasoning_tokens", counts_.thought_tokens()}, {"audio_tokens", 0},
                          {"accepted_prediction_tokens", 0}, {"rejected_prediction_tokens", 0}}));
  return usage;
}

void OpenAiAnswer::add_warnings(Json& body) const {
  if (request_.warnings.empty() && notes_.empty()) return;
  Json warnings = Json::array();
  for (const std::string& field : request_.warnings) {
    warnings.push(Json::object({{"code", "unknown_parameter"}, {"param", field},
                                {"message", "This field is not known here and was ignored."}}));
  }
  for (const Warning& it : notes_) {
    warnings.push(Json::object({{"code", it.code}, {"param", it.param}, {"message", it.message}}));
  }
  body.set("warnings", std::move(warnings));
}

void OpenAiAnswer::append_event(std::string_view object, Json choice, std::string& out) {
  Json body = head(object);
  body.set("choices", Json::array({std::move(choice)}));
  if (request_.continuous_usage) {
    body.set("usage", usage());
  } else if (request_.include_usage) {
    body.set("usage", Json());
  }
  if (!is_begun_) add_warnings(body);
  is_begun_ = true;
  append_server_sent(body, out);
}

void OpenAiAnswer::append_end(std::string_view object, std::string& out) {
  if (request_.include_usage) {
    Json body = head(object);
    body.set("choices", Json::array());
    body.set("usage", usage());
    append_server_sent(body, out);
  }
  out += "data: [DONE]\n\n";
}

void OpenAiAnswer::fail(const ApiError& error, std::string& out) {
  out += "data: " + openai_error_body(error) + "\n\n";
}

Json OpenAiAnswer::token_ids(const std::vector<TokenId>& ids) const {
  Json list = Json::array();
  for (const TokenId id : ids) list.push(id);
  return list;
}

Json logprob_json(float logprob) {
  constexpr double kImpossible = -9999.0;
  return std::isfinite(logprob) ? Json(static_cast<double>(logprob)) : Json(kImpossible);
}

Json score_json(const TokenNames& names, const TokenScore& score, const SamplingParams& params) {
  const auto token_json = [&](TokenId token, float logprob) {
    Json bytes = Json::array();
    for (const char c : names.bytes(token)) bytes.push(static_cast<unsigned char>(c));
    return Json::object({{"token", names.name(token)}, {"logprob", logprob_json(logprob)},
                         {"bytes", std::move(bytes)}});
  };
  Json entry = token_json(score.token, score.logprob);
  Json top = Json::array();
  const bool is_named = !params.logprob_ids.empty();
  if (is_named) top.push(entry);
  const auto asked = static_cast<std::size_t>(params.logprobs);
  const std::size_t shown = is_named ? score.top.size() : std::min(score.top.size(), asked);
  for (std::size_t i = 0; i < shown; ++i) {
    const bool is_said = is_named && score.top[i].token == score.token;
    if (!is_said) top.push(token_json(score.top[i].token, score.top[i].logprob));
  }
  entry.set("top_logprobs", std::move(top));
  return entry;
}

Json finish_json(FinishReason reason) {
  switch (reason) {
    case FinishReason::kNone: return Json();
    case FinishReason::kStop: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kRepetition: return "repetition";
    case FinishReason::kCancelled:
    case FinishReason::kDeadline: return "abort";
    case FinishReason::kNonFinite:
    case FinishReason::kNothingAllowed:
    case FinishReason::kGrammarLimit:
    case FinishReason::kFault: return "error";
  }
  return Json();
}

Json stop_reason_json(const TokenEvent& event) {
  if (event.finish == FinishReason::kRepetition) return "repetition_detected";
  if (!event.stop_string.empty()) return event.stop_string;
  return event.stop_token >= 0 ? Json(event.stop_token) : Json();
}

Json prompt_logprobs_json(const std::vector<TokenScore>& scores, int alternatives,
                          const TokenNames& names) {
  Json list = Json::array({Json()});  // nothing predicts the first token
  for (const TokenScore& score : scores) {
    Json entry = Json::object();
    const auto add = [&](TokenId token, float logprob, std::int64_t rank) {
      entry.set(std::to_string(token),
                Json::object({{"logprob", logprob_json(logprob)}, {"rank", rank},
                              {"decoded_token", names.name(token)}}));
    };
    add(score.token, score.logprob, score.rank);
    const auto shown = std::min(score.top.size(), static_cast<std::size_t>(alternatives));
    for (std::size_t i = 0; i < shown; ++i) {
      if (score.top[i].token == score.token) continue;
      add(score.top[i].token, score.top[i].logprob, static_cast<std::int64_t>(i) + 1);
    }
    list.push(std::move(entry));
  }
  return list;
}

void append_server_sent(const Json& body, std::string& out) {
  out += "data: ";
  out += dump(body);
  out += "\n\n";
}

}  // namespace quire
