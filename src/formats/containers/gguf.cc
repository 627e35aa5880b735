#include "formats/containers/gguf.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <iterator>

#include "formats/in_file.h"

namespace quire {
namespace {

constexpr std::uint64_t kPartsMax = 1024;

std::string part_suffix(std::uint64_t part, std::uint64_t parts) {
  return fmt::format("-{:05}-of-{:05}.gguf", part, parts);
}

}  // namespace

Result<GgufFile> GgufFile::open(const std::string& path) {
  GgufFile file;
  QUIRE_RETURN_IF_ERROR(file.open_part(path));
  if (const Status status = file.open_other_parts(path); !status.is_ok()) {
    return in_file(path, status);
  }
  if (const Status status = file.check_names(); !status.is_ok()) return in_file(path, status);
  return file;
}

Status GgufFile::open_part(const std::string& path) {
  QUIRE_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::open(path));
  Result<GgufHeader> header = parse_gguf(mapped.bytes());
  if (!header.is_ok()) return in_file(path, header.status());
  if (parts_.empty()) {
    version_ = header->version;
    entries_ = std::move(header->entries);
  }
  tensors_.insert(tensors_.end(), std::make_move_iterator(header->tensors.begin()),
                  std::make_move_iterator(header->tensors.end()));
  trailing_bytes_ += mapped.bytes().size() - header->data_end;
  parts_.push_back(std::move(mapped));
  return ok_status();
}

Status GgufFile::open_other_parts(const std::string& path) {
  QUIRE_ASSIGN_OR_RETURN(const auto count, u64("split.count"));
  if (!count || *count <= 1) return ok_status();
  if (*count > kPartsMax) {
    return error(StatusCode::kCorrupt, "split.count at offset {}: {} parts, at most {} are read",
                 find_entry("split.count")->offset, *count, kPartsMax);
  }
  QUIRE_RETURN_IF_ERROR(check_split_key("split.no", 0));
  const std::string suffix = part_suffix(1, *count);
  if (!path.ends_with(suffix)) {
    return error(StatusCode::kInvalidArgument,
                 "split.count is {}, so the first part's name must end with '{}'", *count, suffix);
  }
  const std::string stem = path.substr(0, path.size() - suffix.size());
  for (std::uint64_t i = 1; i < *count; ++i) {
    const std::string part_path = stem + part_suffix(i + 1, *count);
    // A part's own keys are checked as if it were alone, then dropped.
    QUIRE_ASSIGN_OR_RETURN(GgufFile part, [&]() -> Result<GgufFile> {
      GgufFile opened;
      QUIRE_RETURN_IF_ERROR(opened.open_part(part_path));
      QUIRE_RETURN_IF_ERROR(opened.check_split_key("split.no", i));
      QUIRE_RETURN_IF_ERROR(opened.check_split_key("split.count", *count));
      return opened;
    }());
    tensors_.insert(tensors_.end(), std::make_move_iterator(part.tensors_.begin()),
                    std::make_move_iterator(part.tensors_.end()));
    trailing_bytes_ += part.trailing_bytes_;
    parts_.push_back(std::move(part.parts_.front()));
  }
  QUIRE_ASSIGN_OR_RETURN(const auto total, u64("split.tensors.count"));
  if (!total || *total == tensors_.size()) return ok_status();
  return error(StatusCode::kCorrupt, "split.tensors.count at offset {}: {}, but the parts have {}",
               find_entry("split.tensors.count")->offset, *total, tensors_.size());
}

Status GgufFile::check_split_key(std::string_view key, std::uint64_t expected) {
  QUIRE_ASSIGN_OR_RETURN(const auto value, u64(key));
  if (value && *value == expected) return ok_status();
  const GgufEntry* entry = find_entry(key);
  return error(StatusCode::kCorrupt, "{} at offset {}: part {} of a split model must say {}", key,
               entry ? entry->offset : 0, expected, expected);
}

