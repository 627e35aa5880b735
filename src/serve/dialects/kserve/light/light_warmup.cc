#include "serve/dialects/kserve/light/light_warmup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/file.h"
#include "serve/dialects/kserve/light/expression_step.h"
#include "serve/dialects/kserve/light/light_face.h"
#include "serve/dialects/kserve/light/tokenizer_step.h"

namespace quire {
namespace {

using Fault = std::optional<ApiError>;

std::uint64_t number_in(const Json& json, const char* name) {
  const Json* found = json.find(name);
  return found == nullptr ? 0 : found->as_uint();
}

bool is_set_in(const Json& json, const char* name) {
  const Json* found = json.find(name);
  return found != nullptr && found->is_bool() && found->as_bool();
}

std::string text_in(const Json& json, const char* name) {
  const Json* found = json.find(name);
  return found == nullptr ? std::string() : found->as_string();
}

const TensorTypeInfo* type_in(const Json& input) {
  for (const TensorTypeInfo& info : tensor_types()) {
    if (info.config_name == text_in(input, "data_type")) return &info;
  }
  return nullptr;
}

// Small enough for every type, and the same for every load.
std::string drawn_elements(TensorType type, std::size_t count) {
  std::string bytes;
  std::uint32_t state = 1;
  const std::size_t size = tensor_type_info(type).size;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    const std::uint32_t drawn = (state >> 16) & 0x7f;
    if (type == TensorType::kFp32) append_element(static_cast<float>(drawn) / 128, bytes);
    else if (type == TensorType::kFp64) append_element(drawn / 128.0, bytes);
    else if (type == TensorType::kBool) bytes += static_cast<char>(drawn & 1);
    else if (type == TensorType::kFp16 || type == TensorType::kBf16) bytes.append(size, '\0');
    else bytes.append(1, static_cast<char>(drawn)).append(size - 1, '\0');
  }
  return bytes;
}

// One text may stand in the file as it is.
bool is_one_element(const std::string& bytes) {
  std::uint32_t length = 0;
  if (bytes.size() < sizeof length) return false;
  std::memcpy(&length, bytes.data(), sizeof length);
  return bytes.size() == sizeof length + length;
}

Result<std::string> file_elements(const std::string& folder, const std::string& file,
                                  const TensorTypeInfo& info, std::size_t count) {
  if (file.find('/') != std::string::npos) {
    return error(StatusCode::kInvalidArgument, "'input_data_file' '{}' is no name of a file", file);
  }
  QUIRE_ASSIGN_OR_RETURN(std::string bytes,
                         read_file(folder + "/warmup/" + file, kWarmupBytesMax));
  if (info.type == TensorType::kBytes) {
    if (count != 1 || is_one_element(bytes)) return bytes;
    std::string element;
    append_text_element(bytes, element);
    return element;
  }
  if (bytes.size() < count * info.size) {
    return error(StatusCode::kInvalidArgument, "'input_data_file' '{}' has {} bytes where {} are "
                                               "expected", file, bytes.size(), count * info.size);
  }
  bytes.resize(count * info.size);
  return bytes;
}

// The elements of an input of batch 1.
Result<std::string> elements_of(const Json& input, const std::string& folder,
                                const TensorTypeInfo& info, std::size_t count) {
  const std::string file = text_in(input, "input_data_file");
  if (!file.empty()) return file_elements(folder, file, info, count);
  const bool is_drawn = is_set_in(input, "random_data");
  if (!is_drawn && !is_set_in(input, "zero_data")) {
    return Status(StatusCode::kInvalidArgument,
                  "one of 'zero_data', 'random_data' and 'input_data_file' must be set");
  }
  const std::size_t size = std::max<std::size_t>(info.size, sizeof(std::uint32_t));
  if (count > kWarmupBytesMax / size) {
    return error(StatusCode::kInvalidArgument, "'dims' ask for {} elements, more than {} bytes",
                 count, kWarmupBytesMax);
  }
  if (is_drawn && info.type != TensorType::kBytes) return drawn_elements(info.type, count);
  return std::string(count * (info.size == 0 ? sizeof(std::uint32_t) : info.size), '\0');
}

Result<NamedTensor> read_input(const LightModel& model, const std::string& folder,
                               const std::string& name, const Json& input, std::size_t batch) {
  const TensorTypeInfo* info = type_in(input);
  if (info == nullptr) return Status(StatusCode::kInvalidArgument, "'data_type' is missing");
  NamedTensor tensor{.name = name, .type = info->type};
  std::size_t count = 1;
  for (const Json& dim : input.find("dims")->items()) {
    if (dim.as_int() < 1 || dim.as_uint() > kTensorElementsMax / count) {
      return error(StatusCode::kInvalidArgument,
                   "'dims' has {}; they must be positive, and no more than {} elements",
                   dim.as_int(), kTensorElementsMax);
    }
    tensor.shape.push_back(dim.as_int());
    count *= dim.as_uint();
  }
  QUIRE_ASSIGN_OR_RETURN(const std::string elements, elements_of(input, folder, *info, count));
  if (elements.size() > kWarmupBytesMax / batch) {
    return error(StatusCode::kInvalidArgument, "it has {} bytes {} times, more than {}",
                 elements.size(), batch, kWarmupBytesMax);
  }
  for (std::size_t i = 0; i < batch; ++i) tensor.bytes += elements;
  const bool has_batch = model.config.batch_max > 0;
  if (has_batch) tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(batch));
  return tensor;
}

