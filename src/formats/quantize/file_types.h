// FileType: a way to quantize a whole model, as GGUF files number it (general.file_type) and people
// name it: "Q4_K_M". Most tensors get its type; mixture.h says which get another.
// The table is the only list. Plain values; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "tensor/dtype.h"

namespace quire {

struct FileType {
  std::string_view name;
  std::uint32_t number;
  DType dtype;           // of most of its matrices
  bool is_made = false;  // by this program

  bool is_float() const { return dtype_info(dtype).block_elements == 1; }
};

// What a client wrote, in any case ("q4_K_M"; "q4_K" means the same): kInvalidArgument names those
// that can be made.
Result<FileType> parse_file_type(std::string_view name);

// Empty: the number is not known.
std::string_view file_type_name(std::uint64_t number);

}  // namespace quire
