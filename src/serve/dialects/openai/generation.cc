#include "serve/dialects/openai/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <random>

namespace quire {
namespace {

constexpr std::size_t kStopsMax = 16;
constexpr std::size_t kStopSizeMax = 4096;     // bytes
constexpr std::size_t kStopIdsMax = 128;
constexpr std::size_t kBiasesMax = 1024;
constexpr std::size_t kSaltSizeMax = 256;      // bytes
constexpr std::int64_t kInt32Max = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kInt32Min = std::numeric_limits<std::int32_t>::min();

// Known fields that are not delivered yet, of OpenAI, vLLM and vLLM's past.
constexpr NeutralField kNeutralFields[] = {
    {"allowed_token_ids", "null"},
    {"bad_words", "[]"},
    {"documents", "null"},
    {"ec_transfer_params", "null"},
    {"guided_choice", "null"},
    {"guided_decoding_backend", "null"},
    {"guided_grammar", "null"},
    {"guided_json", "null"},
    {"guided_regex", "null"},
    {"guided_whitespace_pattern", "null"},
    {"kv_transfer_params", "null"},
    {"length_penalty", "1.0"},
    {"logits_processors", "[]"},
    {"logprob_token_ids", "[]"},
    {"media_io_kwargs", "{}"},
    {"mm_processor_kwargs", "{}"},
    {"moderation", "null"},
    {"prompt_embeds", "null"},
    {"repetition_detection", "null"},
    {"response_format", R"({"type":"text"})"},
    {"return_prompt_text", "false"},
    {"spaces_between_special_tokens", "true"},
    {"stream_interval", "1"},
    {"structural_tag", "null"},
    {"structured_outputs", "null"},
    {"thinking_token_budget", "null"},
    {"truncate_prompt_tokens", "null"},
    {"truncation_side", "null"},
    {"use_beam_search", "false"},
    {"vllm_xargs", "{}"},
};

void read_stops(Fields& fields, SamplingParams& params) {
  const Json* stop = fields.any("stop");
  if (stop == nullptr) return;
  const std::vector<Json> one = stop->is_string() ? std::vector<Json>{*stop} : std::vector<Json>{};
  if (!stop->is_string() && !stop->is_array()) {
    return fields.fail(invalid_value("stop", "Invalid 'stop': expected a string or a list of them, "
                                             "got " + shown(*stop) + "."));
  }
  const std::vector<Json>& stops = stop->is_array() ? stop->items() : one;
  if (stops.size() > kStopsMax) {
    return fields.fail(invalid_value(
        "stop", fmt::format("Invalid 'stop': at most {} strings, got {}.", kStopsMax,
                            stops.size())));
  }
  for (const Json& item : stops) {
    if (!item.is_string() || item.as_string().empty() || item.as_string().size() > kStopSizeMax) {
      return fields.fail(invalid_value(
          "stop", fmt::format("Invalid 'stop': expected strings of 1 to {} bytes, got {}.",
                              kStopSizeMax, shown(item))));
    }
    params.stop_strings.push_back(item.as_string());
  }
}

void read_stop_ids(Fields& fields, const HostedModel* model, SamplingParams& params) {
  const Json* ids = fields.any("stop_token_ids");
  if (ids == nullptr) return;
  const std::int64_t vocab = model != nullptr ? model->info.vocab : kInt32Max;
  const bool is_good =
      ids->is_array() && ids->items().size() <= kStopIdsMax &&
      std::all_of(ids->items().begin(), ids->items().end(), [&](const Json& id) {
        return id.is_int() && id.as_int() >= 0 && id.as_int() < vocab;
      });
  if (!is_good) {
    return fields.fail(invalid_value(
        "stop_token_ids", fmt::format("Invalid 'stop_token_ids': expected at most {} token ids "
                                      "from 0 to {}.", kStopIdsMax, vocab - 1)));
  }
  for (const Json& id : ids->items()) {
    params.stop_ids.push_back(static_cast<TokenId>(id.as_int()));
  }
}

// Digits only, so that "1e3", "+1" and " 1" are no ids.
std::optional<std::int64_t> token_id_of(std::string_view text) {
  constexpr std::size_t kDigitsMax = 10;
  if (text.empty() || text.size() > kDigitsMax) return std::nullopt;
  std::int64_t id = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    id = id * 10 + (c - '0');
  }
  return id;
}

void read_logit_bias(Fields& fields, const HostedModel* model, SamplingParams& params) {
  const Json* bias = fields.any("logit_bias");
  if (bias == nullptr) return;
  const auto refuse = [&](std::string why) {
    fields.fail(invalid_value("logit_bias", "Invalid 'logit_bias': " + std::move(why)));
  };
  if (!bias->is_object()) return refuse("expected an object, got " + shown(*bias) + ".");
  if (bias->members().size() > kBiasesMax) {
    return refuse(fmt::format("at most {} tokens, got {}.", kBiasesMax, bias->members().size()));
  }
  const std::int64_t vocab = model != nullptr ? model->info.vocab : kInt32Max;
  for (const auto& [name, value] : bias->members()) {
    const auto id = token_id_of(name);
    if (!id || *id >= vocab) {
      return refuse(fmt::format("the key {} is no token id from 0 to {}.", shown(Json(name)),
                                vocab - 1));
    }
    if (!value.is_number() || !(value.as_double() >= -100) || !(value.as_double() <= 100)) {
      return refuse(fmt::format("expected numbers from -100 to 100, got {}.", shown(value)));
    }
    params.logit_bias.push_back({static_cast<TokenId>(*id), static_cast<float>(value.as_double())});
  }
  const auto before = [](const LogitBias& a, const LogitBias& b) { return a.token < b.token; };
  const auto same = [](const LogitBias& a, const LogitBias& b) { return a.token == b.token; };
  auto& biases = params.logit_bias;
  std::sort(biases.begin(), biases.end(), before);
  if (std::adjacent_find(biases.begin(), biases.end(), same) != biases.end()) {
    refuse("a token appears twice.");
  }
}

void read_sampling(Fields& fields, const HostedModel* model, SamplingParams& params) {
  params = default_sampling(model);
  const auto read = [&](const char* name, Range range, float& param) {
    if (const auto asked = fields.number(name, range)) param = static_cast<float>(*asked);
  };
  read("temperature", {0, 2}, params.temperature);
  read("top_p", {0, 1}, params.top_p);
  read("min_p", {0, 1}, params.min_p);
  read("repetition_penalty", {0, 1000, true}, params.repetition_penalty);
  read("presence_penalty", {-2, 2}, params.presence_penalty);
  read("frequency_penalty", {-2, 2}, params.frequency_penalty);
  const auto top_k = fields.integer("top_k", -1, kInt32Max);
  if (top_k) params.top_k = static_cast<int>(*top_k);
  if (params.top_k == -1) params.top_k = 0;  // vLLM's other way to say "off"
  const auto seed = fields.integer("seed", std::numeric_limits<std::int64_t>::min(),
                                   std::numeric_limits<std::int64_t>::max());
  if (seed) params.seed = static_cast<std::uint64_t>(*seed);
  params.tokens_min = static_cast<int>(fields.integer("min_tokens", 0, kInt32Max).value_or(0));
  params.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  params.include_stop = fields.boolean("include_stop_str_in_output").value_or(false);
  params.skip_special_tokens = fields.boolean("skip_special_tokens").value_or(true);
  read_stops(fields, params);
  read_stop_ids(fields, model, params);
  read_logit_bias(fields, model, params);
}

ModelLease read_model(Fields& fields, const DialectContext& context) {
  const Json* name = fields.any("model");
  if (name == nullptr) {
    fields.fail({.message = "You must provide a model parameter.",
                 .param = "model",
                 .code = "missing_required_parameter"});
    return nullptr;
  }
  if (!name->is_string()) {
    fields.fail(invalid_value("model", "Invalid 'model': expected a string, got " + shown(*name) +
                                           "."));
    return nullptr;
  }
  Parsed<ModelLease> model = lease_model(context.models, name->as_string());
  if (!model.is_ok()) {
    fields.fail(model.error());
    return nullptr;
  }
  return *model;
}

void read_streaming(Fields& fields, OpenAiRequest& request) {
  request.is_stream = fields.boolean("stream").value_or(false);
  const Json* options = fields.any("stream_options");
  if (options == nullptr) return;
  if (!options->is_object()) {
    return fields.fail(invalid_value("stream_options", "Invalid 'stream_options': expected an "
                                                       "object, got " + shown(*options) + "."));
  }
  if (!request.is_stream) {
    return fields.fail(invalid_value("stream_options", "The 'stream_options' parameter is only "
                                                       "allowed when 'stream' is enabled."));
  }
  Fields inner(*options);
  request.include_usage = inner.boolean("include_usage").value_or(false);
  request.continuous_usage = inner.boolean("continuous_usage_stats").value_or(false);
  inner.boolean("include_obfuscation");  // padding against eavesdroppers: we send none
  const std::vector<std::string> unknown = inner.unknown();
  if (inner.error() || !unknown.empty()) {
    const std::string field = inner.error() ? inner.error()->param : unknown.front();
    fields.fail(invalid_value("stream_options." + field,
                              "Invalid 'stream_options': '" + field + "' is not understood."));
  }
}

// Who asks and why: nothing here changes an answer.
void read_bookkeeping(Fields& fields) {
  fields.text("user", kUserSizeMax);
  fields.text("safety_identifier", kUserSizeMax);
  fields.text("prompt_cache_key", kUserSizeMax);
  fields.text("prompt_cache_retention", kUserSizeMax);
  fields.text("service_tier", kUserSizeMax);
  fields.text("session_id", kUserSizeMax);
  fields.text("request_id", kUserSizeMax);
  fields.any("prompt_cache_options");
  fields.boolean("store");
  constexpr std::size_t kPairsMax = 16;
  const Json* metadata = fields.any("metadata");
  if (metadata != nullptr &&
      (!metadata->is_object() || metadata->members().size() > kPairsMax)) {
    fields.fail(invalid_value("metadata", fmt::format("Invalid 'metadata': expected an object of "
                                                      "at most {} pairs.", kPairsMax)));
  }
}

}  // namespace

