#include "formats/containers/safetensors.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "base/json.h"
#include "formats/in_file.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPrefixSize = 8;                 // bytes: the size of the header
constexpr std::uint64_t kHeaderSizeMax = 100'000'000;  // the reference implementation's bound
constexpr std::size_t kTensorsMax = 16384;             // in one file
constexpr std::size_t kValuesMax = kTensorsMax * 16;   // JSON values of a header
constexpr std::size_t kShapeMax = 8;
constexpr std::size_t kShardsMax = 1024;
constexpr std::size_t kIndexSizeMax = std::size_t{16} << 20;

template <typename... Args>
Status corrupt(fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kCorrupt, format, std::forward<Args>(args)...);
}

// A tensor as the header describes it, not yet compared with the data.
struct Described {
  TensorView tensor;
  std::size_t integer_width = 0;  // bytes of an element; 0: it is of the view's type
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct Parsed {
  std::vector<TensorView> tensors;
  std::vector<IntegerTensor> integers;
};

// Names are data, never paths; what could be mistaken for one is refused.
Status check_name(std::string_view name) {
  const bool is_plain = !name.empty() && name.size() <= 256 &&
                        std::none_of(name.begin(), name.end(), [](unsigned char c) {
                          return c < 0x21 || c > 0x7E || c == '/' || c == '\\';
                        });
  if (is_plain) return ok_status();
  std::string shown;
  append_json_string(name.substr(0, 64), shown);
  return corrupt("header at offset 8: {} is not a tensor name", shown);
}

std::optional<DType> dtype_of(std::string_view name) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kI8, DType::kF8}) {
    if (dtype_name(dtype) == name) return dtype;
  }
  return std::nullopt;
}

std::size_t integer_width_of(std::string_view name) {
  if (name == "U8" || name == "F8_E8M0") return 1;
  return name == "I32" ? 4 : name == "I64" ? 8 : 0;
}

// Places or kinds of a text's tokens, which a library kept beside the weights and the shapes imply:
// in many older encoders. They are never read.
bool is_numbering(std::string_view name) {
  return name.ends_with("position_ids") || name.ends_with("token_type_ids");
}

Status read_shape(const std::string& name, const Json& shape, Described& described) {
  if (!shape.is_array()) {
    return corrupt("tensor '{}': shape is {}, not an array", name, kind_name(shape.kind()));
  }
  if (shape.items().size() > kShapeMax) {
    return corrupt("tensor '{}': shape has {} dimensions, at most {} are allowed", name,
                   shape.items().size(), kShapeMax);
  }
  std::uint64_t bytes = described.integer_width != 0
                            ? described.integer_width
                            : dtype_info(described.tensor.dtype).block_bytes;
  for (const Json& item : shape.items()) {
    if (!item.is_int() || item.as_int() < 0) {
      return corrupt("tensor '{}': shape has {} where a size must be", name, dump(item));
    }
    const auto size = static_cast<std::uint64_t>(item.as_int());
    if (__builtin_mul_overflow(bytes, size, &bytes)) {
      return corrupt("tensor '{}': the product of its shape overflows", name);
    }
    described.tensor.shape.push_back(static_cast<std::size_t>(size));
  }
  if (described.tensor.shape.empty()) described.tensor.shape = {1};  // a scalar
  if (bytes == described.end - described.begin) return ok_status();
  return corrupt("tensor '{}': shape and type need {} bytes, data_offsets give {}", name, bytes,
                 described.end - described.begin);
}

Status read_range(const std::string& name, const Json& offsets, std::uint64_t data_size,
                  Described& described) {
  const bool is_pair = offsets.is_array() && offsets.items().size() == 2 &&
                       offsets.items()[0].is_int() && offsets.items()[1].is_int() &&
                       offsets.items()[0].as_int() >= 0;
  if (!is_pair) return corrupt("tensor '{}': data_offsets are not two offsets", name);
  const std::int64_t begin = offsets.items()[0].as_int();
  const std::int64_t end = offsets.items()[1].as_int();
  if (end < begin || static_cast<std::uint64_t>(end) > data_size) {
    return corrupt("tensor '{}': data_offsets {} to {} are not within {} bytes of data", name,
                   begin, end, data_size);
  }
  described.begin = static_cast<std::uint64_t>(begin);
  described.end = static_cast<std::uint64_t>(end);
  return ok_status();
}

