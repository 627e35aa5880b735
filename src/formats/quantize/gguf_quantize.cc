#include "formats/quantize/gguf_quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <thread>

#include "formats/quantize/mixture.h"
#include "formats/quantize/row_quantizers.h"

namespace quire {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{4} << 20;    // of the source, or one row
constexpr std::uint64_t kDropEvery = std::uint64_t{64} << 20;  // bytes read
constexpr std::uint32_t kQuantizationVersion = 2;
constexpr std::string_view kFileTypeKey = "general.file_type";
constexpr std::string_view kVersionKey = "general.quantization_version";

template <typename T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_string(std::string& out, std::string_view text) {
  put(out, std::uint64_t{text.size()});
  out += text;
}

void put_u32(std::string& out, std::string_view key, std::uint32_t value) {
  put_string(out, key);
  put(out, GgufType::kU32);
  put(out, value);
}

template <typename Number>
Number round_up(Number value, Number multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

std::size_t size_of(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool: return 1;
    case GgufType::kU16:
    case GgufType::kI16: return 2;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64: return 8;
    default: return 4;
  }
}

// A value's bytes as they lie in the file, which gguf_parse has walked over.
std::string_view bytes_of(std::span<const std::byte> file, const GgufEntry& entry) {
  const bool is_array = entry.type == GgufType::kArray;
  const GgufType type = is_array ? entry.element_type : entry.type;
  const std::uint64_t count = is_array ? entry.count : 1;
  std::size_t size = 0;
  if (type == GgufType::kString) {
    for (std::uint64_t i = 0; i < count; ++i) {
      std::uint64_t length = 0;
      std::memcpy(&length, file.data() + entry.offset + size, sizeof length);
      size += sizeof length + static_cast<std::size_t>(length);
    }
  } else {
    size = static_cast<std::size_t>(count) * size_of(type);
  }
  return {reinterpret_cast<const char*>(file.data()) + entry.offset, size};
}

void put_entry(std::string& out, std::span<const std::byte> file, const GgufEntry& entry) {
  put_string(out, entry.key);
  put(out, entry.type);
  if (entry.type == GgufType::kArray) {
    put(out, entry.element_type);
    put(out, entry.count);
  }
  out += bytes_of(file, entry);
}

// Metadata in the order of the file; what is said anew stands where it stood, or at the end.
std::string metadata(const GgufFile& source, const FileType& type, std::uint64_t& count) {
  std::vector<GgufEntry> entries(source.entries().begin(), source.entries().end());
  std::sort(entries.begin(), entries.end(),
            [](const GgufEntry& a, const GgufEntry& b) { return a.offset < b.offset; });
  const std::span<const std::byte> file = source.files()[0].bytes();
  std::map<std::string_view, std::uint32_t> anew = {{kFileTypeKey, type.number}};
  if (!type.is_float()) anew.emplace(kVersionKey, kQuantizationVersion);
  std::string out;
  for (const GgufEntry& entry : entries) {
    if (entry.key.starts_with("split.")) continue;  // one file comes of the parts
    ++count;
    if (const auto said = anew.find(entry.key); said != anew.end()) {
      put_u32(out, said->first, said->second);
      anew.erase(said);
    } else {
      put_entry(out, file, entry);
    }
  }
  for (const auto& [key, value] : anew) put_u32(out, key, value);
  count += anew.size();
  return out;
}

// The part of the weights that has the most bytes says what the model is.
std::string_view main_type(std::span<const TensorView> tensors) {
  std::map<DType, std::uint64_t> bytes;
  for (const TensorView& tensor : tensors) {
    if (is_quantizable(tensor)) bytes[tensor.dtype] += tensor.bytes();
  }
  const auto most = std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) {
    return a.second < b.second;
  });
  return most == bytes.end() ? "F32" : dtype_name(most->first);
}

Result<std::uint64_t> number(const GgufFile& source, const std::string& key) {
  const auto value = source.u64(key);
  return value.is_ok() ? value->value_or(0) : 0;  // a list, one for each layer: not said
}

