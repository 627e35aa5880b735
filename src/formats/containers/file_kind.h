// What kind of model a path holds, told by its first bytes (never by its name alone): a name only
// decides which reader explains a file that is none of them.
// Pure function of the file; any thread. Used by checkpoint and describe.
#pragma once

#include <string>

#include "base/status.h"

namespace quire {

enum class FileKind {
  kDirectory,  // Hugging Face
  kGguf,
  kSafetensors,       // one file; no model without its directory
  kSafetensorsIndex,  // model.safetensors.index.json
  kLlama2c,
};

// An error if it is none; a PyTorch pickle is refused by name.
Result<FileKind> find_file_kind(const std::string& path);

}  // namespace quire
