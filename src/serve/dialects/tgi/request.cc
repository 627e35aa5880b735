#include "serve/dialects/tgi/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "host/served_names.h"
#include "serve/dialects/tgi/errors.h"
#include "serve/house.h"
#include "serve/intake/skills.h"

namespace quire {
namespace {

constexpr std::size_t kStopSizeMax = 4096;  // bytes
constexpr std::size_t kWarningsMax = 64;
constexpr std::int64_t kInt64Max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kUint32Max = std::numeric_limits<std::uint32_t>::max();

// `parameters`, whose types are those of TGI; null counts as absent.
class Parameters {
 public:
  Parameters(Fields& outer, const Json& object) : outer_(&outer), fields_(object) {}

  std::optional<bool> boolean(const char* name) {
    const Json* value = fields_.any(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_bool()) return value->as_bool();
    fail(wrong_type(name, "a boolean", *value));
    return std::nullopt;
  }
  std::optional<double> number(const char* name) {
    const Json* value = fields_.any(name);
    if (value == nullptr) return std::nullopt;
    const bool is_good =
        value->is_number() && std::isfinite(static_cast<float>(value->as_double()));
    if (is_good) return value->as_double();
    fail(wrong_type(name, "f32", *value));
    return std::nullopt;
  }
  std::optional<std::int64_t> integer(const char* name, std::int64_t min, std::int64_t max,
                                      const char* type) {
    const Json* value = fields_.any(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_int() && value->as_int() >= min && value->as_int() <= max) {
      return value->as_int();
    }
    fail(wrong_type(name, type, *value));
    return std::nullopt;
  }
  const Json* any(const char* name) { return fields_.any(name); }

  void fail(ApiError error) { outer_->fail(std::move(error)); }
  void refuse(const char* name, std::string_view detail) { fail(tgi_validation(name, detail)); }
  void refuse_type(const char* name, const char* expected, const Json& value) {
    fail(wrong_type(name, expected, value));
  }
  std::vector<std::string> unknown() const { return fields_.unknown(); }

 private:
  static ApiError wrong_type(const char* name, const char* expected, const Json& value) {
    return tgi_wrong_type(fmt::format("parameters.{}", name), expected, value);
  }

