// Files of models as a stranger wrote them: whole GGUF and safetensors files, and config.json
// beside weights that are in order. Whatever opens has tensors whose bytes are there, and a
// tokenizer that is written or refused.
#include <fmt/format.h>

#include "formats/checkpoint.h"
#include "formats/config/hf_config.h"
#include "formats/containers/gguf_parse.h"
#include "formats/containers/safetensors.h"
#include "formats/testing/tiny_models.h"
#include "target.h"
#include "targets/targets.h"

namespace quire::fuzz {
namespace {

// Reads the first and the last byte.
void touch(const std::byte* data, std::size_t size) {
  if (data == nullptr || size == 0) return;
  volatile std::byte sink = data[0];
  sink = data[size - 1];
  (void)sink;
}

std::string look_at(const Result<Checkpoint>& checkpoint) {
  if (!checkpoint.is_ok()) return fault_of(checkpoint.status());
  for (const auto& [name, tensor] : checkpoint->tensors) {
    if (tensor.shape.empty()) return "a tensor without a shape: " + name;
    touch(tensor.data, tensor.bytes());
    if (checkpoint->place) (void)checkpoint->place(tensor);
  }
  (void)checkpoint->fields.integer({"num_hidden_layers", "block_count"}, 1, 1000);
  (void)checkpoint->fields.number({"rms_norm_eps", "attention.layer_norm_rms_epsilon"}, 0, 1, 0.5);
  (void)checkpoint->fields.integers({"head_dims", "attention.head_count_kv"}, 0, 1000);
  std::string fault = fault_of(checkpoint->fields.status());
  if (fault.empty()) fault = fault_of(checkpoint->fields.check_all_used());
  if (!fault.empty() || !checkpoint->tokenizer_json) return fault;
  return fault_of(checkpoint->tokenizer_json().status());
}

}  // namespace

std::string gguf(std::string_view input) {
  const auto header = parse_gguf(std::as_bytes(std::span(input)));
  if (!header.is_ok()) return fault_of(header.status());
  return look_at(Checkpoint::open(write_input("model.gguf", input)));
}

std::string safetensors(std::string_view input) {
  const std::string path = write_input("safetensors/model.safetensors", input);
  for (const bool takes_integers : {false, true}) {
    const auto files = SafetensorsFiles::open(path, takes_integers);
    std::string fault = fault_of(files.status());
    if (!fault.empty()) return fault;
    if (!files.is_ok()) continue;
    for (const TensorView& tensor : files->tensors()) {
      touch(tensor.data, tensor.bytes());
      (void)files->offset_of(tensor);
    }
    for (const IntegerTensor& tensor : files->integers()) {
      std::size_t size = tensor.width;
      for (const std::size_t count : tensor.shape) size *= count;
      touch(tensor.data, size);
    }
  }
  static const std::string config =
      write_input("safetensors/config.json", testing::tiny_hf_config());
  return look_at(Checkpoint::open(input_folder() + "/safetensors"));
}

std::string config_json(std::string_view input) {
  static const std::string weights = write_input(
      "config/model.safetensors", testing::tiny_safetensors(testing::tiny_tensors()));
  write_input("config/config.json", input);
  return look_at(Checkpoint::open(input_folder() + "/config"));
}

}  // namespace quire::fuzz