Status GgufFile::check_names() {
  by_name_.resize(tensors_.size());
  for (std::size_t i = 0; i < by_name_.size(); ++i) by_name_[i] = i;
  std::sort(by_name_.begin(), by_name_.end(),
            [this](std::size_t a, std::size_t b) { return tensors_[a].name < tensors_[b].name; });
  for (std::size_t i = 1; i < by_name_.size(); ++i) {
    const TensorView& tensor = tensors_[by_name_[i]];
    if (tensor.name != tensors_[by_name_[i - 1]].name) continue;
    return error(StatusCode::kCorrupt, "tensor '{}' at offset {}: the name appears in two parts",
                 tensor.name, offset_of(tensor));
  }
  return ok_status();
}

const GgufEntry* GgufFile::find_entry(std::string_view key) const {
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), key,
      [](const GgufEntry& entry, std::string_view wanted) { return entry.key < wanted; });
  return at != entries_.end() && at->key == key ? &*at : nullptr;
}

const TensorView* GgufFile::find_tensor(std::string_view name) const {
  const auto at = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [this](std::size_t index, std::string_view wanted) { return tensors_[index].name < wanted; });
  return at != by_name_.end() && tensors_[*at].name == name ? &tensors_[*at] : nullptr;
}

std::size_t GgufFile::offset_of(const TensorView& tensor) const {
  for (const MappedFile& part : parts_) {
    const auto bytes = part.bytes();
    const bool is_inside = !std::less<>()(tensor.data, bytes.data()) &&
                           !std::less<>()(bytes.data() + bytes.size(), tensor.data);
    if (is_inside) return static_cast<std::size_t>(tensor.data - bytes.data());
  }
  return 0;
}

// --- values ---

template <typename T>
T GgufFile::read(std::size_t offset) const {
  T value;
  std::memcpy(&value, parts_[0].bytes().data() + offset, sizeof(T));
  return value;
}

Status GgufFile::wrong_type(const GgufEntry& entry, std::string_view wanted) const {
  const bool is_array = entry.type == GgufType::kArray;
  return error(StatusCode::kCorrupt, "{} at offset {}: it is {}{}, not {}", entry.key, entry.offset,
               is_array ? "an array of " : "",
               gguf_type_name(is_array ? entry.element_type : entry.type), wanted);
}

Result<std::optional<std::string_view>> GgufFile::string(std::string_view key) const {
  const GgufEntry* entry = find_entry(key);
  if (entry == nullptr) return std::optional<std::string_view>();
  if (entry->type != GgufType::kString) return wrong_type(*entry, "string");
  const auto* data = reinterpret_cast<const char*>(parts_[0].bytes().data());
  return std::optional(
      std::string_view(data + entry->offset + 8, read<std::uint64_t>(entry->offset)));
}

Result<std::optional<std::int64_t>> GgufFile::i64(std::string_view key) const {
  const GgufEntry* entry = find_entry(key);
  if (entry == nullptr) return std::optional<std::int64_t>();
  const std::size_t at = entry->offset;
  switch (entry->type) {
    case GgufType::kU8:
      return std::optional<std::int64_t>(read<std::uint8_t>(at));
    case GgufType::kI8:
      return std::optional<std::int64_t>(read<std::int8_t>(at));
    case GgufType::kU16:
      return std::optional<std::int64_t>(read<std::uint16_t>(at));
    case GgufType::kI16:
      return std::optional<std::int64_t>(read<std::int16_t>(at));
    case GgufType::kU32:
      return std::optional<std::int64_t>(read<std::uint32_t>(at));
    case GgufType::kI32:
      return std::optional<std::int64_t>(read<std::int32_t>(at));
    case GgufType::kI64:
      return std::optional<std::int64_t>(read<std::int64_t>(at));
    case GgufType::kU64: {
      const auto value = read<std::uint64_t>(at);
      if (std::in_range<std::int64_t>(value)) return std::optional<std::int64_t>(value);
      return error(StatusCode::kCorrupt, "{} at offset {}: {} is too large", key, at, value);
    }
    default:
      return wrong_type(*entry, "an integer");
  }
}