  Fields* outer_;
  Fields fields_;
};

void read_stops(Parameters& in, const TgiBounds& bounds, SamplingParams& params) {
  const Json* stops = in.any("stop");
  if (stops == nullptr) return;
  if (!stops->is_array()) return in.refuse_type("stop", "a sequence", *stops);
  const auto count = static_cast<std::int64_t>(stops->items().size());
  if (count > bounds.limits.stop_sequences_max) {
    return in.refuse("stop", fmt::format("`stop` supports up to {} stop sequences. Given: {}",
                                         bounds.limits.stop_sequences_max, count));
  }
  for (const Json& stop : stops->items()) {
    if (!stop.is_string()) return in.refuse_type("stop", "a string", stop);
    if (stop.as_string().empty() || stop.as_string().size() > kStopSizeMax) {
      return in.refuse("stop", fmt::format("`stop` sequences must have 1 to {} bytes. Given: {}",
                                           kStopSizeMax, stop.as_string().size()));
    }
    params.stop_strings.push_back(stop.as_string());
  }
  params.include_stop = true;
}

// A share of the mass, of which 1 would be no wish: TGI refuses that.
std::optional<float> read_share(Parameters& in, const char* name) {
  const auto share = in.number(name);
  if (!share) return std::nullopt;
  if (*share > 0 && *share < 1) return static_cast<float>(*share);
  in.refuse(name, fmt::format("`{}` must be > 0.0 and < 1.0", name));
  return std::nullopt;
}

// `temperature` 1 without do_sample draws nothing, as TGI has it.
void read_drawing(Parameters& in, bool draws_by_default, TgiRequest& request) {
  SamplingParams& params = request.params;
  const bool asks = in.boolean("do_sample").value_or(draws_by_default);
  const auto temperature = in.number("temperature");
  const auto top_p = read_share(in, "top_p");
  const auto typical_p = read_share(in, "typical_p");
  const auto top_k = in.integer("top_k", -kInt32Max - 1, kInt32Max, "i32");
  if (temperature && !(static_cast<float>(*temperature) > 0)) {
    in.refuse("temperature", "`temperature` must be strictly positive");
  }
  if (top_k && *top_k <= 0) in.refuse("top_k", "`top_k` must be strictly positive");
  request.is_sampling = asks || top_k || top_p || typical_p ||
                        (temperature && static_cast<float>(*temperature) != 1);
  params.temperature = request.is_sampling ? static_cast<float>(temperature.value_or(1)) : 0;
  params.top_p = top_p.value_or(1);
  params.typical_p = typical_p.value_or(1);
  params.top_k = static_cast<int>(top_k.value_or(0));
}

void read_penalties(Parameters& in, SamplingParams& params) {
  const auto repetition = in.number("repetition_penalty");
  if (repetition && !(static_cast<float>(*repetition) > 0)) {
    in.refuse("repetition_penalty", "`repetition_penalty` must be strictly positive");
  }
  const auto frequency = in.number("frequency_penalty");
  if (frequency && !(*frequency >= -2 && *frequency <= 2)) {
    in.refuse("frequency_penalty", "`frequency_penalty` must be >= -2.0 and <= 2.0");
  }
  params.repetition_penalty = static_cast<float>(repetition.value_or(1));
  params.frequency_penalty = static_cast<float>(frequency.value_or(0));
}

// The whole range of an unsigned number.
void read_seed(Parameters& in, TgiRequest& request) {
  const Json* seed = in.any("seed");
  if (seed == nullptr) return;
  const bool is_good = seed->kind() == Json::Kind::kUint || (seed->is_int() && seed->as_int() >= 0);
  if (!is_good) return in.refuse_type("seed", "u64", *seed);
  request.params.seed = seed->as_uint();
  if (request.best_of > 1) in.refuse("seed", "`seed` must not be set when `best_of` > 1");
}

void read_best_of(Parameters& in, const TgiBounds& bounds, TgiRequest& request) {
  const std::int64_t best_of = in.integer("best_of", 0, kInt64Max, "usize").value_or(1);
  const std::int64_t most = bounds.limits.best_of_max;
  if (best_of == 0 || best_of > most) {
    return in.refuse("best_of",
                     most == 1 ? "`best_of` != 1 is not allowed for this endpoint"
                               : fmt::format("`best_of` must be > 0 and <= {}. Given: {}", most,
                                             best_of));
  }
  if (best_of > 1 && request.is_stream) {
    in.refuse("best_of", "`best_of` != 1 is not supported when streaming tokens");
  }
  request.best_of = static_cast<int>(best_of);
}

void read_details(Parameters& in, const TgiBounds& bounds, TgiRequest& request) {
  request.has_details = in.boolean("details").value_or(false);
  request.has_prefill = in.boolean("decoder_input_details").value_or(false);
  if (request.has_prefill && request.is_stream) {
    in.refuse("decoder_input_details",
              "`decoder_input_details` == true is not supported when streaming tokens");
  }
  request.has_details |= request.has_prefill;
  const auto top = in.integer("top_n_tokens", 0, kUint32Max, "u32").value_or(0);
  if (top > bounds.limits.top_n_tokens_max) {
    in.refuse("top_n_tokens", fmt::format("`top_n_tokens` must be >= 0 and <= {}. Given: {}",
                                          bounds.limits.top_n_tokens_max, top));
  }
  request.top_n_tokens = static_cast<int>(std::min(top, bounds.limits.top_n_tokens_max));
}

void read_lengths(Parameters& in, const TgiBounds& bounds, TgiRequest& request) {
  request.tokens_max = in.integer("max_new_tokens", 0, kUint32Max, "u32");
  if (request.tokens_max == 0) {
    in.refuse("max_new_tokens", "`max_new_tokens` must be strictly positive");
  }
  request.truncate = in.integer("truncate", 0, kInt64Max, "usize");
  if (request.truncate && (*request.truncate == 0 || *request.truncate > bounds.input_max)) {
    in.refuse("truncate", fmt::format("`truncate` must be strictly positive and less than {}. "
                                      "Given: {}", bounds.input_max, *request.truncate));
  }
}

bool has_one(const Json& object, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](const char* name) { return object.find(name) != nullptr; });
}

// Members that nobody reads are named.
void note_unread(const Json& object, std::initializer_list<std::string_view> read,
                 const std::string& where, TgiRequest& request) {
  if (!object.is_object()) return;
  for (const auto& [name, value] : object.members()) {
    const bool is_read = std::find(read.begin(), read.end(), name) != read.end();
    if (!is_read && request.warnings.size() < kWarningsMax) {
      request.warnings.push_back(fmt::format("{}.{}", where, name.substr(0, kNameShown)));
    }
  }
}

