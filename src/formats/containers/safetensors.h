// SafetensorsFiles: tensors of one .safetensors file, or of the shards that an index names
// (model.safetensors.index.json): uint64 header size, a JSON header, tensor data. Types F32, F16,
// BF16, I8, F8_E4M3; I32, I64, U8 and F8_E8M0, which no weight is by itself, for who says that it
// can explain them, and where they only number the places of a text.
// Strict, so that no two readers can see different tensors in one file: ranges must fill
// the data exactly, keys are unique, fields are exactly dtype, shape and data_offsets; shards are
// plain names of regular files beside the index and hold what the index says, no more and no less.
// Immutable once opened; any thread. Used by checkpoint and describe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "tensor/tensor.h"

namespace quire {

// A tensor of integers: packed codes, or numbers of places.
struct IntegerTensor {
  std::string name;
  std::vector<std::size_t> shape;   // never empty
  std::size_t width = 4;            // bytes of an element
  const std::byte* data = nullptr;  // aligned
  std::size_t offset = 0;           // in its file: for messages

  const std::uint32_t* words() const { return reinterpret_cast<const std::uint32_t*>(data); }
};

class SafetensorsFiles {
 public:
  // A file, or an index (a JSON object with "weight_map"). Errors name file, field and offset.
  static Result<SafetensorsFiles> open(const std::string& path, bool takes_integers = false);

  // Adds the model.safetensors of a folder inside, whose tensors become "FOLDER.NAME".
  Status add_folder(const std::string& directory, const std::string& folder);

  std::span<const TensorView> tensors() const { return tensors_; }
  std::span<const IntegerTensor> integers() const { return integers_; }
  std::size_t file_count() const { return files_.size(); }
  std::size_t offset_of(const TensorView& tensor) const;  // in its file: for messages
  std::span<const MappedFile> files() const { return files_; }

 private:
  Status open_file(const std::string& path);
  Status open_index(const std::string& path);
  Status check_shard(const std::string& name, const std::set<std::string>& expected) const;

  void append(SafetensorsFiles&& shard);
  void align_tensors(const MappedFile& file);
  const std::byte* aligned(const std::byte* data, std::size_t bytes, std::size_t alignment);

  std::vector<MappedFile> files_;
  std::vector<std::unique_ptr<std::byte[]>> copies_;
  std::vector<TensorView> tensors_;
  std::vector<std::size_t> offsets_;  // of each tensor in its file
  std::vector<IntegerTensor> integers_;
  bool takes_integers_ = false;
};

// Whether the first bytes are those of a .safetensors file: a header size that fits, then '{'.
bool looks_like_safetensors(std::span<const std::byte> file);

}  // namespace quire
