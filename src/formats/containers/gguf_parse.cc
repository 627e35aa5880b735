#include "formats/containers/gguf_parse.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "base/text/utf8.h"

namespace quire {
namespace {

constexpr std::size_t kKeySizeMax = 65535;  // the specification's bound
constexpr std::size_t kNameSizeMax = 256;   // bytes; the specification says 64
constexpr std::uint32_t kDimensionsMax = 4;
constexpr std::size_t kAlignmentDefault = 32;
constexpr std::size_t kAlignmentMax = 65536;
constexpr std::size_t kEntrySizeMin = 8 + 1 + 4 + 1;           // key length, key, type, value
constexpr std::size_t kTensorSizeMin = 8 + 1 + 4 + 8 + 4 + 8;  // name, dimensions, type, offset

struct TypeRow {
  std::string_view name;
  std::size_t size;  // bytes; 0 where the value says so itself
};
constexpr TypeRow kTypes[] = {
    {"uint8", 1},  {"int8", 1},    {"uint16", 2},  {"int16", 2},  {"uint32", 4},
    {"int32", 4},  {"float32", 4}, {"bool", 1},    {"string", 0}, {"array", 0},
    {"uint64", 8}, {"int64", 8},   {"float64", 8},
};

template <typename... Args>
Status corrupt(std::string_view field, std::size_t offset, fmt::format_string<Args...> format,
               Args&&... args) {
  return error(StatusCode::kCorrupt, "{} at offset {}: {}", field, offset,
               fmt::format(format, std::forward<Args>(args)...));
}

// Walks over the bytes. Every read checks first that the bytes are there.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> file) : file_(file) {}

  std::size_t offset() const { return offset_; }
  std::size_t left() const { return file_.size() - offset_; }

  template <typename T>
  Status read(std::string_view field, T& value) {
    if (left() < sizeof(T)) {
      return corrupt(field, offset_, "{} bytes needed, {} left in the file", sizeof(T), left());
    }
    std::memcpy(&value, file_.data() + offset_, sizeof(T));
    offset_ += sizeof(T);
    return ok_status();
  }

  Status read_string(std::string_view field, std::size_t size_max, std::string_view& value) {
    const std::size_t start = offset_;
    std::uint64_t size = 0;
    QUIRE_RETURN_IF_ERROR(read(field, size));
    if (size > left()) {
      return corrupt(field, start, "its length is {}, but {} bytes are left", size, left());
    }
    if (size > size_max) {
      return corrupt(field, start, "its length is {}, at most {} is allowed", size, size_max);
    }
    value = {reinterpret_cast<const char*>(file_.data()) + offset_, static_cast<std::size_t>(size)};
    offset_ += value.size();
    return ok_status();
  }

  Status skip(std::string_view field, std::uint64_t count, std::size_t size) {
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(count, std::uint64_t{size}, &bytes) || bytes > left()) {
      return corrupt(field, offset_, "{} elements of {} bytes, but {} bytes are left", count, size,
                     left());
    }
    offset_ += static_cast<std::size_t>(bytes);
    return ok_status();
  }

 private:
  std::span<const std::byte> file_;
  std::size_t offset_ = 0;
};

// A name for messages: at most 64 bytes of it, and nothing a terminal would act on.
std::string printable(std::string_view text) {
  std::string shown = "'";
  for (const char c : text.substr(0, 64)) shown += c >= 0x20 && c < 0x7F ? c : '?';
  return shown + (text.size() > 64 ? "...'" : "'");
}

// Why `text` cannot be a name, or nothing.
std::optional<std::string> flaw_of_name(std::string_view text) {
  if (text.empty()) return "it is empty";
  if (const auto at = first_invalid_utf8(text)) {
    return fmt::format("it is not valid UTF-8 at byte {}", *at);
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7F) return fmt::format("control character {} at byte {}", int{c}, i);
  }
  return std::nullopt;
}

class Parser {
 public:
  explicit Parser(std::span<const std::byte> file) : file_(file), in_(file) {}

