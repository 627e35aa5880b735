#include "formats/weight_source.h"

#include <filesystem>

#include "base/hash.h"
#include "formats/config/file_kind.h"
#include "formats/config/gguf_config.h"
#include "formats/config/hf_config.h"
#include "formats/config/in_file.h"
#include "formats/config/model_tensors.h"
#include "formats/config/tokenizer_files.h"
#include "formats/config/weight_scales.h"
#include "formats/llama2c.h"
#include "formats/safetensors.h"

namespace quire {
namespace {

namespace fs = std::filesystem;
using Parts = ModelFiles::Parts;

Result<Parts> open_gguf(const std::string& path) {
  QUIRE_ASSIGN_OR_RETURN(GgufFile opened, GgufFile::open(path));
  const auto file = std::make_shared<const GgufFile>(std::move(opened));
  Parts parts;
  parts.owner = file;
  parts.files = file->files();
  QUIRE_ASSIGN_OR_RETURN(parts.config, read_gguf_config(*file));
  QUIRE_ASSIGN_OR_RETURN(
      parts.tensors, match_tensors(parts.config, file->tensors(), TensorNaming::kGguf,
                                   [&file](const TensorView& tensor) {
                                     return fmt::format("at offset {}", file->offset_of(tensor));
                                   }));
  parts.tokenizer_json = [file] { return read_gguf_tokenizer(*file); };
  return parts;
}

// The weights of a directory: the index if there is one, else the single file.
Result<SafetensorsFiles> open_directory_weights(const fs::path& directory) {
  for (const char* name : {"model.safetensors.index.json", "model.safetensors"}) {
    if (fs::exists(directory / name)) return SafetensorsFiles::open(directory / name);
  }
  return error(StatusCode::kNotFound,
               "'{}' has neither model.safetensors nor model.safetensors.index.json{}",
               directory.string(),
               fs::exists(directory / "pytorch_model.bin")
                   ? "; pytorch_model.bin is a pickle, which can run code and is never read"
                   : "");
}

Result<Parts> open_directory(const std::string& directory) {
  if (!fs::exists(fs::path(directory) / "config.json")) {
    return error(StatusCode::kNotFound, "'{}' has no config.json", directory);
  }
  QUIRE_ASSIGN_OR_RETURN(SafetensorsFiles opened, open_directory_weights(directory));
  const auto files = std::make_shared<const SafetensorsFiles>(std::move(opened));
  const TensorPlace place = [&files](const TensorView& tensor) {
    return fmt::format("at offset {}", files->offset_of(tensor));
  };
  bool has_head = false;
  for (const TensorView& tensor : files->tensors()) has_head |= tensor.name == "lm_head.weight";
  Parts parts;
  QUIRE_ASSIGN_OR_RETURN(parts.config, read_hf_config(directory, has_head));
  QUIRE_ASSIGN_OR_RETURN(const auto quantization, read_hf_quantization(directory));
  std::span<const TensorView> tensors = files->tensors();
  const auto scaled = std::make_shared<ScaledTensors>();
  if (quantization) {
    QUIRE_ASSIGN_OR_RETURN(*scaled, attach_scales(*quantization, tensors, place));
    tensors = scaled->tensors;
  }
  parts.owner = std::make_shared<const std::pair<decltype(files), decltype(scaled)>>(files, scaled);
  parts.files = files->files();
  QUIRE_ASSIGN_OR_RETURN(parts.tensors, match_tensors(parts.config, tensors,
                                                      TensorNaming::kHuggingFace, place));
  parts.tokenizer_json = [directory, vocab = parts.config.vocab] {
    return read_directory_tokenizer(directory, vocab);
  };
  return parts;
}

Result<Parts> open_llama2c(const std::string& path) {
  QUIRE_ASSIGN_OR_RETURN(MappedFile opened, MappedFile::open(path));
  const auto file = std::make_shared<const MappedFile>(std::move(opened));
  QUIRE_ASSIGN_OR_RETURN(Llama2cModel model, read_llama2c(file->bytes()));
  Parts parts;
  parts.owner = file;
  parts.files = {file.get(), 1};
  parts.config = std::move(model.config);
  parts.config.name = fs::path(path).stem();
  parts.tensors = std::move(model.tensors);
  parts.tokenizer_json = []() -> Result<std::string> {
    return error(StatusCode::kInvalidArgument,
                 "a llama2.c checkpoint has no tokenizer; name its file with --tokenizer FILE");
  };
  return parts;
}

Result<Parts> open_parts(const std::string& path) {
  QUIRE_ASSIGN_OR_RETURN(const FileKind kind, find_file_kind(path));
  switch (kind) {
    case FileKind::kGguf:
      return open_gguf(path);
    case FileKind::kDirectory:
      return open_directory(path);
    case FileKind::kLlama2c:
      return open_llama2c(path);
    case FileKind::kSafetensors:
    case FileKind::kSafetensorsIndex:
      break;
  }
  // Weights alone are no model, but a broken file should be called broken first.
  QUIRE_RETURN_IF_ERROR(SafetensorsFiles::open(path).status());
  const fs::path directory = fs::absolute(path).parent_path();
  if (!fs::exists(directory / "config.json")) {
    return error(StatusCode::kInvalidArgument,
                 "weights only: a model is a directory with config.json and a tokenizer");
  }
  return open_directory(directory);
}

}  // namespace

Result<TensorView> ModelFiles::find(std::string_view canonical_name) const {
  const auto at = parts_.tensors.find(canonical_name);
  if (at != parts_.tensors.end()) return at->second;
  return error(StatusCode::kNotFound, "the model has no tensor '{}'", canonical_name);
}

std::uint64_t ModelFiles::stamp() const {
  std::uint64_t stamp = 0;
  for (const MappedFile& file : parts_.files) stamp = mix64(stamp + file.stamp());
  return stamp;
}

Status ModelFiles::health() const {
  for (const MappedFile& file : parts_.files) QUIRE_RETURN_IF_ERROR(file.health());
  return ok_status();
}

void ModelFiles::drop_resident() const {
  for (const MappedFile& file : parts_.files) file.drop_resident();
}

Result<std::unique_ptr<ModelFiles>> open_model(const std::string& path,
                                               const std::string& tokenizer_path) {
  Result<Parts> opened = open_parts(path);
  if (!opened.is_ok()) return in_file(path, opened.status());
  Parts parts = std::move(opened).value();
  count_weights(parts.tensors, parts.config);
  if (!tokenizer_path.empty()) {
    parts.tokenizer_json = [tokenizer_path, vocab = parts.config.vocab] {
      return read_tokenizer_file(tokenizer_path, vocab);
    };
  }
  return std::make_unique<ModelFiles>(std::move(parts));
}

}  // namespace quire
