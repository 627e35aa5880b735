#include "serve/dialects/kserve/inference/generation_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "serve/intake/fields.h"

namespace quire {
namespace {

struct OtherName {
  std::string_view theirs, ours;
};
constexpr OtherName kOtherNames[] = {
    {"stop_words", "stop"}, {"random_seed", "seed"}, {"min_length", "min_tokens"},
    {"runtime_top_k", "top_k"}, {"runtime_top_p", "top_p"}, {"request_output_len", "max_tokens"}};

std::string_view our_name(std::string_view name) {
  for (const auto& [theirs, ours] : kOtherNames) {
    if (theirs == name) return ours;
  }
  return name;
}

// Values that the vLLM backend reads from strings.
constexpr std::string_view kNumeric[] = {
    "temperature", "top_p", "top_k", "min_p", "max_tokens", "min_tokens", "seed", "n", "best_of",
    "repetition_penalty", "presence_penalty", "frequency_penalty", "logprobs", "length_penalty",
    "ignore_eos", "skip_special_tokens", "include_stop_str_in_output", "use_beam_search"};

Json unquoted(std::string_view name, const Json& value) {
  const bool is_numeric = std::find(std::begin(kNumeric), std::end(kNumeric), name) !=
                          std::end(kNumeric);
  if (!is_numeric || !value.is_string()) return value;
  const std::string& text = value.as_string();
  if (text == "True" || text == "False") return Json(text == "True");
  const Result<Json> plain = parse_json(text);
  return plain.is_ok() && (plain->is_number() || plain->is_bool()) ? *plain : value;
}

bool is_list_input(std::string_view name) {
  return our_name(name) == "stop" || name == "bad_words";
}

// As clients of TensorRT-LLM send words that are none: "" or [""].
Json without_empty(const Json& words) {
  Json kept = Json::array();
  for (const Json& word : words.is_array() ? words.items() : std::vector<Json>{words}) {
    if (!word.is_string() || !word.as_string().empty()) kept.push(word);
  }
  return kept;
}

// All 64 bits are a seed, also those that a signed number has not.
Json as_seed(const Json& value) {
  return value.kind() == Json::Kind::kUint ? Json(static_cast<std::int64_t>(value.as_uint()))
                                           : value;
}

// False: it is there already.
std::optional<ApiError> add(GenerationFields& row, std::string_view name, Json value) {
  const std::string_view ours = our_name(name);
  if (row.object.find(ours) != nullptr) {
    return invalid_value(std::string(name), fmt::format("'{}' is given twice", name));
  }
  if (ours != name) row.sent_as.push_back({std::string(ours), std::string(name)});
  row.object.set(std::string(ours), ours == "seed" ? as_seed(value) : std::move(value));
  return std::nullopt;
}

Json json_of(const InferParameter& value) {
  return std::visit([](const auto& it) { return Json(it); }, value);
}

// Words for all rows alike: without a dimension of the batch, or with one that is 1.
bool is_shared(const NamedTensor& input) {
  return input.shape.size() < 2 || input.shape.front() == 1;
}

// The elements of an input that are those of one row.
Json row_of(const NamedTensor& input, const std::vector<Json>& all, std::size_t row,
            std::size_t batch) {
  if (!is_list_input(input.name)) return all[all.size() == 1 ? 0 : row];
  if (is_shared(input) || batch == 1) return Json::array(all);
  const auto count = static_cast<std::ptrdiff_t>(all.size() / batch);
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(row) * count;
  return Json::array({begin, begin + count});
}

std::vector<Json> values_of(const NamedTensor& input) {
  std::vector<Json> all;
  if (input.type == TensorType::kBytes) {
    for (const std::string_view text : texts_of(input)) all.emplace_back(text);
  } else if (input.type == TensorType::kFp32) {
    for (const double number : numbers_of(input)) all.emplace_back(number);
  } else {
    const bool is_bool = input.type == TensorType::kBool;
    for (const std::int64_t number : integers_of(input)) {
      is_bool ? all.emplace_back(number != 0) : all.emplace_back(number);
    }
  }
  return all;
}

std::optional<ApiError> add_sampling(const Json& text, GenerationFields& row) {
  const auto refuse = [](std::string_view why) {
    return invalid_value("sampling_parameters",
                         fmt::format("input 'sampling_parameters' must be the text of a JSON "
                                     "object: {}", why));
  };
  if (!text.is_string()) return refuse("it is no text");
  if (text.as_string().empty()) return std::nullopt;
  const Result<Json> members = parse_json(text.as_string());
  if (!members.is_ok()) return refuse(members.status().message());
  if (!members->is_object()) return refuse(fmt::format("it is {}", kind_name(members->kind())));
  for (const auto& [name, value] : members->members()) {
    if (auto fault = add(row, name, unquoted(name, value))) return fault;
  }
  return std::nullopt;
}

// TensorRT-LLM's two inputs as one of vLLM's fields.
std::optional<ApiError> settle_guide(GenerationFields& row) {
  const Json& object = row.object;
  const Json* type = object.find("guided_decoding_guide_type");
  const Json* guide = object.find("guided_decoding_guide");
  if (type == nullptr && guide == nullptr) return std::nullopt;
  const std::string kind = type != nullptr && type->is_string() ? type->as_string() : "";
  const std::string_view member = kind == "json"           ? "json_object"
                                  : kind == "json_schema"  ? "json"
                                  : kind == "regex"        ? "regex"
                                  : kind == "ebnf_grammar" ? "grammar"
                                                           : "";
  if (member.empty() || (guide == nullptr && kind != "json")) {
    return invalid_value("guided_decoding_guide_type", fmt::format(
        "'guided_decoding_guide_type' must be json, json_schema, regex or ebnf_grammar, beside a "
        "'guided_decoding_guide', got '{}'", kind));
  }
  Json outputs = Json::object();
  outputs.set(std::string(member), kind == "json" ? Json(true) : *guide);
  Json settled = Json::object();
  for (const auto& [name, value] : object.members()) {
    if (!name.starts_with("guided_decoding_guide")) settled.set(name, value);
  }
  row.object = std::move(settled);
  row.sent_as.push_back({"structured_outputs", "guided_decoding_guide"});
  return add(row, "structured_outputs", std::move(outputs));
}

std::optional<ApiError> settle_end(GenerationFields& row) {
  const Json* end = row.object.find("end_id");
  if (end == nullptr) return std::nullopt;
  Json ids = Json::array({*end});
  Json settled = Json::object();
  for (const auto& [name, value] : row.object.members()) {
    if (name != "end_id") settled.set(name, value);
  }
  row.object = std::move(settled);
  if (row.object.find("stop_token_ids") == nullptr) {
    row.sent_as.push_back({"stop_token_ids", "end_id"});
  }
  return add(row, "stop_token_ids", std::move(ids));
}

// An input and its elements, or those of each row.
struct Elements {
  const NamedTensor* input;
  std::vector<Json> all;
};

// Refused before anything is made of its elements: a length that goes with no number of rows.
Parsed<Elements> elements_of(const NamedTensor& input, std::size_t batch) {
  constexpr std::size_t kListMax = 64;  // of one row
  Parsed<std::size_t> count = count_elements(input.name, input.shape);
  if (!count.is_ok()) return count.error();
  const bool is_list = is_list_input(input.name);
  const bool has_rows = is_list ? is_shared(input) ||
                                      static_cast<std::size_t>(input.shape[0]) == batch
                                : *count == 1 || *count == batch;
  if (!has_rows) {
    return invalid_value(input.name, fmt::format(
        "input '{}' batch size does not match other inputs: shape {} for {} texts", input.name,
        shape_text(input.shape), batch));
  }
  if (is_list && *count > kListMax * (is_shared(input) ? 1 : batch)) {
    return invalid_value(input.name, fmt::format("input '{}' has more than {} elements for a text",
                                                 input.name, kListMax));
  }
  return Elements{&input, values_of(input)};
}

Parsed<GenerationFields> fields_of_row(const std::vector<Elements>& inputs,
                                       const InferParameters& rest, std::size_t row,
                                       std::size_t batch) {
  GenerationFields made;
  const auto take = [&](const std::string& name, Json value) -> std::optional<ApiError> {
    if (name == "sampling_parameters") return add_sampling(value, made);
    const bool is_words = is_list_input(name) && (value.is_array() || value.is_string());
    if (is_words) value = without_empty(value);
    if (is_words && value.items().empty()) return std::nullopt;
    return add(made, name, std::move(value));
  };
  for (const auto& [input, all] : inputs) {
    if (auto fault = take(input->name, row_of(*input, all, row, batch))) return *fault;
  }
  for (const auto& [name, value] : rest.all()) {
    if (auto fault = take(name, unquoted(our_name(name), json_of(value)))) return *fault;
  }
  if (auto fault = settle_guide(made)) return *fault;
  if (auto fault = settle_end(made)) return *fault;
  return made;
}

}  // namespace

Parsed<std::vector<GenerationFields>> generation_fields(const InferRequest& request,
                                                        const InferParameters& rest,
                                                        std::size_t batch) {
  std::vector<Elements> inputs;
  for (const NamedTensor& input : request.inputs) {
    if (input.name == "text_input") continue;
    auto elements = elements_of(input, batch);
    if (!elements.is_ok()) return elements.error();
    inputs.push_back(std::move(*elements));
  }
  std::vector<GenerationFields> rows;
  for (std::size_t row = 0; row < batch; ++row) {
    auto fields = fields_of_row(inputs, rest, row, batch);
    if (!fields.is_ok()) return fields.error();
    rows.push_back(std::move(*fields));
  }
  return rows;
}

ApiError told_as_sent(ApiError error, const GenerationFields& row) {
  const auto is_word = [](char c) {
    return c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0;
  };
  for (const auto& [ours, theirs] : row.sent_as) {
    if (error.param != ours && !error.param.starts_with(ours + ".")) continue;
    error.param.replace(0, ours.size(), theirs);
    std::string& text = error.message;
    for (std::size_t at = text.find(ours); at != text.npos; at = text.find(ours, at)) {
      const std::size_t end = at + ours.size();
      const bool is_whole = (at == 0 || !is_word(text[at - 1])) &&
                            (end == text.size() || !is_word(text[end]));
      if (is_whole) text.replace(at, ours.size(), theirs);
      at += is_whole ? theirs.size() : ours.size();
    }
    break;
  }
  return error;
}

}  // namespace quire
