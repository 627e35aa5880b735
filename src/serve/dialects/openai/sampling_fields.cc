#include "serve/dialects/openai/sampling_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "serve/intake/generation.h"

namespace quire {
namespace {

constexpr std::size_t kStopsMax = 16;
constexpr std::size_t kStopSizeMax = 4096;     // bytes
constexpr std::size_t kStopIdsMax = 128;
constexpr std::size_t kBiasesMax = 1024;
constexpr std::size_t kLogprobIdsMax = 128;
constexpr std::size_t kBadWordsMax = 128;
constexpr std::size_t kBadWordSizeMax = 256;   // bytes

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

// Those that the list names, nothing else.
void read_allowed(Fields& fields, const HostedModel* model, SamplingParams& params) {
  const Json* ids = fields.any("allowed_token_ids");
  if (ids == nullptr || model == nullptr) return;
  const std::int64_t vocab = model->info.vocab;
  const bool is_list = ids->is_array() && !ids->items().empty();
  params.allowed.assign((static_cast<std::size_t>(vocab) + 31) / 32, 0);
  for (const Json& id : is_list ? ids->items() : std::vector<Json>{Json()}) {
    if (!id.is_int() || id.as_int() < 0 || id.as_int() >= vocab) {
      return fields.fail(invalid_value(
          "allowed_token_ids", fmt::format("Invalid 'allowed_token_ids': expected a list of at "
                                           "least one token id from 0 to {}, got {}.", vocab - 1,
                                           shown(is_list ? id : *ids))));
    }
    const auto bit = static_cast<std::uint64_t>(id.as_int());
    params.allowed[bit / 32] |= 1u << (bit % 32);
  }
}

// vLLM's: log-probabilities of tokens that the client names, beside the one that was drawn.
void read_logprob_ids(Fields& fields, const HostedModel* model, SamplingParams& params) {
  const Json* ids = fields.any("logprob_token_ids");
  if (ids == nullptr) return;
  const std::int64_t vocab = model != nullptr ? model->info.vocab : kInt32Max;
  const bool is_good =
      ids->is_array() && !ids->items().empty() && ids->items().size() <= kLogprobIdsMax &&
      std::all_of(ids->items().begin(), ids->items().end(), [&](const Json& id) {
        return id.is_int() && id.as_int() >= 0 && id.as_int() < vocab;
      });
  if (!is_good) {
    return fields.fail(invalid_value(
        "logprob_token_ids", fmt::format("Invalid 'logprob_token_ids': expected 1 to {} token ids "
                                         "from 0 to {}.", kLogprobIdsMax, vocab - 1)));
  }
  for (const Json& id : ids->items()) {
    const auto token = static_cast<TokenId>(id.as_int());
    auto& named = params.logprob_ids;
    if (std::find(named.begin(), named.end(), token) == named.end()) named.push_back(token);
  }
}

// A word at the beginning of a line and one behind a blank are different tokens: both are bad.
void read_bad_words(Fields& fields, const HostedModel* model, SamplingParams& params) {
  const Json* words = fields.any("bad_words");
  if (words == nullptr || model == nullptr) return;
  const auto refuse = [&](const Json& what) {
    fields.fail(invalid_value(
        "bad_words", fmt::format("Invalid 'bad_words': expected at most {} strings of 1 to {} "
                                 "bytes, got {}.", kBadWordsMax, kBadWordSizeMax, shown(what))));
  };
  if (!words->is_array() || words->items().size() > kBadWordsMax) return refuse(*words);
  for (const Json& word : words->items()) {
    if (!word.is_string() || word.as_string().empty() ||
        word.as_string().size() > kBadWordSizeMax) {
      return refuse(word);
    }
    for (const std::string& text : {word.as_string(), " " + word.as_string()}) {
      Result<std::vector<TokenId>> ids = model->tokenizer->encode(text, {.add_special = false});
      if (!ids.is_ok() || ids->empty()) return refuse(word);
      auto& bad = params.bad_sequences;
      if (std::find(bad.begin(), bad.end(), *ids) == bad.end()) bad.push_back(std::move(*ids));
    }
  }
}

void read_repetition(Fields& fields, SamplingParams& params) {
  const Json* limit = fields.any("repetition_detection");
  if (limit == nullptr) return;
  const auto refuse = [&](std::string_view what) {
    fields.fail(invalid_value("repetition_detection", fmt::format("Invalid 'repetition_detection': "
                                                                  "{}.", what)));
  };
  if (!limit->is_object()) return refuse("expected an object");
  constexpr int kPatternMax = RepetitionLimit::kPatternMax;
  constexpr int kCountMax = 1024;
  Fields inner(*limit);
  const auto size_max = inner.integer("max_pattern_size", 0, kPatternMax).value_or(0);
  const auto size_min = inner.integer("min_pattern_size", 0, kPatternMax).value_or(0);
  const auto count = inner.integer("min_count", 0, kCountMax).value_or(0);
  if (inner.error()) return refuse(inner.error()->message);
  if (!inner.unknown().empty()) return refuse("no such field: " + inner.unknown().front());
  if (size_max == 0) return;  // as in vLLM: off
  if (count < 2) return refuse("min_count must be at least 2");
  if (size_min > size_max) return refuse("min_pattern_size is above max_pattern_size");
  params.repetition = {.pattern_min = std::max(static_cast<int>(size_min), 1),
                       .pattern_max = static_cast<int>(size_max),
                       .count = static_cast<int>(count)};
}

}  // namespace

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
  read_allowed(fields, model, params);
  read_bad_words(fields, model, params);
  read_repetition(fields, params);
  read_logprob_ids(fields, model, params);
}

void need_logprobs(Fields& fields, const SamplingParams& params) {
  if (params.logprob_ids.empty() || params.logprobs >= 0) return;
  fields.fail(invalid_value("logprob_token_ids", "when using `logprob_token_ids`, `logprobs` must "
                                                 "be set."));
}

}  // namespace quire
