// The header of one GGUF file (version 2 or 3, little endian): metadata entries and tensor
// descriptions, as views into the mapped bytes. Nothing in the file is trusted: every count is
// compared with the bytes that are left before it is believed, every product is checked, memory
// grows with entries really met. Values are located here, not copied; gguf.h reads them.
// Pure function; any thread. Called by gguf.cc only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/tensor.h"

namespace quire {

enum class GgufType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};
std::string_view gguf_type_name(GgufType type);

// A metadata value, by its place in the file.
struct GgufEntry {
  std::string_view key;
  GgufType type = GgufType::kU8;
  GgufType element_type = GgufType::kU8;  // of an array
  std::uint64_t count = 1;                // elements of an array
  std::size_t offset = 0;  // of the value in the file; of an array: its first element
};

struct GgufHeader {
  std::uint32_t version = 0;
  std::vector<GgufEntry> entries;   // sorted by key
  std::vector<TensorView> tensors;  // in the order of the file
  std::size_t data_offset = 0;      // where tensor data begins
  std::size_t data_end = 0;         // behind the last tensor; more bytes than that are not ours
};

inline constexpr std::string_view kGgufMagic = "GGUF";

// Errors name the field and its offset.
Result<GgufHeader> parse_gguf(std::span<const std::byte> file);

}  // namespace quire