  Result<GgufHeader> run() {
    QUIRE_RETURN_IF_ERROR(read_counts());
    for (std::uint64_t i = 0; i < entry_count_; ++i) QUIRE_RETURN_IF_ERROR(read_entry(i));
    QUIRE_RETURN_IF_ERROR(sort_entries());
    QUIRE_RETURN_IF_ERROR(find_alignment());
    for (std::uint64_t i = 0; i < tensor_count_; ++i) QUIRE_RETURN_IF_ERROR(read_tensor(i));
    QUIRE_RETURN_IF_ERROR(place_tensors());
    QUIRE_RETURN_IF_ERROR(check_names());
    return std::move(header_);
  }

 private:
  struct Extent {
    std::size_t index;     // of the tensor
    std::uint64_t offset;  // as declared: from the start of the data
    std::uint64_t bytes;
    std::size_t offset_of_offset;  // for messages
  };

  Status read_counts() {
    char magic[4] = {};
    QUIRE_RETURN_IF_ERROR(in_.read("magic", magic));
    if (std::string_view(magic, 4) != kGgufMagic) {
      return corrupt("magic", 0, "it is {}, not 'GGUF'", printable({magic, 4}));
    }
    QUIRE_RETURN_IF_ERROR(in_.read("version", header_.version));
    if (header_.version == 0x02000000 || header_.version == 0x03000000) {
      return error(StatusCode::kUnsupported, "version at offset 4: a big-endian file");
    }
    if (header_.version != 2 && header_.version != 3) {
      return error(StatusCode::kUnsupported, "version at offset 4: it is {}; known are 2 and 3",
                   header_.version);
    }
    QUIRE_RETURN_IF_ERROR(in_.read("tensor_count", tensor_count_));
    QUIRE_RETURN_IF_ERROR(in_.read("metadata_kv_count", entry_count_));
    if (tensor_count_ > in_.left() / kTensorSizeMin) {
      return corrupt("tensor_count", 8, "it is {}, but {} bytes are left", tensor_count_,
                     in_.left());
    }
    if (entry_count_ > in_.left() / kEntrySizeMin) {
      return corrupt("metadata_kv_count", 16, "it is {}, but {} bytes are left", entry_count_,
                     in_.left());
    }
    return ok_status();
  }

  Status read_type(std::string_view field, GgufType& type) {
    const std::size_t at = in_.offset();
    std::uint32_t number = 0;
    QUIRE_RETURN_IF_ERROR(in_.read(field, number));
    if (number >= std::size(kTypes)) {
      return corrupt(field, at, "value type {} is not known (0 to {})", number,
                     std::size(kTypes) - 1);
    }
    type = static_cast<GgufType>(number);
    return ok_status();
  }

  Status read_entry(std::uint64_t index) {
    GgufEntry entry;
    const std::size_t at = in_.offset();
    const std::string field = fmt::format("metadata key {}", index);
    QUIRE_RETURN_IF_ERROR(in_.read_string(field, kKeySizeMax, entry.key));
    if (const auto flaw = flaw_of_name(entry.key)) {
      return corrupt(field, at, "{}: {}", printable(entry.key), *flaw);
    }
    const std::string name = printable(entry.key);
    QUIRE_RETURN_IF_ERROR(read_type(name, entry.type));
    if (entry.type == GgufType::kArray) {
      QUIRE_RETURN_IF_ERROR(skip_array(name, entry));
    } else {
      entry.offset = in_.offset();
      QUIRE_RETURN_IF_ERROR(skip_value(name, entry.type));
    }
    header_.entries.push_back(entry);
    return ok_status();
  }

  Status skip_value(const std::string& name, GgufType type) {
    const std::size_t at = in_.offset();
    if (type == GgufType::kString) {
      std::string_view text;
      return in_.read_string(name, file_.size(), text);
    }
    QUIRE_RETURN_IF_ERROR(in_.skip(name, 1, kTypes[static_cast<std::size_t>(type)].size));
    if (type == GgufType::kBool && static_cast<std::uint8_t>(file_[at]) > 1) {
      return corrupt(name, at, "a bool of value {}", static_cast<std::uint8_t>(file_[at]));
    }
    return ok_status();
  }