Result<std::optional<std::uint64_t>> GgufFile::u64(std::string_view key) const {
  QUIRE_ASSIGN_OR_RETURN(const std::optional<std::int64_t> value, i64(key));
  if (!value) return std::optional<std::uint64_t>();
  if (*value >= 0) return std::optional<std::uint64_t>(*value);
  return error(StatusCode::kCorrupt, "{} at offset {}: {} is negative", key,
               find_entry(key)->offset, *value);
}

Result<std::optional<double>> GgufFile::f64(std::string_view key) const {
  const GgufEntry* entry = find_entry(key);
  if (entry == nullptr) return std::optional<double>();
  if (entry->type == GgufType::kF32) return std::optional<double>(read<float>(entry->offset));
  if (entry->type == GgufType::kF64) return std::optional<double>(read<double>(entry->offset));
  return wrong_type(*entry, "a float");
}

Result<std::optional<bool>> GgufFile::boolean(std::string_view key) const {
  const GgufEntry* entry = find_entry(key);
  if (entry == nullptr) return std::optional<bool>();
  if (entry->type != GgufType::kBool) return wrong_type(*entry, "bool");
  return std::optional<bool>(read<std::uint8_t>(entry->offset) != 0);
}

// The entry of an array whose elements have one of `types`; null if there is none.
Result<const GgufEntry*> GgufFile::array(std::string_view key,
                                         std::span<const GgufType> types) const {
  const GgufEntry* entry = find_entry(key);
  if (entry == nullptr) return entry;
  const bool fits = entry->type == GgufType::kArray &&
                    std::find(types.begin(), types.end(), entry->element_type) != types.end();
  if (fits) return entry;
  return wrong_type(*entry, fmt::format("an array of {}", gguf_type_name(types[0])));
}

Result<std::vector<std::string>> GgufFile::strings(std::string_view key) const {
  constexpr GgufType kTypes[] = {GgufType::kString};
  QUIRE_ASSIGN_OR_RETURN(const GgufEntry* entry, array(key, kTypes));
  std::vector<std::string> values;
  if (entry == nullptr) return values;
  values.reserve(entry->count);  // 8 bytes each are there: gguf_parse has seen them
  const auto* data = reinterpret_cast<const char*>(parts_[0].bytes().data());
  std::size_t at = entry->offset;
  for (std::uint64_t i = 0; i < entry->count; ++i) {
    const auto size = static_cast<std::size_t>(read<std::uint64_t>(at));
    values.emplace_back(data + at + 8, size);
    at += 8 + size;
  }
  return values;
}

Result<std::vector<float>> GgufFile::floats(std::string_view key) const {
  constexpr GgufType kTypes[] = {GgufType::kF32};
  QUIRE_ASSIGN_OR_RETURN(const GgufEntry* entry, array(key, kTypes));
  std::vector<float> values(entry ? entry->count : 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = read<float>(entry->offset + i * sizeof(float));
  }
  return values;
}

Result<std::vector<std::int32_t>> GgufFile::int32s(std::string_view key) const {
  constexpr GgufType kTypes[] = {GgufType::kI32, GgufType::kU32};
  QUIRE_ASSIGN_OR_RETURN(const GgufEntry* entry, array(key, kTypes));
  std::vector<std::int32_t> values(entry ? entry->count : 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = read<std::int32_t>(entry->offset + i * sizeof(std::int32_t));
  }
  return values;
}

Result<std::vector<bool>> GgufFile::booleans(std::string_view key) const {
  constexpr GgufType kTypes[] = {GgufType::kBool};
  QUIRE_ASSIGN_OR_RETURN(const GgufEntry* entry, array(key, kTypes));
  std::vector<bool> values(entry ? entry->count : 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = read<std::uint8_t>(entry->offset + i) != 0;
  }
  return values;
}

Result<std::string> GgufFile::bytes(std::string_view key) const {
  constexpr GgufType kTypes[] = {GgufType::kU8, GgufType::kI8};
  QUIRE_ASSIGN_OR_RETURN(const GgufEntry* entry, array(key, kTypes));
  if (entry == nullptr) return std::string();
  const auto* data = reinterpret_cast<const char*>(parts_[0].bytes().data());
  return std::string(data + entry->offset, entry->count);
}

}  // namespace quire