void read_grammar(Parameters& in, const TgiBounds& bounds, TgiRequest& request) {
  const Json* grammar = in.any("grammar");
  if (grammar == nullptr) return;
  if (!bounds.limits.has_grammars) return in.refuse("grammar", "grammar is not supported");
  const Json* type = grammar->find("type");
  if (!grammar->is_object() || type == nullptr || !type->is_string()) {
    return in.refuse_type("grammar", "an object with a type", *grammar);
  }
  const std::string& kind = type->as_string();
  if (kind == "text") {
    return in.refuse("grammar", "grammar is not valid: `type` must be json, json_object, "
                                "json_schema or regex. Given: \"text\"");
  }
  const Json* value = grammar->find("value");
  const bool is_schema = kind == "json" || kind == "json_object" || kind == "json_schema";
  const bool has_other = (is_schema && has_one(*grammar, {"schema", "json_schema"})) ||
                         (kind == "regex" && has_one(*grammar, {"pattern", "regex"}));
  if ((is_schema || kind == "regex") && value == nullptr && !has_other) {
    return in.fail(tgi_missing_field("parameters.grammar.value"));
  }
  if (value != nullptr && value->is_null()) {
    return in.refuse_type("grammar.value", is_schema ? "a schema" : "a string", *value);
  }
  auto asked = read_format(*grammar, "grammar");
  if (!asked.is_ok()) {
    if (asked.error().code == kSchemaMissing) {
      return in.fail(tgi_missing_field("parameters." + asked.error().param));
    }
    return in.refuse("grammar", "grammar is not valid: " + asked.error().message);
  }
  request.grammar = std::move(*asked);
  if (!is_schema && kind != "regex") return;
  note_unread(*grammar, {"type", "value", "schema", "json_schema", "pattern", "regex", "strict",
                         "name", "description"}, "parameters.grammar", request);
  if (kind == "json_schema" && value != nullptr && value->find("schema") != nullptr) {
    note_unread(*value, {"name", "schema", "strict", "description"}, "parameters.grammar.value",
                request);
  }
}

void refuse_by_name(Parameters& in) {
  if (in.boolean("watermark").value_or(false)) {
    in.refuse("watermark", "`watermark` is not supported: this server marks no text");
  }
  const Json* adapter = in.any("adapter_id");
  if (adapter == nullptr) return;
  if (!adapter->is_string()) return in.refuse_type("adapter_id", "a string", *adapter);
  in.refuse("adapter_id",
            fmt::format("`adapter_id` is not supported: a model has its adapters when it is loaded "
                        "(quire serve --adapter). Given: {}", shown(*adapter)));
}

void read_parameters(Parameters& in, const TgiBounds& bounds, bool draws_by_default,
                     TgiRequest& request) {
  read_drawing(in, draws_by_default, request);
  read_penalties(in, request.params);
  read_best_of(in, bounds, request);
  read_seed(in, request);
  if (request.best_of > 1 && !request.is_sampling) {
    const bool has_temperature = in.any("temperature") != nullptr;
    if (!has_temperature) {
      in.refuse("best_of", "you must use sampling when `best_of` is > 1");
    } else {
      request.is_sampling = true;  // a temperature of 1 counts here
      request.params.temperature = 1;
    }
  }
  read_stops(in, bounds, request.params);
  read_lengths(in, bounds, request);
  read_details(in, bounds, request);
  request.returns_full_text = in.boolean("return_full_text");
  read_grammar(in, bounds, request);
  refuse_by_name(in);
}

// What nobody read does nothing and is named.
void warn_of_unknown(const std::vector<std::string>& unknown, const char* prefix,
                     std::vector<std::string>& warnings) {
  for (const std::string& name : unknown) {
    if (warnings.size() < kWarningsMax) warnings.push_back(prefix + name.substr(0, kNameShown));
  }
}

void read_inputs(Fields& fields, TgiRequest& request) {
  const Json* inputs = fields.any("inputs");
  if (inputs == nullptr) return fields.fail(tgi_missing_field("inputs"));
  if (!inputs->is_string()) return fields.fail(tgi_wrong_type("inputs", "a string", *inputs));
  if (inputs->as_string().empty()) {
    return fields.fail(tgi_validation("inputs", "`inputs` cannot be empty"));
  }
  request.inputs = inputs->as_string();
}

}  // namespace

