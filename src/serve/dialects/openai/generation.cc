#include "serve/dialects/openai/generation.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/dialects/openai/sampling_fields.h"

#include "serve/intake/skills.h"

namespace quire {
namespace {

constexpr std::size_t kSaltSizeMax = 256;      // bytes
constexpr std::size_t kRequestIdSizeMax = 128;  // bytes

// Known fields that are not delivered yet, of OpenAI, vLLM and vLLM's past.
constexpr NeutralField kNeutralFields[] = {
    {"ec_transfer_params", "null"},
    {"kv_transfer_params", "null"},
    {"length_penalty", "1.0"},
    {"logits_processors", "[]"},
    {"media_io_kwargs", "{}"},
    {"mm_processor_kwargs", "{}"},
    {"moderation", "null"},
    {"prompt_embeds", "null"},
    {"return_prompt_text", "false"},
    {"spaces_between_special_tokens", "true"},
    {"use_beam_search", "false"},
    {"vllm_xargs", "{}"},
};

// Where any name will do, none will do as well: the answer says the model's own.
ModelLease read_model(Fields& fields, const DialectContext& context, std::string& called) {
  const Json* name = fields.any("model");
  const ModelHost* host = context.models.host;
  const Json any(kAnyName);
  const bool takes_any = host != nullptr && host->has_name(kAnyName);
  if (name == nullptr && takes_any) name = &any;
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
  if (auto refusal = refuse_without(**model, Skill::kGenerate)) {
    fields.fail(std::move(*refusal));
    return nullptr;
  }
  called = name == &any ? (*model)->name() : name->as_string();
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

// Tiers are turns at one machine: flex waits for everybody else, the rest is the default.
void read_service_tier(Fields& fields, OpenAiRequest& request) {
  constexpr int kFlexPriority = 1'000'000;  // later than whatever a client would say
  const std::string* tier = fields.text("service_tier", kUserSizeMax);
  if (tier == nullptr) return;
  constexpr std::string_view kTiers[] = {"auto", "default", "flex", "scale", "priority", "fast"};
  if (std::find(std::begin(kTiers), std::end(kTiers), *tier) == std::end(kTiers)) {
    return fields.fail(invalid_value("service_tier", "Invalid 'service_tier': expected auto, "
                                                     "default, flex, scale, priority or fast."));
  }
  request.service_tier = *tier == "flex" ? "flex" : "default";
  if (*tier == "flex") request.priority = std::max(request.priority, kFlexPriority);
}

// Becomes a part of the answer's id.
void read_request_id(Fields& fields, OpenAiRequest& request) {
  const std::string* id = fields.text("request_id", kRequestIdSizeMax);
  if (id == nullptr) return;
  const bool is_plain = !id->empty() && std::all_of(id->begin(), id->end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           c == '-' || c == '_' || c == '.';
  });
  if (!is_plain) {
    return fields.fail(invalid_value("request_id", "Invalid 'request_id': expected letters, "
                                                   "digits, '-', '_' and '.'."));
  }
  request.request_id = *id;
}

void read_truncation(Fields& fields, OpenAiRequest& request) {
  request.prompt_tokens_max = fields.integer("truncate_prompt_tokens", -1, kInt32Max);
  const std::string* side = fields.text("truncation_side", kUserSizeMax);
  if (request.prompt_tokens_max == 0) {
    fields.fail(invalid_value("truncate_prompt_tokens", "Invalid 'truncate_prompt_tokens': "
                                                        "expected -1 or at least 1, got 0."));
  }
  if (side == nullptr) return;
  if (*side != "left" && *side != "right") {
    fields.fail(invalid_value("truncation_side",
                              "Invalid 'truncation_side': expected left or right."));
  }
  request.truncates_end = *side == "right";
}

// Who asks and why: nothing here changes an answer.
void read_bookkeeping(Fields& fields) {
  fields.text("user", kUserSizeMax);
  fields.text("safety_identifier", kUserSizeMax);
  fields.text("prompt_cache_key", kUserSizeMax);
  fields.text("prompt_cache_retention", kUserSizeMax);
  fields.text("session_id", kUserSizeMax);
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
  request.model = read_model(fields, context, request.model_name);
  read_sampling(fields, request.model.get(), request.params);
  read_streaming(fields, request);
  request.n = static_cast<int>(fields.integer("n", 1, kChoicesMax).value_or(1));
  request.priority =
      static_cast<int>(fields.integer("priority", kInt32Min, kPriorityLast - 1).value_or(0));
  read_service_tier(fields, request);
  read_request_id(fields, request);
  read_truncation(fields, request);
  request.stream_interval =
      static_cast<std::size_t>(fields.integer("stream_interval", 1, kInt32Max).value_or(1));
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
  request.grammar = read_constraint(fields);
  fields.expect_neutral(kNeutralFields);
  return request;
}

Parsed<int> truncate_prompt(const OpenAiRequest& request, std::vector<TokenId>& ids) {
  if (!request.prompt_tokens_max) return 0;
  const auto context = static_cast<std::int64_t>(request.model->info.context_max);
  const std::int64_t room = context - std::max<std::int64_t>(request.tokens_max.value_or(1), 1);
  const std::int64_t asked = *request.prompt_tokens_max;
  if (asked > context) {
    return invalid_value("truncate_prompt_tokens",
                         fmt::format("truncate_prompt_tokens is {}, which is more than the model's "
                                     "context of {} tokens.", asked, context));
  }
  const auto keep = static_cast<std::size_t>(std::max<std::int64_t>(asked == -1 ? room : asked, 1));
  if (ids.size() <= keep) return 0;
  const auto cut = static_cast<std::ptrdiff_t>(ids.size() - keep);
  if (request.truncates_end) {
    ids.resize(keep);
  } else {
    ids.erase(ids.begin(), ids.begin() + cut);
  }
  return static_cast<int>(cut);
}

void refuse_unknown(Fields& fields, const DialectContext& context, OpenAiRequest& request) {
  refuse_unknown(fields, context.unknown_fields_warn, request.warnings);
}

}  // namespace quire
