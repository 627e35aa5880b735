#include "serve/dialects/kserve/light/step_exchange.h"

#include <fmt/format.h>

#include <charconv>
#include <sstream>

#include "base/json.h"
#include "serve/dialects/kserve/infer_json.h"
#include "serve/dialects/kserve/response_json.h"
#include "serve/intake/fields.h"

namespace quire {
namespace {

constexpr const char* kUnknownParameters = "quire_unknown_parameters";

ApiError unreadable(std::string_view why) {
  return {.status = 500,
          .message = fmt::format("its answer cannot be read: {}", why),
          .type = "server_error"};
}

StepNote read_note(const std::vector<http::Header>& headers) {
  StepNote note;
  for (const http::Header& header : headers) {
    if (header.name != kStepNoteHeader) continue;
    std::int64_t nanos = 0;
    const char* end = header.value.data() + header.value.size();
    std::from_chars(header.value.data(), end, nanos);
    note = {.computed = Nanos{nanos}, .is_repeatable = header.value.ends_with(" 1")};
  }
  return note;
}

std::size_t number_of(const std::vector<http::Header>& headers, std::string_view name) {
  std::size_t number = 0;
  for (const http::Header& header : headers) {
    if (header.name != name) continue;
    std::from_chars(header.value.data(), header.value.data() + header.value.size(), number);
  }
  return number;
}

ApiError error_of(const http::Response& head, std::string_view body) {
  ApiError error{.status = head.status, .message = "the request failed"};
  error.retry_after_s = static_cast<int>(number_of(head.headers, "retry-after"));
  Parsed<Json> json = read_json_body(std::string(body));
  const Json* told = json.is_ok() && json->is_object() ? json->find("error") : nullptr;
  if (told != nullptr && told->is_string()) error.message = told->as_string();
  return error;
}

// Of an output whose bytes stand behind the JSON; `bytes` loses them.
std::optional<NamedTensor> read_output(const Json& json, std::string_view& bytes) {
  const Json *name = json.find("name"), *type = json.find("datatype"), *shape = json.find("shape");
  const Json* parameters = json.find("parameters");
  const Json* size = parameters == nullptr ? nullptr : parameters->find("binary_data_size");
  const bool is_whole = name != nullptr && type != nullptr && shape != nullptr && size != nullptr;
  if (!is_whole || size->as_uint() > bytes.size()) return std::nullopt;
  const TensorTypeInfo* info = find_tensor_type(type->as_string());
  if (info == nullptr) return std::nullopt;
  NamedTensor tensor{.name = name->as_string(), .type = info->type};
  for (const Json& dim : shape->items()) tensor.shape.push_back(dim.as_int());
  tensor.bytes = bytes.substr(0, size->as_uint());
  bytes.remove_prefix(size->as_uint());
  return tensor;
}

}  // namespace

std::string step_note_text(const StepNote& note) {
  return fmt::format("{} {}", note.computed.count(), note.is_repeatable ? 1 : 0);
}

http::Request step_request(const StepQuestion& question) {
  std::string json = R"({"inputs":[)";
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < question.inputs.size(); ++i) {
    const StepInput& input = question.inputs[i];
    const NamedTensor head{.name = input.name, .type = input.tensor->type, .shape = input.shape};
    if (i > 0) json += ',';
    append_tensor_head(head, json);
    json += fmt::format(R"(,"parameters":{{"binary_data_size":{}}}}})",
                        input.tensor->bytes.size());
    bytes += input.tensor->bytes.size();
  }
  json += R"(],"outputs":[)";
  for (std::size_t i = 0; i < question.outputs.size(); ++i) {
    json += i > 0 ? R"(,{"name":)" : R"({"name":)";
    append_json_string(question.outputs[i], json);
    json += R"(,"parameters":{"binary_data":true}})";
  }
  json += R"(],"parameters":{)";
  bool is_first = true;
  for (const auto& [name, value] : question.parameters.all()) {
    if (!std::exchange(is_first, false)) json += ',';
    append_json_string(name, json);
    json += ':' + parameter_json(value);
  }
  json += "}}";
  http::Request request{.method = "POST", .path = "/v2/models/" + question.model};
  if (question.version > 0) request.path += fmt::format("/versions/{}", question.version);
  request.path += "/infer";
  request.headers = {{std::string(kInferHeaderLength), std::to_string(json.size())},
                     {std::string(kStepHeader), "1"}};
  request.body = std::move(json);
  request.body.reserve(request.body.size() + bytes);
  for (const StepInput& input : question.inputs) request.body += input.tensor->bytes;
  return request;
}

Parsed<StepAnswer> read_step_answer(const http::Response& head, std::string_view body) {
  if (head.status != 200) return error_of(head, body);
  const std::size_t json_size = number_of(head.headers, "Inference-Header-Content-Length");
  if (json_size == 0 || json_size > body.size()) return unreadable("it has no tensors");
  Parsed<Json> json = read_json_body(std::string(body.substr(0, json_size)));
  if (!json.is_ok()) return unreadable(json.error().message);
  std::string_view bytes = body.substr(json_size);
  StepAnswer answer{.note = read_note(head.headers)};
  const Json* version = json->find("model_version");
  if (version != nullptr && version->is_string()) answer.version = version->as_string();
  const Json* outputs = json->find("outputs");
  if (outputs == nullptr || !outputs->is_array()) return unreadable("it has no outputs");
  for (const Json& output : outputs->items()) {
    auto tensor = read_output(output, bytes);
    if (!tensor) return unreadable("of an output something is missing");
    answer.outputs.push_back(std::move(*tensor));
  }
  const Json* parameters = json->find("parameters");
  const Json* unknown = parameters == nullptr ? nullptr : parameters->find(kUnknownParameters);
  if (unknown != nullptr && unknown->is_string()) {
    std::istringstream names(unknown->as_string());
    for (std::string name; std::getline(names, name, ',');) {
      answer.unknown_parameters.push_back(name);
    }
  }
  return answer;
}

}  // namespace quire
