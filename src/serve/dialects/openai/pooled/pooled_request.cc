#include "serve/dialects/openai/pooled/pooled_request.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "host/served_names.h"
#include "serve/answer/answer_counts.h"
#include "serve/dialects/openai/chat_messages.h"
#include "serve/intake/generation.h"

namespace quire {
namespace {

constexpr std::size_t kUserSizeMax = 1024;  // bytes
constexpr std::size_t kSaltSizeMax = 256;   // bytes

using Inputs = std::vector<std::vector<TokenId>>;

ModelLease read_model(Fields& fields, const DialectContext& context) {
  const std::string* name = fields.text("model", kModelNameSizeMax);
  if (fields.error()) return nullptr;
  const ModelHost& host = *context.models.host;
  if (name == nullptr && host.size() > 1 && !only_served_name(host)) {
    fields.fail({.message = "You must provide a model parameter.",
                 .param = "model",
                 .code = "missing_required_parameter"});
    return nullptr;
  }
  Parsed<ModelLease> model = lease_model_or_only(context.models, name != nullptr ? *name : "");
  if (model.is_ok()) return *model;
  fields.fail(model.error());
  return nullptr;
}

// One of a few words.
std::string read_word(Fields& fields, const char* name, std::span<const std::string_view> words) {
  const std::string* word = fields.text(name, 32);
  if (word == nullptr) return std::string(words.front());
  if (std::find(words.begin(), words.end(), *word) != words.end()) return *word;
  std::string known;
  for (const std::string_view each : words) known += fmt::format(" '{}'", each);
  fields.fail(invalid_value(name, fmt::format("Invalid '{}': expected one of{}, got {}.", name,
                                              known, shown(Json(*word)))));
  return std::string(words.front());
}

ApiError bad_input(const std::string& field, std::string_view why) {
  return invalid_value(field, fmt::format("Invalid '{}': {}", field, why));
}

bool is_ids(const Json& value) {
  return value.is_array() && !value.items().empty() && value.items().front().is_number();
}

Parsed<std::vector<TokenId>> read_ids(const PooledTexts& texts, const Json& list,
                                      const std::string& field) {
  const std::uint32_t vocab = texts.model->info.vocab;
  std::vector<TokenId> ids;
  for (const Json& id : list.items()) {
    if (!id.is_int() || id.as_int() < 0 || id.as_int() >= vocab) {
      return bad_input(field, fmt::format("expected token ids from 0 to {}, got {}.", vocab - 1,
                                          shown(id)));
    }
    ids.push_back(static_cast<TokenId>(id.as_int()));
  }
  return fit_whole(texts, std::move(ids), field);
}

Parsed<std::vector<TokenId>> read_input(const PooledTexts& texts, const Json& value,
                                        std::string_view before, const std::string& field) {
  if (is_ids(value)) return read_ids(texts, value, field);
  if (!value.is_string()) {
    return bad_input(field, "expected a string, a list of strings, a list of token ids or a list "
                            "of those.");
  }
  if (before.empty()) return encode_whole(texts, value.as_string(), field);
  return encode_whole(texts, std::string(before) + value.as_string(), field);
}

Parsed<Inputs> read_chat(Fields& fields, const PooledTexts& texts) {
  const bool continues = fields.has("add_generation_prompt");
  ChatPrompt chat = read_chat_prompt(fields, texts.model.get());
  if (fields.error()) return *fields.error();
  if (!continues) chat.add_generation_prompt = false;
  chat.add_special_tokens = chat.settles_bos = false;  // the template writes what it wants
  auto ids = encode_chat(*texts.model, chat);
  if (!ids.is_ok()) return ids.error();
  auto fitted = fit_whole(texts, std::move(*ids), "messages");
  if (!fitted.is_ok()) return fitted.error();
  return Inputs{std::move(*fitted)};
}

}  // namespace

PooledTexts read_pooled_texts(Fields& fields, const DialectContext& context, Skill skill) {
  PooledTexts texts;
  texts.model = read_model(fields, context);
  if (texts.model != nullptr) {
    if (auto refusal = refuse_without(*texts.model, skill)) {
      fields.fail(std::move(*refusal));
      texts.model = nullptr;
    }
  }
  texts.adds_special = fields.boolean("add_special_tokens").value_or(true);
  texts.cut_to = fields.integer("truncate_prompt_tokens", -1, kInt32Max);
  constexpr std::string_view kSides[] = {"right", "left"};
  texts.cuts_front = read_word(fields, "truncation_side", kSides) == "left";
  texts.priority = static_cast<int>(fields.integer("priority", kInt32Min, kInt32Max).value_or(0));
  if (const std::string* salt = fields.text("cache_salt", kSaltSizeMax)) texts.cache_salt = *salt;
  fields.text("user", kUserSizeMax);  // who asks changes nothing
  fields.text("request_id", kUserSizeMax);
  constexpr NeutralField kNeutral[] = {{"mm_processor_kwargs", "{}"}, {"media_io_kwargs", "{}"}};
  fields.expect_neutral(kNeutral);
  if (texts.model != nullptr) {
    if (auto refusal = check_cut(texts)) fields.fail(std::move(*refusal));
  }
  return texts;
}

VectorForm read_vector_form(Fields& fields) {
  constexpr std::string_view kFormats[] = {"float", "base64"};
  constexpr std::string_view kTypes[] = {"float32", "float16", "bfloat16"};
  constexpr std::string_view kOrders[] = {"native", "little", "big"};
  VectorForm form;
  form.is_base64 = read_word(fields, "encoding_format", kFormats) == "base64";
  const std::string type = read_word(fields, "embed_dtype", kTypes);
  form.type = type == "float16"    ? VectorType::kF16
              : type == "bfloat16" ? VectorType::kBf16
                                   : VectorType::kF32;
  form.is_big_endian = read_word(fields, "endianness", kOrders) == "big";
  if (!form.is_base64 && form.type != VectorType::kF32) {
    fields.fail(unsupported_parameter("embed_dtype", "Unsupported parameter: 'embed_dtype' other "
                                                     "than float32 needs 'encoding_format' "
                                                     "\"base64\"."));
  }
  return form;
}

namespace {

Parsed<Inputs> read_pooled_inputs(Fields& fields, const PooledTexts& texts,
                                  std::string_view before) {
  const Json* value = fields.any("input");
  if (value == nullptr && fields.has("messages")) return read_chat(fields, texts);
  if (value == nullptr) {
    return ApiError{.message = "You must provide an input.",
                    .param = "input",
                    .code = "missing_required_parameter"};
  }
  Inputs inputs;
  if (!value->is_array() || is_ids(*value)) {
    auto input = read_input(texts, *value, before, "input");
    if (!input.is_ok()) return input.error();
    inputs.push_back(std::move(*input));
    return inputs;
  }
  const std::size_t count = value->items().size();
  if (count == 0 || count > kPooledInputsMax) {
    return bad_input("input", fmt::format("expected 1 to {} inputs, got {}.", kPooledInputsMax,
                                          count));
  }
  for (std::size_t i = 0; i < count; ++i) {
    auto input = read_input(texts, value->items()[i], before, fmt::format("input[{}]", i));
    if (!input.is_ok()) return input.error();
    inputs.push_back(std::move(*input));
  }
  return inputs;
}

}  // namespace

Call pooled_call(const DialectContext& context, const PooledTexts& texts, Inputs inputs) {
  Call call{.model = texts.model, .prompt_field = "input"};
  call.in_flight_max = kPooledInFlightMax;
  for (std::vector<TokenId>& ids : inputs) {
    call.requests.push_back(make_pooled(texts, context.tenant, std::move(ids)));
  }
  return call;
}

Parsed<Call> read_pooled_call(Fields& fields, const DialectContext& context,
                              const PooledTexts& texts, std::string_view before,
                              std::vector<std::string>& ignored) {
  if (fields.error()) return *fields.error();
  auto inputs = read_pooled_inputs(fields, texts, before);
  refuse_unknown(fields, context.unknown_fields_warn, ignored);
  if (fields.error()) return *fields.error();
  if (!inputs.is_ok()) return inputs.error();
  Call call = pooled_call(context, texts, std::move(*inputs));
  call.unknown_fields = ignored.size();
  return call;
}

PooledAnswer::PooledAnswer(const ModelLease& model, std::size_t requests,
                           std::string_view id_prefix, std::vector<std::string> ignored)
    : info_(model->info.pooled),
      vectors_(requests),
      id_(random_id(id_prefix)),
      created_(SteadyClock::unix_seconds()),
      model_name_(model->name()),
      ignored_(std::move(ignored)) {}

Json PooledAnswer::head(std::string_view object) const {
  Json body = Json::object({{"id", id_}});
  if (!object.empty()) body.set("object", object);
  body.set("created", created_);
  body.set("model", model_name_);
  return body;
}

Json PooledAnswer::usage() const {
  return Json::object(
      {{"prompt_tokens", vectors_.tokens()}, {"total_tokens", vectors_.tokens()}});
}

void PooledAnswer::append_body(Json head, std::string_view name, std::string_view list,
                               std::string& out) const {
  head.set("usage", usage());
  if (!ignored_.empty()) {
    Json warnings = Json::array();
    for (const std::string& field : ignored_) {
      warnings.push(Json::object({{"code", "unknown_parameter"}, {"param", field},
                                  {"message", "This field is not known here and was ignored."}}));
    }
    head.set("warnings", std::move(warnings));
  }
  std::string text = dump(head);
  text.pop_back();
  out += fmt::format("{},\"{}\":{}}}", text, name, list);
}

}  // namespace quire