Result<Described> read_tensor(const std::string& name, const Json& value, std::uint64_t data_size,
                              bool takes_integers) {
  QUIRE_RETURN_IF_ERROR(check_name(name));
  const Json* dtype = value.find("dtype");
  const Json* shape = value.find("shape");
  const Json* offsets = value.find("data_offsets");
  if (dtype == nullptr || shape == nullptr || offsets == nullptr || value.members().size() != 3) {
    return corrupt("tensor '{}': its fields are not dtype, shape and data_offsets", name);
  }
  if (!dtype->is_string()) {
    return corrupt("tensor '{}': dtype is {}, not a string", name, kind_name(dtype->kind()));
  }
  const std::optional<DType> known = dtype_of(dtype->as_string());
  const std::size_t width =
      takes_integers || is_numbering(name) ? integer_width_of(dtype->as_string()) : 0;
  if (!known && width == 0) {
    return error(StatusCode::kUnsupported,
                 "tensor '{}': dtype '{}' is not supported; known are F32, F16, BF16, I8 and "
                 "F8_E4M3", name,
                 dtype->as_string().substr(0, 32));
  }
  Described described;
  described.tensor.name = name;
  described.tensor.dtype = known.value_or(DType::kI8);
  described.integer_width = width;
  QUIRE_RETURN_IF_ERROR(read_range(name, *offsets, data_size, described));
  QUIRE_RETURN_IF_ERROR(read_shape(name, *shape, described));
  return described;
}

Status check_metadata(const Json& metadata) {
  if (!metadata.is_object()) return corrupt("__metadata__: it is {}", kind_name(metadata.kind()));
  for (const auto& [key, value] : metadata.members()) {
    if (!value.is_string()) {
      return corrupt("__metadata__: the value of '{}' is {}, not a string", key.substr(0, 64),
                     kind_name(value.kind()));
    }
  }
  return ok_status();
}

// The JSON text of the header.
Result<std::string_view> header_text(std::span<const std::byte> file) {
  if (file.size() < kPrefixSize) {
    return corrupt("header size at offset 0: 8 bytes needed, {} in the file", file.size());
  }
  std::uint64_t size = 0;
  std::memcpy(&size, file.data(), sizeof(size));
  if (size > kHeaderSizeMax) {
    return corrupt("header size at offset 0: {} bytes, at most {} are allowed", size,
                   kHeaderSizeMax);
  }
  if (size > file.size() - kPrefixSize) {
    return corrupt("header size at offset 0: {} bytes, but {} are left in the file", size,
                   file.size() - kPrefixSize);
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kPrefixSize,
                              static_cast<std::size_t>(size));
  if (!text.starts_with('{')) return corrupt("header at offset 8: it does not begin with '{{'");
  return text;
}