TgiBounds tgi_bounds(const DialectContext& context, const HostedModel& model) {
  TgiBounds bounds{.limits = client_limits_of(context)};
  const auto least = [](std::int64_t asked, std::int64_t most) {
    return asked > 0 ? std::min(asked, most) : most;
  };
  bounds.total_max = least(bounds.limits.total_tokens_max, model.info.context_max);
  bounds.input_max = least(bounds.limits.input_tokens_max,
                           std::max<std::int64_t>(bounds.total_max - 1, 1));
  return bounds;
}

std::string first_tgi_model(const ModelHost& host) {
  for (const ModelRow& row : served_rows(host)) {
    const bool was_loaded = row.info.context_max > 0;
    if (!was_loaded || row.info.generates) return served_names(row).front();
  }
  return first_served_name(host).value_or("");
}

Parsed<ModelLease> lease_tgi_model(const DialectContext& context, const Json& body) {
  const Json* name = body.find("model");
  if (name != nullptr && !name->is_null() && !name->is_string()) {
    return tgi_wrong_type("model", "a string", *name);
  }
  const bool is_named = name != nullptr && name->is_string();
  const std::string asked = is_named ? name->as_string() : first_tgi_model(*context.models.host);
  Parsed<ModelLease> model = lease_model(context.models, asked);
  if (!model.is_ok()) return model.error();
  if (auto refusal = refuse_without(**model, Skill::kGenerate)) {
    return tgi_validation("model", refusal->message);
  }
  return model;
}

Parsed<TgiRequest> read_tgi_request(const DialectContext& context, const Json& body,
                                    TgiDelivery delivery) {
  Fields fields(body);
  if (!body.is_object()) return tgi_wrong_type("body", "struct GenerateRequest", body);
  TgiRequest request;
  request.params.seed = default_sampling(nullptr).seed;  // chance
  const Json* parameters = fields.any("parameters");
  const Json* stream = fields.any("stream");
  fields.any("model");
  fields.any("options");  // of the hosted service: a cache and patience, which change no answer
  read_inputs(fields, request);
  if (stream != nullptr && !stream->is_bool()) {
    fields.fail(tgi_wrong_type("stream", "a boolean", *stream));
  }
  const bool asks_for_stream = stream != nullptr && stream->is_bool() && stream->as_bool();
  request.is_stream = delivery == TgiDelivery::kStream ||
                      (delivery == TgiDelivery::kAsAsked && asks_for_stream);
  if (parameters != nullptr && !parameters->is_object()) {
    fields.fail(tgi_wrong_type("parameters", "struct GenerateParameters", *parameters));
  }
  if (fields.error()) return *fields.error();

  Parsed<ModelLease> model = lease_tgi_model(context, body);
  if (!model.is_ok()) return model.error();
  request.model = *model;
  const TgiBounds bounds = tgi_bounds(context, *request.model);
  const Json none = Json::object();
  Parameters in(fields, parameters != nullptr ? *parameters : none);
  read_parameters(in, bounds, parameters == nullptr, request);
  if (fields.error()) return *fields.error();
  const bool streams_elsewhere = asks_for_stream && delivery == TgiDelivery::kWhole;
  if (streams_elsewhere) {
    request.notes.push_back({"no_effect", "stream", "This route answers as a whole; "
                                                    "/generate_stream and / stream."});
  }
  warn_of_unknown(fields.unknown(), "", request.warnings);
  warn_of_unknown(in.unknown(), "parameters.", request.warnings);
  return request;
}

Parsed<std::vector<TokenId>> encode_tgi_inputs(const TgiRequest& request) {
  Result<std::vector<TokenId>> ids = request.model->tokenizer->encode(
      request.inputs, {.add_special = true, .parse_special = true});
  if (!ids.is_ok()) {
    return tgi_validation("inputs", "`inputs` cannot be tokenized: " + ids.status().message());
  }
  const auto keep = static_cast<std::size_t>(request.truncate.value_or(kInt64Max));
  if (ids->size() > keep) ids->erase(ids->begin(), ids->end() - static_cast<std::ptrdiff_t>(keep));
  return std::move(*ids);
}

}  // namespace quire
