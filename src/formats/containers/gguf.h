// GgufFile: a GGUF model, version 2 or 3, one file or split in parts (NAME-00001-of-00003.gguf):
// typed metadata and tensors as views into the mapped files. Metadata comes from the first part,
// tensors from all. Arrays are read where they lie; nothing is copied before it is asked for.
// Shapes are outermost first (the file has them the other way round).
// Immutable once opened; any thread. Used by config/gguf_config, checkpoint and describe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "formats/containers/gguf_parse.h"

namespace quire {

class GgufFile {
 public:
  // Opens all parts, given the first. Errors name the file, the field and its offset.
  static Result<GgufFile> open(const std::string& path);

  std::uint32_t version() const { return version_; }
  std::size_t part_count() const { return parts_.size(); }
  std::size_t trailing_bytes() const { return trailing_bytes_; }  // behind all tensors; ignored
  std::span<const GgufEntry> entries() const { return entries_; }
  std::span<const TensorView> tensors() const { return tensors_; }  // in the order of the files

  const GgufEntry* find_entry(std::string_view key) const;
  const TensorView* find_tensor(std::string_view name) const;
  std::size_t offset_of(const TensorView& tensor) const;  // in its part: for messages
  std::span<const MappedFile> files() const { return parts_; }

  // The value of a key: absent is a value, a type that does not fit is an error that names the key
  // and the offset. Integers of any width are one kind; floats of both widths another.
  Result<std::optional<std::string_view>> string(std::string_view key) const;
  Result<std::optional<std::uint64_t>> u64(std::string_view key) const;  // an integer >= 0
  Result<std::optional<std::int64_t>> i64(std::string_view key) const;
  Result<std::optional<double>> f64(std::string_view key) const;
  Result<std::optional<bool>> boolean(std::string_view key) const;

  // Arrays; absent is empty.
  Result<std::vector<std::string>> strings(std::string_view key) const;
  Result<std::vector<float>> floats(std::string_view key) const;         // of float32
  Result<std::vector<std::int32_t>> int32s(std::string_view key) const;  // of int32 or uint32
  Result<std::vector<bool>> booleans(std::string_view key) const;        // of bool
  Result<std::string> bytes(std::string_view key) const;                 // of uint8 or int8

 private:
  Status open_part(const std::string& path);
  Status open_other_parts(const std::string& path);
  Status check_split_key(std::string_view key, std::uint64_t expected);
  Status check_names();
  Status wrong_type(const GgufEntry& entry, std::string_view wanted) const;
  template <typename T>
  T read(std::size_t offset) const;
  Result<const GgufEntry*> array(std::string_view key, std::span<const GgufType> types) const;

  std::vector<MappedFile> parts_;
  std::vector<GgufEntry> entries_;  // of the first part, sorted by key
  std::vector<TensorView> tensors_;
  std::vector<std::size_t> by_name_;  // indices of tensors_, sorted by name
  std::uint32_t version_ = 0;
  std::size_t trailing_bytes_ = 0;
};

}  // namespace quire