bool is_float(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

// Rows that follow each other in one tensor.
struct Piece {
  const TensorView* tensor;
  DType to;
  std::size_t first_row, rows;
};

Status check_values(const Piece& piece, std::size_t row, std::span<const float> values) {
  const bool is_wide = piece.to == DType::kF32 || piece.to == DType::kBF16;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::fabs(values[i]) <= kQuantizableMax || (is_wide && std::isfinite(values[i]))) continue;
    return error(StatusCode::kCorrupt,
                 "tensor '{}' has {} at row {}, column {}, which {} cannot hold",
                 piece.tensor->name, values[i], row, i, dtype_name(piece.to));
  }
  return ok_status();
}

// A row at a time, by whoever has time; the first fault by row is told.
Status quantize_piece(const Piece& piece, int threads, std::byte* out) {
  const TensorView& tensor = *piece.tensor;
  const std::size_t columns = tensor.columns();
  const std::size_t from_bytes = row_bytes(tensor.dtype, columns);
  const std::size_t to_bytes = row_bytes(piece.to, columns);
  std::atomic<std::size_t> next{0};
  const auto crew = static_cast<std::size_t>(
      std::clamp<std::size_t>(piece.rows, 1, static_cast<std::size_t>(std::max(threads, 1))));
  struct Fault {
    std::size_t row = 0;
    Status status;
  };
  std::vector<Fault> faults(crew);
  std::vector<std::vector<float>> rooms(crew, std::vector<float>(columns));  // a thread cannot fail
  const auto work = [&](std::size_t worker) {
    std::vector<float>& values = rooms[worker];
    for (std::size_t i = next++; i < piece.rows; i = next++) {
      const std::size_t row = piece.first_row + i;
      widen_float_row(tensor.dtype, tensor.data + row * from_bytes, columns, values.data());
      Status status = check_values(piece, row, values);
      if (!status.is_ok()) {
        faults[worker] = {row, std::move(status)};
        return;
      }
      quantize_row(piece.to, values.data(), columns, out + i * to_bytes);
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t worker = 1; worker < crew; ++worker) others.emplace_back(work, worker);
    work(0);
  }
  const Fault* first = nullptr;
  for (const Fault& fault : faults) {
    if (fault.status.is_ok()) continue;
    if (first == nullptr || fault.row < first->row) first = &fault;
  }
  return first == nullptr ? ok_status() : first->status;
}

// The state of one run.
class Run {
 public:
  Run(const GgufFile& source, const QuantizePlan& plan, int threads, const QuantizeSink& sink)
      : source_(source), plan_(plan), threads_(threads), sink_(sink) {}

  Status all() {
    QUIRE_RETURN_IF_ERROR(write(std::as_bytes(std::span(plan_.header))));
    for (std::size_t i = 0; i < source_.tensors().size(); ++i) {
      QUIRE_RETURN_IF_ERROR(tensor(source_.tensors()[i], plan_.dtypes[i]));
    }
    for (const MappedFile& file : source_.files()) QUIRE_RETURN_IF_ERROR(file.health());
    return ok_status();
  }

 private:
  Status write(std::span<const std::byte> bytes) {
    written_ += bytes.size();
    return sink_.write(bytes);
  }

  Status tensor(const TensorView& tensor, DType to) {
    const std::size_t from_bytes = row_bytes(tensor.dtype, tensor.columns());
    const std::size_t rows_at_once = std::max<std::size_t>(1, kPieceBytes / from_bytes);
    for (std::size_t row = 0; row < tensor.rows(); row += rows_at_once) {
      if (sink_.stop != nullptr && *sink_.stop) {
        return error(StatusCode::kUnavailable, "quantizing was ended");
      }
      const Piece piece{&tensor, to, row, std::min(rows_at_once, tensor.rows() - row)};
      QUIRE_RETURN_IF_ERROR(this->piece(piece));
      advance(piece.rows * from_bytes);
    }
    const std::uint64_t padding = round_up<std::uint64_t>(written_, plan_.alignment) - written_;
    const std::string zeros(padding, '\0');
    return write(std::as_bytes(std::span(zeros)));
  }