Fault run_once(const LightModel& model, const InferRequest& request) {
  if (model.kind == LightModel::Kind::kTokenizer) {
    auto made = run_tokenizer(model, request.inputs);
    return made.is_ok() ? std::nullopt : Fault(made.error());
  }
  auto made = run_expressions(model, request);
  return made.is_ok() ? std::nullopt : Fault(made.error());
}

Status run_entry(const LightModel& model, const std::string& folder, const Json& entry) {
  const std::uint64_t size = number_in(entry, "batch_size");
  const std::uint64_t count = std::max<std::uint64_t>(number_in(entry, "count"), 1);
  if (size == 0) return ok_status();
  if (size > kWarmupRunsMax || count > kWarmupRunsMax / size) {
    return error(StatusCode::kInvalidArgument, "it asks for {} requests of {}; at most {} of them "
                                               "together are possible", count, size,
                 kWarmupRunsMax);
  }
  const bool has_batch = model.config.batch_max > 0;
  InferRequest request{.model = model.name};
  for (const auto& [name, input] : entry.find("inputs")->members()) {
    Result<NamedTensor> read = read_input(model, folder, name, input, has_batch ? size : 1);
    if (!read.is_ok()) {
      return error(read.status().code(), "input '{}': {}", name, read.status().message());
    }
    request.inputs.push_back(std::move(*read));
  }
  // A face holds its model as long as it is there; this one's lives longer.
  const std::shared_ptr<const LightModel> here(std::shared_ptr<const LightModel>(), &model);
  Fault fault = check_light_face(face_of_light(here), request);
  for (std::uint64_t i = 0; !fault && i < (has_batch ? count : count * size); ++i) {
    fault = run_once(model, request);
  }
  return fault ? error(StatusCode::kInvalidArgument, "{}", fault->message) : ok_status();
}

}  // namespace

Status warm_light_model(const LightModel& model, const std::string& folder) {
  const Json* entries = model.config.json.find("model_warmup");
  if (model.kind == LightModel::Kind::kEnsemble || entries == nullptr) return ok_status();
  for (const Json& entry : entries->items()) {
    const Status run = run_entry(model, folder, entry);
    if (run.is_ok()) continue;
    return error(run.code(), "'model_warmup' '{}' failed: {}", text_in(entry, "name").substr(0, 64),
                 run.message());
  }
  return ok_status();
}

}  // namespace quire
