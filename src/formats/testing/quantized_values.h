// Opens a folder of quantized tensors without a model around them, and reads a weight out of it:
// the type that it is held in, and its values. The few block types that quantized checkpoints turn
// into are written out here once more, so that no reader is tested against itself.
// Header only, test code only.
#pragma once

#include <cmath>
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

// Small floats and codebooks: the nibbles of `half` values lie below those of the next.
inline void append_nibbles(const std::uint8_t* bytes, std::size_t half, const float (&values)[16],
                           float scale, std::vector<float>& out) {
  for (std::size_t i = 0; i < half; ++i) out.push_back(scale * values[bytes[i] & 15]);
  for (std::size_t i = 0; i < half; ++i) out.push_back(scale * values[bytes[i] >> 4]);
}
inline void append_float_row(DType dtype, const std::byte* row, std::size_t columns,
                             std::vector<float>& out) {
  constexpr float kSmall[16] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6,
                                0, -0.5f, -1, -1.5f, -2, -3, -4, -6};
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(row);
  if (dtype == DType::kMXFP4) {
    for (std::size_t i = 0; i < columns / 32; ++i, bytes += 17) {
      append_nibbles(bytes + 1, 16, kSmall, std::ldexp(1.0f, bytes[0] - 127), out);
    }
    return;
  }
  for (std::size_t i = 0; i < columns / 64; ++i, bytes += 36) {
    if (dtype == DType::kNVFP4) {
      for (std::size_t part = 0; part < 4; ++part) {
        append_nibbles(bytes + 4 + 8 * part, 8, kSmall, e4m3_to_float(bytes[part]), out);
      }
      continue;
    }
    float scale;
    std::memcpy(&scale, bytes, sizeof scale);
    for (std::size_t half = 0; half < 2; ++half) {
      append_nibbles(bytes + 4 + 16 * half, 16, dtype == DType::kNF4 ? kValuesNF4 : kValuesFP4,
                     scale, out);
    }
  }
}

// The values of one row. REQUIRES: a type that quantized checkpoints turn into, without scales.
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
  if (dtype == DType::kNF4 || dtype == DType::kFP4 || dtype == DType::kMXFP4 ||
      dtype == DType::kNVFP4) {
    return append_float_row(dtype, row, columns, out);
  }
  if (dtype == DType::kTQ2_0) {  // four codes a byte, 32 bytes for 128 of them; then the scale
    for (std::size_t i = 0; i < columns; ++i) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(row) + i / 256 * 66;
      const float scale = half_to_float(static_cast<std::uint16_t>(bytes[64] | bytes[65] << 8));
      const int code = bytes[i % 256 / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
      out.push_back(scale * static_cast<float>(code - 1));
    }
    return;
  }
  if (dtype == DType::kQ4_F) {
    for (std::size_t i = 0; i < columns; ++i) {
      const std::byte* bytes = row + i / 64 * 40;
      float numbers[2];
      std::memcpy(numbers, bytes, sizeof numbers);
      const auto pair = static_cast<int>(bytes[8 + i % 64 / 32 * 16 + i % 16]);
      const int code = i % 32 < 16 ? pair & 15 : pair >> 4;
      out.push_back(numbers[0] * static_cast<float>(code) + numbers[1]);
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
        const int first = dtype == DType::kQ4_0 ? 2 : dtype == DType::kQ4_Z ? 4 : 6;
        const std::uint8_t pair = bytes[first + i % 16];
        code = i < 16 ? pair & 15 : pair >> 4;
        if (dtype == DType::kQ5_0) code += (bytes[2 + i / 8] >> (i % 8) & 1) * 16;
        code -= dtype == DType::kQ4_0 ? 8 : dtype == DType::kQ4_Z ? bytes[2] : 16;
      }
      out.push_back(scale * static_cast<float>(code));
    }
  }
}

inline std::vector<float> late_values(const Checkpoint& checkpoint, const std::string& name) {
  const TensorView& view = checkpoint.tensors.at(name);
  const auto late = checkpoint.late.find(name);
  const std::byte* data = late == checkpoint.late.end() ? view.data : late->second->bytes();
  std::vector<float> values;
  for (std::size_t row = 0; row < view.rows(); ++row) {
    const std::byte* bytes = data + row * row_bytes(view.dtype, view.columns());
    const std::size_t begin = values.size();
    if (view.dtype == DType::kF8 || view.dtype == DType::kI8A16 || view.dtype == DType::kI8) {
      for (std::size_t i = 0; i < view.columns(); ++i) {
        const auto code = static_cast<std::uint8_t>(bytes[i]);
        values.push_back(view.dtype == DType::kF8 ? e4m3_to_float(code)
                                                  : static_cast<std::int8_t>(code));
      }
    } else {
      append_row(view.dtype, bytes, view.columns(), values);
    }
    for (std::size_t i = begin; view.scales && i < values.size(); ++i) {
      values[i] *= view.scales.at(row, i - begin, view.columns());
    }
    if (view.input.order == nullptr) continue;
    const std::vector<float> codes(values.begin() + static_cast<std::ptrdiff_t>(begin),
                                   values.end());
    for (std::size_t i = 0; i < codes.size(); ++i) values[begin + view.input.order[i]] = codes[i];
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
