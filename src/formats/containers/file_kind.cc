#include "formats/containers/file_kind.h"

#include <filesystem>
#include <string_view>

#include "base/file.h"
#include "formats/containers/gguf_parse.h"
#include "formats/containers/llama2c.h"
#include "formats/containers/safetensors.h"

namespace quire {

Result<FileKind> find_file_kind(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return FileKind::kDirectory;
  QUIRE_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  const auto bytes = file.bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with(kGgufMagic) || path.ends_with(".gguf")) return FileKind::kGguf;
  if (looks_like_safetensors(bytes) || path.ends_with(".safetensors")) {
    return FileKind::kSafetensors;
  }
  if (text.starts_with('{')) return FileKind::kSafetensorsIndex;
  if (text.starts_with("PK\x03\x04") || text.starts_with("\x80\x02")) {
    return error(StatusCode::kUnsupported,
                 "magic at offset 0: a PyTorch pickle, which can run code and is never read; "
                 "convert it to safetensors");
  }
  if (looks_like_llama2c(bytes)) return FileKind::kLlama2c;
  return error(StatusCode::kUnsupported,
               "magic at offset 0: not GGUF, safetensors or a llama2.c checkpoint");
}

}  // namespace quire