  Status skip_array(const std::string& name, GgufEntry& entry) {
    const std::size_t at = in_.offset();
    QUIRE_RETURN_IF_ERROR(read_type(name, entry.element_type));
    if (entry.element_type == GgufType::kArray) {
      return error(StatusCode::kUnsupported, "{} at offset {}: an array of arrays", name, at);
    }
    QUIRE_RETURN_IF_ERROR(in_.read(name, entry.count));
    entry.offset = in_.offset();
    if (entry.element_type != GgufType::kString) {
      return in_.skip(name, entry.count, kTypes[static_cast<std::size_t>(entry.element_type)].size);
    }
    if (entry.count > in_.left() / sizeof(std::uint64_t)) {
      return corrupt(name, at, "an array of {} strings, but {} bytes are left", entry.count,
                     in_.left());
    }
    std::string_view text;
    for (std::uint64_t i = 0; i < entry.count; ++i) {
      QUIRE_RETURN_IF_ERROR(in_.read_string(name, file_.size(), text));
    }
    return ok_status();
  }

  Status sort_entries() {
    auto& entries = header_.entries;
    std::sort(entries.begin(), entries.end(), [](const GgufEntry& a, const GgufEntry& b) {
      return a.key != b.key ? a.key < b.key : a.offset < b.offset;
    });
    for (std::size_t i = 1; i < entries.size(); ++i) {
      if (entries[i].key != entries[i - 1].key) continue;
      return corrupt(printable(entries[i].key), entries[i].offset,
                     "the key appears twice; first its value is at offset {}",
                     entries[i - 1].offset);
    }
    return ok_status();
  }

  Status find_alignment() {
    const std::string_view key = "general.alignment";
    for (const GgufEntry& entry : header_.entries) {
      if (entry.key != key) continue;
      if (entry.type != GgufType::kU32) {
        return corrupt(key, entry.offset, "it is {}, not uint32", gguf_type_name(entry.type));
      }
      std::uint32_t value = 0;
      std::memcpy(&value, file_.data() + entry.offset, sizeof(value));
      if (value < 8 || value > kAlignmentMax || (value & (value - 1)) != 0) {
        return corrupt(key, entry.offset, "{} is not a power of two from 8 to {}", value,
                       kAlignmentMax);
      }
      alignment_ = value;
    }
    return ok_status();
  }

  Status read_tensor(std::uint64_t index) {
    const std::size_t at = in_.offset();
    std::string_view name;
    const std::string field = fmt::format("name of tensor {}", index);
    QUIRE_RETURN_IF_ERROR(in_.read_string(field, kNameSizeMax, name));
    if (const auto flaw = flaw_of_name(name)) {
      return corrupt(field, at, "{}: {}", printable(name), *flaw);
    }
    const std::string tensor_name = "tensor " + printable(name);
    TensorView tensor;
    tensor.name = name;
    std::uint64_t elements = 0;
    QUIRE_RETURN_IF_ERROR(read_shape(tensor_name, tensor, elements));
    QUIRE_RETURN_IF_ERROR(read_dtype(tensor_name, tensor));
    const DTypeInfo& info = dtype_info(tensor.dtype);
    if (tensor.columns() % info.block_elements != 0) {
      return corrupt(tensor_name, at, "rows of {} values are no whole blocks of {} ({})",
                     tensor.columns(), info.block_elements, info.name);
    }
    Extent extent{};
    if (__builtin_mul_overflow(elements / info.block_elements, std::uint64_t{info.block_bytes},
                               &extent.bytes)) {
      return corrupt(tensor_name, at, "{} values of type {} overflow", elements, info.name);
    }
    extent.index = header_.tensors.size();
    extent.offset_of_offset = in_.offset();
    QUIRE_RETURN_IF_ERROR(in_.read(tensor_name, extent.offset));
    extents_.push_back(extent);
    header_.tensors.push_back(std::move(tensor));
    return ok_status();
  }