// Ranges must follow each other without gap or overlap and end with the file.
Status check_ranges(std::vector<Described>& all, std::uint64_t data_size) {
  std::sort(all.begin(), all.end(), [](const Described& a, const Described& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t at = 0;
  for (const Described& described : all) {
    if (described.begin != at) {
      return corrupt("tensor '{}': its data begins at {}, but the data before it ends at {}",
                     described.tensor.name, described.begin, at);
    }
    at = described.end;
  }
  if (at == data_size) return ok_status();
  return corrupt("data: {} bytes of tensors, but {} bytes in the file", at, data_size);
}

Result<Parsed> parse_safetensors(std::span<const std::byte> file, bool takes_integers) {
  QUIRE_ASSIGN_OR_RETURN(const std::string_view text, header_text(file));
  JsonLimits limits;
  limits.bytes_max = kHeaderSizeMax;
  limits.values_max = kValuesMax;
  const Result<Json> header = parse_json(text, limits);
  if (!header.is_ok()) return corrupt("header at offset 8: {}", header.status().message());
  const std::size_t data_offset = kPrefixSize + text.size();
  const std::uint64_t data_size = file.size() - data_offset;
  if (header->members().size() > kTensorsMax) {
    return error(StatusCode::kResourceExhausted,
                 "header at offset 8: {} tensors, at most {} are read from one file",
                 header->members().size(), kTensorsMax);
  }
  std::vector<Described> all;
  for (const auto& [name, value] : header->members()) {
    if (name == "__metadata__") {
      QUIRE_RETURN_IF_ERROR(check_metadata(value));
      continue;
    }
    if (!value.is_object()) return corrupt("header at offset 8: an entry is no object");
    QUIRE_ASSIGN_OR_RETURN(Described described,
                           read_tensor(name, value, data_size, takes_integers));
    all.push_back(std::move(described));
  }
  QUIRE_RETURN_IF_ERROR(check_ranges(all, data_size));
  Parsed parsed;
  for (Described& described : all) {
    TensorView& tensor = described.tensor;
    tensor.data = file.data() + data_offset + described.begin;
    if (described.integer_width == 0) {
      parsed.tensors.push_back(std::move(tensor));
      continue;
    }
    parsed.integers.push_back({std::move(tensor.name), std::move(tensor.shape),
                               described.integer_width, tensor.data,
                               data_offset + static_cast<std::size_t>(described.begin)});
  }
  return parsed;
}

// A shard lies beside its index. The one way out that is followed is the download cache of Hugging
// Face, whose snapshots are links into the folder blobs two levels above.
Result<std::string> shard_path(const std::string& index_path, const std::string& name) {
  std::string shown;
  append_json_string(name.substr(0, 64), shown);
  const bool is_plain = !name.empty() && name[0] != '.' &&
                        std::none_of(name.begin(), name.end(), [](unsigned char c) {
                          return c < 0x20 || c == 0x7F || c == '/' || c == '\\';
                        });
  if (!is_plain) return corrupt("weight_map: {} is not a plain file name", shown);
  std::error_code failure;
  const fs::path folder = fs::canonical(fs::absolute(index_path).parent_path(), failure);
  const fs::path target = failure ? fs::path() : fs::canonical(folder / name, failure);
  if (failure) {
    return error(StatusCode::kNotFound, "weight_map: the file {} is missing", shown);
  }
  const fs::path from = target.parent_path();
  const bool is_cache = from == folder.parent_path().parent_path() / "blobs";
  if (from != folder && !is_cache) {
    return corrupt("weight_map: {} leads out of the model's folder", shown);
  }
  return target.string();
}

}  // namespace

bool looks_like_safetensors(std::span<const std::byte> file) { return header_text(file).is_ok(); }

Result<SafetensorsFiles> SafetensorsFiles::open(const std::string& path, bool takes_integers) {
  SafetensorsFiles files;
  files.takes_integers_ = takes_integers;
  QUIRE_ASSIGN_OR_RETURN(const MappedFile first, MappedFile::open(path));
  const bool is_index = !first.bytes().empty() && first.bytes()[0] == std::byte{'{'} &&
                        !looks_like_safetensors(first.bytes());
  const Status status = is_index ? files.open_index(path) : files.open_file(path);
  if (!status.is_ok()) return in_file(path, status);
  return files;
}

Status SafetensorsFiles::open_file(const std::string& path) {
  QUIRE_ASSIGN_OR_RETURN(MappedFile file, MappedFile::open(path));
  QUIRE_ASSIGN_OR_RETURN(Parsed parsed, parse_safetensors(file.bytes(), takes_integers_));
  tensors_ = std::move(parsed.tensors);
  integers_ = std::move(parsed.integers);
  align_tensors(file);
  files_.push_back(std::move(file));
  return ok_status();
}

Status SafetensorsFiles::open_index(const std::string& path) {
  QUIRE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kIndexSizeMax));
  JsonLimits limits;
  limits.values_max = kValuesMax;
  QUIRE_ASSIGN_OR_RETURN(const Json index, parse_json(text, limits));
  const Json* map = index.find("weight_map");
  if (map == nullptr || !map->is_object()) return corrupt("weight_map: missing in the index");
  std::map<std::string, std::set<std::string>> shards;  // file name -> its tensors
  for (const auto& [tensor, file] : map->members()) {
    if (!file.is_string()) {
      return corrupt("weight_map: {} where a file name must be", kind_name(file.kind()));
    }
    shards[file.as_string()].insert(tensor);
  }
  if (shards.size() > kShardsMax) {
    return corrupt("weight_map: {} shards, at most {} are read", shards.size(), kShardsMax);
  }
  for (const auto& [name, expected] : shards) {
    QUIRE_ASSIGN_OR_RETURN(const std::string target, shard_path(path, name));
    SafetensorsFiles shard;
    shard.takes_integers_ = takes_integers_;
    if (const Status status = shard.open_file(target); !status.is_ok()) {
      return in_file(name, status);
    }
    QUIRE_RETURN_IF_ERROR(shard.check_shard(name, expected));
    append(std::move(shard));
  }
  return ok_status();
}