  Status piece(const Piece& piece) {
    const TensorView& tensor = *piece.tensor;
    if (piece.to == tensor.dtype) {
      const std::size_t bytes = row_bytes(tensor.dtype, tensor.columns());
      return write({tensor.data + piece.first_row * bytes, piece.rows * bytes});
    }
    out_.resize(piece.rows * row_bytes(piece.to, tensor.columns()));
    QUIRE_RETURN_IF_ERROR(quantize_piece(piece, threads_, out_.data()));
    return write(out_);
  }

  void advance(std::uint64_t bytes) {
    read_ += bytes;
    if (sink_.advance) sink_.advance(read_);
    if (read_ - dropped_ < kDropEvery) return;
    dropped_ = read_;
    for (const MappedFile& file : source_.files()) file.drop_resident();
  }

  const GgufFile& source_;
  const QuantizePlan& plan_;
  const int threads_;
  const QuantizeSink& sink_;
  std::vector<std::byte> out_;
  std::uint64_t written_ = 0, read_ = 0, dropped_ = 0;
};

}  // namespace

Result<QuantizePlan> plan_quantization(const GgufFile& source, const FileType& type) {
  QuantizePlan plan{.type = type, .from = std::string(main_type(source.tensors())), .dtypes = {},
                    .header = {}};
  QUIRE_ASSIGN_OR_RETURN(const auto architecture, source.string("general.architecture"));
  const std::string prefix(architecture.value_or(""));
  MixtureFacts facts;
  QUIRE_ASSIGN_OR_RETURN(facts.experts, number(source, prefix + ".expert_count"));
  QUIRE_ASSIGN_OR_RETURN(facts.heads, number(source, prefix + ".attention.head_count"));
  QUIRE_ASSIGN_OR_RETURN(facts.kv_heads, number(source, prefix + ".attention.head_count_kv"));
  QUIRE_ASSIGN_OR_RETURN(const auto alignment, source.u64("general.alignment"));
  plan.alignment = static_cast<std::size_t>(alignment.value_or(32));
  plan.dtypes = mixed_types(type, facts, source.tensors());
  std::string descriptions;
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < plan.dtypes.size(); ++i) {
    const TensorView& tensor = source.tensors()[i];
    const DType to = plan.dtypes[i];
    if (is_quantizable(tensor) && !is_float(tensor.dtype)) {
      return error(StatusCode::kInvalidArgument,
                   "quantization is only supported for F16, BF16 and F32 models; tensor '{}' is {}",
                   tensor.name, dtype_name(tensor.dtype));
    }
    put_string(descriptions, tensor.name);
    put(descriptions, static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size) {
      put(descriptions, std::uint64_t{*size});
    }
    put(descriptions, static_cast<std::uint32_t>(dtype_info(to).gguf_type));
    put(descriptions, offset);
    const std::uint64_t bytes = tensor.rows() * row_bytes(to, tensor.columns());
    offset += round_up<std::uint64_t>(bytes, plan.alignment);
    plan.source_bytes += tensor.bytes();
  }
  std::uint64_t entries = 0;
  const std::string said = metadata(source, type, entries);
  plan.header = kGgufMagic;
  put(plan.header, std::uint32_t{3});
  put(plan.header, std::uint64_t{plan.dtypes.size()});
  put(plan.header, entries);
  plan.header += said + descriptions;
  plan.header.resize(round_up(plan.header.size(), plan.alignment));
  plan.bytes = plan.header.size() + offset;
  return plan;
}

Status quantize_gguf(const GgufFile& source, const QuantizePlan& plan, int threads,
                     const QuantizeSink& sink) {
  return Run(source, plan, threads, sink).all();
}

}  // namespace quire