  // The file lists dimensions innermost first; a TensorView has them outermost first.
  Status read_shape(const std::string& name, TensorView& tensor, std::uint64_t& elements) {
    const std::size_t at = in_.offset();
    std::uint32_t dimensions = 0;
    QUIRE_RETURN_IF_ERROR(in_.read(name, dimensions));
    if (dimensions < 1 || dimensions > kDimensionsMax) {
      return corrupt(name, at, "{} dimensions; 1 to {} are allowed", dimensions, kDimensionsMax);
    }
    std::int64_t product = 1;  // as ggml has it: element counts are signed 64-bit
    for (std::uint32_t i = 0; i < dimensions; ++i) {
      const std::size_t dimension_at = in_.offset();
      std::int64_t size = 0;
      QUIRE_RETURN_IF_ERROR(in_.read(name, size));
      if (size <= 0) return corrupt(name, dimension_at, "dimension {} is {}", i, size);
      if (__builtin_mul_overflow(product, size, &product)) {
        return corrupt(name, dimension_at, "the product of its dimensions overflows");
      }
      tensor.shape.insert(tensor.shape.begin(), static_cast<std::size_t>(size));
    }
    elements = static_cast<std::uint64_t>(product);
    return ok_status();
  }

  Status read_dtype(const std::string& name, TensorView& tensor) {
    const std::size_t at = in_.offset();
    std::uint32_t type = 0;
    QUIRE_RETURN_IF_ERROR(in_.read(name, type));
    const std::optional<DType> dtype = dtype_from_gguf(type);
    if (!dtype) {
      std::vector<std::string> known;
      for (const DTypeInfo& row : kDTypes) {
        if (row.gguf_type < 0) continue;
        known.push_back(fmt::format("{} {}", row.gguf_type, row.name));
      }
      return error(StatusCode::kUnsupported,
                   "{} at offset {}: tensor type {} is not known; known are {}", name, at,
                   static_cast<std::int32_t>(type), fmt::join(known, ", "));
    }
    tensor.dtype = *dtype;
    return ok_status();
  }

  // Gives every tensor its bytes, once their ranges are known to be inside the file and apart.
  Status place_tensors() {
    const std::size_t padded = (in_.offset() + alignment_ - 1) / alignment_ * alignment_;
    header_.data_offset = header_.data_end = std::min(padded, file_.size());
    const std::uint64_t data_size = file_.size() - header_.data_offset;
    for (const Extent& extent : extents_) {
      TensorView& tensor = header_.tensors[extent.index];
      std::uint64_t end = 0;
      if (extent.offset % alignment_ != 0) {
        return corrupt("offset of tensor " + printable(tensor.name), extent.offset_of_offset,
                       "{} is no multiple of the alignment {}", extent.offset, alignment_);
      }
      if (__builtin_add_overflow(extent.offset, extent.bytes, &end) || end > data_size) {
        return corrupt("offset of tensor " + printable(tensor.name), extent.offset_of_offset,
                       "{} bytes from {} on, but the data section at {} has {} bytes", extent.bytes,
                       extent.offset, padded, data_size);
      }
      tensor.data = file_.data() + header_.data_offset + extent.offset;
      header_.data_end =
          std::max(header_.data_end, header_.data_offset + static_cast<std::size_t>(end));
    }
    std::sort(extents_.begin(), extents_.end(),
              [](const Extent& a, const Extent& b) { return a.offset < b.offset; });
    for (std::size_t i = 1; i < extents_.size(); ++i) {
      const Extent& before = extents_[i - 1];
      const Extent& after = extents_[i];
      if (before.offset + before.bytes <= after.offset) continue;
      return corrupt("offset of tensor " + printable(header_.tensors[after.index].name),
                     after.offset_of_offset, "{} overlaps tensor {} ({} bytes from {} on)",
                     after.offset, printable(header_.tensors[before.index].name), before.bytes,
                     before.offset);
    }
    return ok_status();
  }

  Status check_names() {
    std::vector<std::string_view> names;
    for (const TensorView& tensor : header_.tensors) names.push_back(tensor.name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice == names.end()) return ok_status();
    for (const Extent& extent : extents_) {
      if (header_.tensors[extent.index].name != *twice) continue;
      return corrupt("tensor " + printable(*twice), extent.offset_of_offset,
                     "the name appears twice");
    }
    return ok_status();
  }

  std::span<const std::byte> file_;
  Cursor in_;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t entry_count_ = 0;
  std::size_t alignment_ = kAlignmentDefault;
  std::vector<Extent> extents_;
  GgufHeader header_;
};

}  // namespace

std::string_view gguf_type_name(GgufType type) {
  return kTypes[static_cast<std::size_t>(type)].name;
}

Result<GgufHeader> parse_gguf(std::span<const std::byte> file) { return Parser(file).run(); }

}  // namespace quire
