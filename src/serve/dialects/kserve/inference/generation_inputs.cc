#include "serve/dialects/kserve/inference/generation_inputs.h"

#include <fmt/format.h>

#include <algorithm>

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

// False: it is there already.
std::optional<ApiError> add(Json& object, std::string_view name, Json value) {
  const std::string_view ours = our_name(name);
  if (object.find(ours) != nullptr) {
    return invalid_value(std::string(name), fmt::format("'{}' is given twice", name));
  }
  object.set(std::string(ours), std::move(value));
  return std::nullopt;
}

Json json_of(const InferParameter& value) {
  return std::visit([](const auto& it) { return Json(it); }, value);
}

bool is_list_input(std::string_view name) {
  return our_name(name) == "stop" || name == "bad_words";
}

// The elements of an input that are those of one row.
Json row_of(const NamedTensor& input, const std::vector<Json>& all, std::size_t row,
            std::size_t batch) {
  if (!is_list_input(input.name)) return all[all.size() == 1 ? 0 : row];
  if (input.shape.size() == 1 || batch == 1) return Json::array(all);
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

std::optional<ApiError> add_sampling(const Json& text, Json& object) {
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
    if (auto fault = add(object, name, unquoted(name, value))) return fault;
  }
  return std::nullopt;
}

// TensorRT-LLM's two inputs as one of vLLM's fields.
std::optional<ApiError> settle_guide(Json& object) {
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
  object = std::move(settled);
  return add(object, "structured_outputs", std::move(outputs));
}

std::optional<ApiError> settle_end(Json& object) {
  const Json* end = object.find("end_id");
  if (end == nullptr) return std::nullopt;
  Json ids = Json::array({*end});
  Json settled = Json::object();
  for (const auto& [name, value] : object.members()) {
    if (name != "end_id") settled.set(name, value);
  }
  object = std::move(settled);
  return add(object, "stop_token_ids", std::move(ids));
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
  const bool is_shared = is_list && input.shape.size() == 1;  // by all rows
  const bool has_rows = is_list ? is_shared ||
                                      static_cast<std::size_t>(input.shape[0]) == batch
                                : *count == 1 || *count == batch;
  if (!has_rows) {
    return invalid_value(input.name, fmt::format(
        "input '{}' batch size does not match other inputs: shape {} for {} texts", input.name,
        shape_text(input.shape), batch));
  }
  if (is_list && *count > kListMax * (is_shared ? 1 : batch)) {
    return invalid_value(input.name, fmt::format("input '{}' has more than {} elements for a text",
                                                 input.name, kListMax));
  }
  return Elements{&input, values_of(input)};
}

Parsed<Json> object_of_row(const std::vector<Elements>& inputs, const InferParameters& rest,
                           std::size_t row, std::size_t batch) {
  Json object = Json::object();
  for (const auto& [input, all] : inputs) {
    Json value = row_of(*input, all, row, batch);
    const bool is_sampling = input->name == "sampling_parameters";
    auto fault = is_sampling ? add_sampling(value, object)
                             : add(object, input->name, std::move(value));
    if (fault) return *fault;
  }
  for (const auto& [name, value] : rest.all()) {
    const bool is_sampling = name == "sampling_parameters";
    auto fault = is_sampling ? add_sampling(json_of(value), object)
                             : add(object, name, unquoted(our_name(name), json_of(value)));
    if (fault) return *fault;
  }
  if (auto fault = settle_guide(object)) return *fault;
  if (auto fault = settle_end(object)) return *fault;
  return object;
}

}  // namespace

Parsed<std::vector<Json>> generation_objects(const InferRequest& request,
                                             const InferParameters& rest, std::size_t batch) {
  std::vector<Elements> inputs;
  for (const NamedTensor& input : request.inputs) {
    if (input.name == "text_input") continue;
    auto elements = elements_of(input, batch);
    if (!elements.is_ok()) return elements.error();
    inputs.push_back(std::move(*elements));
  }
  std::vector<Json> rows;
  for (std::size_t row = 0; row < batch; ++row) {
    auto object = object_of_row(inputs, rest, row, batch);
    if (!object.is_ok()) return object.error();
    rows.push_back(std::move(*object));
  }
  return rows;
}

}  // namespace quire
