// Opens a folder of quantized tensors without a model around them, and reads a weight out of it:
// the type that it is held in, and its values. The few block types that quantized checkpoints turn
// into are written out here once more, so that no reader is tested against itself.
// Header only, test code only.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/testing/quantized_writer.h"
#include "formats/testing/temp_folder.h"
#include "tensor/quant_blocks.h"

namespace quire::testing {

inline Result<Checkpoint> open_quantized(const TempFolder& folder, const std::string& config,
                                         const std::vector<TensorPart>& parts) {
  folder.write("config.json",
               R"({"model_type":"llama","vocab_size":8,"quantization_config":)" + config + "}");
  SafetensorsWriter writer;
  add_parts(parts, writer);
  folder.write("model.safetensors", writer.bytes());
  return Checkpoint::open(folder.path());
}

inline std::string quantized_refusal(const TempFolder& folder, const std::string& config,
                                     const std::vector<TensorPart>& parts) {
  const auto checkpoint = open_quantized(folder, config, parts);
  return checkpoint.is_ok() ? "accepted" : checkpoint.status().message();
}

// The values of one row. REQUIRES: Q4_0, Q5_0, Q8_0 or BF16.
inline void append_row(DType dtype, const std::byte* row, std::size_t columns,
                       std::vector<float>& out) {
  if (dtype == DType::kBF16) {
    for (std::size_t i = 0; i < columns; ++i) {
      std::uint16_t bits;
      std::memcpy(&bits, row + 2 * i, sizeof(bits));
      out.push_back(bf16_to_float(bits));
    }
    return;
  }
  const std::size_t size = dtype_info(dtype).block_bytes;
  for (std::size_t block = 0; block < columns / 32; ++block) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(row) + block * size;
    const float scale = half_to_float(static_cast<std::uint16_t>(bytes[0] | bytes[1] << 8));
    for (int i = 0; i < 32; ++i) {
      int code = 0;
      if (dtype == DType::kQ8_0) {
        code = static_cast<std::int8_t>(bytes[2 + i]);
      } else {
        const std::uint8_t pair = bytes[(dtype == DType::kQ4_0 ? 2 : 6) + i % 16];
        code = i < 16 ? pair & 15 : pair >> 4;
        if (dtype == DType::kQ5_0) code += (bytes[2 + i / 8] >> (i % 8) & 1) * 16;
        code -= dtype == DType::kQ4_0 ? 8 : 16;
      }
      out.push_back(scale * static_cast<float>(code));
    }
  }
}

inline std::vector<float> late_values(const Checkpoint& checkpoint, const std::string& name) {
  const TensorView& view = checkpoint.tensors.at(name);
  const std::byte* data = checkpoint.late.at(name)->bytes();
  std::vector<float> values;
  for (std::size_t row = 0; row < view.rows(); ++row) {
    append_row(view.dtype, data + row * row_bytes(view.dtype, view.columns()), view.columns(),
               values);
  }
  return values;
}

// What a weight of these values is when each is rounded to BF16.
inline std::vector<float> rounded_values(const QuantizedMatrix& matrix) {
  std::vector<float> values = matrix.values();
  for (float& value : values) value = bf16_to_float(float_to_bf16(value));
  return values;
}

}  // namespace quire::testing
