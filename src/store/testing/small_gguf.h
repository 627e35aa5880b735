// The bytes of a small GGUF file: F32 or F16 weights of a name that quantizing changes, and a norm.
// It opens as a file; no model is made of it.
// Header only, test code only.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "formats/testing/gguf_writer.h"

namespace quire::store::testing {

inline std::string small_gguf(std::size_t rows = 64, bool is_half = false) {
  constexpr std::size_t kColumns = 256;
  quire::testing::GgufWriter writer;
  writer.set("general.architecture", "llama").set("general.file_type", std::uint32_t{is_half});
  std::vector<float> values(rows * kColumns);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = 0.01f * static_cast<float>(static_cast<int>(i * 7919 % 101) - 50);
  }
  if (is_half) {
    writer.add_tensor("blk.0.ffn_up.weight", DType::kF16, {rows, kColumns},
                      std::string(rows * kColumns * 2, '\x11'));
  } else {
    writer.add_tensor("blk.0.ffn_up.weight", {rows, kColumns}, values);
  }
  writer.add_tensor("blk.0.ffn_norm.weight", {kColumns}, std::vector<float>(kColumns, 1.0f));
  return writer.bytes();
}

}  // namespace quire::store::testing
