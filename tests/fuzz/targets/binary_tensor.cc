// The body of an inference over HTTP: JSON, and behind it tensors as bytes. The first two bytes say
// how long the JSON is (little endian; 65535: no header says it). Of a tensor that passes the check
// of its bytes, as many elements can be taken as its shape has.
#include <string>

#include "serve/dialects/kserve/infer_json.h"
#include "target.h"
#include "targets/targets.h"

namespace quire::fuzz {
namespace {

std::string look_at(const NamedTensor& tensor) {
  if (const auto fault = check_tensor_bytes(tensor)) {
    return fault->message.empty() ? "refused without a word" : "";
  }
  Parsed<std::size_t> count = count_elements(tensor.name, tensor.shape);
  if (!count.is_ok()) return "bytes were checked of a shape that is none";
  std::size_t taken = 0;
  switch (tensor.type) {
    case TensorType::kBytes: taken = texts_of(tensor).size(); break;
    case TensorType::kFp32:
    case TensorType::kFp64: taken = numbers_of(tensor).size(); break;
    case TensorType::kFp16:
    case TensorType::kBf16: return "";
    default: taken = integers_of(tensor).size();
  }
  return taken == *count ? "" : "more or fewer elements than its shape has";
}

}  // namespace

std::string binary_tensor(std::string_view input) {
  if (input.size() < 2) return "";
  const unsigned length = static_cast<unsigned char>(input[0]) +
                          256u * static_cast<unsigned char>(input[1]);
  http::Request request;
  request.method = "POST";
  request.path = "/v2/models/m/infer";
  if (length != 65535) {
    request.headers.push_back({std::string(kInferHeaderLength), std::to_string(length)});
  }
  request.body = input.substr(2);
  Parsed<HttpInfer> body = read_infer_body(request, length % 2 == 0);
  if (!body.is_ok()) {
    const ApiError& error = body.error();
    // 501: what this server does not have, by name.
    const bool is_refusal = (error.status >= 400 && error.status < 500) || error.status == 501;
    const bool is_told = is_refusal && !error.message.empty();
    return is_told ? "" : "status " + std::to_string(error.status) + " " + error.message;
  }
  for (const NamedTensor& tensor : body->request.inputs) {
    std::string fault = look_at(tensor);
    if (!fault.empty()) return fault;
  }
  return "";
}

}  // namespace quire::fuzz