OpenAiRequest read_openai_request(Fields& fields, const DialectContext& context) {
  OpenAiRequest request;
  request.model = read_model(fields, context);
  read_sampling(fields, request.model.get(), request.params);
  read_streaming(fields, request);
  request.n = static_cast<int>(fields.integer("n", 1, kChoicesMax).value_or(1));
  request.priority = static_cast<int>(fields.integer("priority", kInt32Min, kInt32Max).value_or(0));
  if (const std::string* salt = fields.text("cache_salt", kSaltSizeMax)) {
    request.cache_salt = *salt;
    if (salt->empty()) {
      fields.fail(invalid_value("cache_salt", "Invalid 'cache_salt': it must not be empty."));
    }
  }
  request.return_token_ids = fields.boolean("return_token_ids").value_or(false);
  request.tokens_as_ids = fields.boolean("return_tokens_as_token_ids").value_or(false);
  request.add_special_tokens = fields.boolean("add_special_tokens");
  const auto prompt_logprobs = fields.integer("prompt_logprobs", 0, kLogprobsMax);
  if (prompt_logprobs && request.is_stream) {
    fields.fail(invalid_value("prompt_logprobs", "`prompt_logprobs` are not available when "
                                                 "`stream=True`."));
  }
  request.params.prompt_logprobs = static_cast<int>(prompt_logprobs.value_or(-1));
  read_bookkeeping(fields);
  fields.expect_neutral(kNeutralFields);
  return request;
}

void refuse_unknown(Fields& fields, const DialectContext& context, OpenAiRequest& request) {
  refuse_unknown(fields, context.unknown_fields_warn, request.warnings);
}

}  // namespace quire