Status SafetensorsFiles::check_shard(const std::string& name,
                                     const std::set<std::string>& expected) const {
  const auto unlisted = [&](const std::string& tensor) {
    return corrupt("weight_map: it does not list tensor '{}' of '{}'", tensor, name);
  };
  for (const TensorView& tensor : tensors_) {
    if (!expected.contains(tensor.name)) return unlisted(tensor.name);
  }
  for (const IntegerTensor& tensor : integers_) {
    if (!expected.contains(tensor.name)) return unlisted(tensor.name);
  }
  const std::size_t count = tensors_.size() + integers_.size();
  if (count == expected.size()) return ok_status();
  return corrupt("weight_map: '{}' has {} tensors, the index lists {}", name, count,
                 expected.size());
}

void SafetensorsFiles::append(SafetensorsFiles&& shard) {
  const auto move_all = [](auto& from, auto& to) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  move_all(shard.files_, files_);
  move_all(shard.copies_, copies_);
  move_all(shard.tensors_, tensors_);
  move_all(shard.offsets_, offsets_);
  move_all(shard.integers_, integers_);
}

// Called when all tensors are those of `file`.
void SafetensorsFiles::align_tensors(const MappedFile& file) {
  for (TensorView& tensor : tensors_) {
    offsets_.push_back(static_cast<std::size_t>(tensor.data - file.bytes().data()));
    tensor.data = aligned(tensor.data, tensor.bytes(), dtype_info(tensor.dtype).block_bytes);
  }
  for (IntegerTensor& tensor : integers_) {
    std::size_t bytes = tensor.width;
    for (const std::size_t size : tensor.shape) bytes *= size;
    tensor.data = aligned(tensor.data, bytes, tensor.width);
  }
}

const std::byte* SafetensorsFiles::aligned(const std::byte* data, std::size_t bytes,
                                           std::size_t alignment) {
  if (reinterpret_cast<std::uintptr_t>(data) % alignment == 0) return data;
  copies_.push_back(std::make_unique_for_overwrite<std::byte[]>(bytes));
  std::memcpy(copies_.back().get(), data, bytes);
  return copies_.back().get();
}

Status SafetensorsFiles::add_folder(const std::string& directory, const std::string& folder) {
  QUIRE_ASSIGN_OR_RETURN(SafetensorsFiles added,
                         open(directory + "/" + folder + "/model.safetensors"));
  for (TensorView& tensor : added.tensors_) tensor.name = folder + "." + tensor.name;
  append(std::move(added));
  return ok_status();
}

std::size_t SafetensorsFiles::offset_of(const TensorView& tensor) const {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (tensors_[i].name == tensor.name) return offsets_[i];
  }
  return 0;
}

}  // namespace quire
