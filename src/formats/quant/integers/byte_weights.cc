#include "formats/quant/integers/byte_weights.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "formats/config/fields.h"
#include "formats/quant/module_tensors.h"
#include "tensor/float_bits.h"
#include "tensor/quant_blocks.h"

namespace quire {
namespace {

constexpr const char* kWhere = "of quantization_config in config.json";
constexpr std::string_view kWeight = ".weight";
constexpr std::size_t kLookedAt = std::size_t{1} << 20;  // codes of a matrix

float value_at(const TensorView& tensor, std::size_t i) {
  if (tensor.dtype == DType::kF32) return reinterpret_cast<const float*>(tensor.data)[i];
  const std::uint16_t bits = reinterpret_cast<const std::uint16_t*>(tensor.data)[i];
  return tensor.dtype == DType::kF16 ? half_to_float(bits) : bf16_to_float(bits);
}

Result<std::vector<float>> read_scales(const TensorView& tensor) {
  std::vector<float> scales(tensor.rows() * tensor.columns());
  for (std::size_t i = 0; i < scales.size(); ++i) {
    scales[i] = value_at(tensor, i);
    if (std::isnormal(scales[i]) && scales[i] > 0) continue;
    return error(StatusCode::kCorrupt, "tensor '{}': scale {} is {}, not a positive number",
                 tensor.name, i, scales[i]);
  }
  return scales;
}

// --- EETQ ---

// The library saves what its kernel for GPUs reads: codes + 128, rows and columns woven. There the
// code of 0 is -128 as a signed byte, which rounding to the largest of a row never gives.
Status refuse_woven(const TensorView& codes) {
  const auto* bytes = reinterpret_cast<const std::int8_t*>(codes.data);
  const std::size_t count = std::min(codes.bytes(), kLookedAt);
  if (std::find(bytes, bytes + count, std::int8_t{-128}) == bytes + count) return ok_status();
  return error(StatusCode::kUnsupported,
               "tensor '{}': it has the code -128, so it is laid out for EETQ's CUDA kernels "
               "(preprocessed weights); only int8 weights of [in, out] as they are are read",
               codes.name);
}

Status read_eetq_module(const TensorView& codes, ModuleTensors& tensors) {
  if (codes.shape.size() != 2 || codes.rows() == 0 || codes.columns() == 0) {
    return error(StatusCode::kCorrupt, "tensor '{}': [{}] is no matrix", codes.name,
                 fmt::join(codes.shape, ", "));
  }
  const std::string module = codes.name.substr(0, codes.name.size() - kWeight.size());
  const std::size_t rows = codes.columns(), columns = codes.rows();
  QUIRE_ASSIGN_OR_RETURN(const TensorView* stated,
                         tensors.take_scales(module + ".weight_scales", {rows}));
  QUIRE_ASSIGN_OR_RETURN(std::vector<float> scales, read_scales(*stated));
  QUIRE_RETURN_IF_ERROR(refuse_woven(codes));
  tensors.take_floats(codes.name);
  TensorView view;
  view.name = codes.name;
  view.dtype = DType::kI8A16;
  view.shape = {rows, columns};
  view.scales = {nullptr, 1};
  auto late = std::make_shared<const LateTensor>([from = codes.data, rows, columns] {
    std::vector<std::byte> bytes(rows * columns);
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t k = 0; k < columns; ++k) bytes[row * columns + k] = from[k * rows + row];
    }
    return bytes;
  });
  return tensors.put(std::move(view), std::move(late), "", std::move(scales));
}

Result<ScaledTensors> apply_eetq(const FileTensors& file) {
  ModuleTensors tensors(file);
  std::size_t count = 0;
  for (const TensorView& tensor : file.tensors) {
    if (tensor.dtype != DType::kI8 || !tensor.name.ends_with(kWeight)) continue;
    QUIRE_RETURN_IF_ERROR(read_eetq_module(tensor, tensors));
    ++count;
  }
  if (count > 0) return tensors.result();
  return error(StatusCode::kCorrupt, "quantization_config in config.json: no weight is I8");
}

// --- torchao ---

// Parts of a weight that was a class: "MODULE._weight_qdata", of earlier versions
// "MODULE.weight:qdata".
struct Ending {
  std::string_view codes, scale, zero;
};
constexpr Ending kEndings[] = {
    {"._weight_qdata", "._weight_scale", "._weight_zero_point"},
    {".weight:qdata", ".weight:scale", ".weight:zero_point"},
};

enum class TorchAo { kInt8, kInt8Activations, kInt4 };

Status read_int8(const std::string& module, const Ending& ending, TorchAo type,
                 const TensorView& codes, ModuleTensors& tensors) {
  const std::string name = module + std::string(ending.scale);
  const TensorView* stated = tensors.floats(name);
  if (stated == nullptr) {
    return error(StatusCode::kCorrupt, "tensor '{}': missing, but quantization_config needs it",
                 name);
  }
  QUIRE_RETURN_IF_ERROR(tensors.take_scales(name, stated->shape).status());
  QUIRE_ASSIGN_OR_RETURN(std::vector<float> scales, read_scales(*stated));
  TensorView view = codes;
  view.name = module + std::string(kWeight);
  view.dtype = type == TorchAo::kInt8 ? DType::kI8A16 : DType::kI8;
  const std::size_t rows = codes.rows(), columns = codes.columns();
  const std::size_t groups = scales.size() / rows;
  const bool is_grouped = type == TorchAo::kInt8 && scales.size() % rows == 0 && groups > 1 &&
                          columns % groups == 0;
  if (scales.size() != 1 && scales.size() != rows && !is_grouped) {
    return error(StatusCode::kCorrupt,
                 "tensor '{}': {} scales, but '{}' [{}, {}] has one, one for each row or one for "
                 "each group of it", name, scales.size(), codes.name, rows, columns);
  }
  view.scales = {nullptr, scales.size() == 1 ? rows : 1};
  if (is_grouped && scales.size() != rows) view.scales.per_columns = columns / groups;
  if (const TensorView* zeros = tensors.take_floats(module + std::string(ending.zero))) {
    const bool is_zero = std::all_of(zeros->data, zeros->data + zeros->bytes(),
                                     [](std::byte byte) { return byte == std::byte{0}; });
    if (!is_zero) {
      return error(StatusCode::kUnsupported, "tensor '{}': zero points other than 0", zeros->name);
    }
  }
  tensors.put(codes, std::move(view), std::move(scales));
  return ok_status();
}

// code * scale + zero, with a scale and a zero for each group of a row, [groups, rows].
struct Int4 {
  std::size_t rows = 0, columns = 0, group = 0;
  const std::byte* codes = nullptr;
  TensorView scales, zeros;

  unsigned code(std::size_t row, std::size_t column) const {  // + 8
    const auto byte = static_cast<unsigned>(codes[(row * columns + column) / 2]);
    return (byte >> (column % 2 * 4) & 15u) ^ 8u;
  }
  float value(std::size_t row, std::size_t column) const {
    const std::size_t at = column / group * rows + row;
    return (static_cast<float>(code(row, column)) - 8) * value_at(scales, at) +
           value_at(zeros, at);
  }
};

std::vector<std::byte> make_blocks(const Int4& weight) {
  std::vector<std::byte> bytes(weight.rows * row_bytes(DType::kQ4_F, weight.columns));
  std::byte* out = bytes.data();
  for (std::size_t row = 0; row < weight.rows; ++row) {
    for (std::size_t first = 0; first < weight.columns; first += 64) {
      const std::size_t at = first / weight.group * weight.rows + row;
      BlockQ4_F block = {};
      block.d = value_at(weight.scales, at);
      block.m = value_at(weight.zeros, at) - 8 * block.d;
      for (std::size_t i = 0; i < 64; ++i) {
        std::uint8_t& byte = block.qs[i / 32 * 16 + i % 16];
        byte = static_cast<std::uint8_t>(byte |
                                         weight.code(row, first + i) << (i % 32 / 16 * 4));
      }
      std::memcpy(out, &block, sizeof block);
      out += sizeof block;
    }
  }
  return bytes;
}

Status read_int4(const std::string& module, const Ending& ending, const TensorView& codes,
                 ModuleTensors& tensors) {
  Int4 weight;
  weight.rows = codes.rows();
  weight.columns = 2 * codes.columns();
  weight.codes = codes.data;
  const std::string name = module + std::string(ending.scale);
  const TensorView* stated = tensors.floats(name);
  const std::size_t groups =
      stated == nullptr || stated->shape.size() != 2 ? 0 : stated->shape[0];
  if (groups == 0 || weight.columns % groups != 0) {
    return error(StatusCode::kCorrupt, "tensor '{}': {}", name,
                 stated == nullptr ? "missing, but quantization_config needs it"
                                   : "it is not of whole groups");
  }
  weight.group = weight.columns / groups;
  const ModuleTensors::Shape shape = {groups, weight.rows};
  QUIRE_ASSIGN_OR_RETURN(const TensorView* scales, tensors.take_scales(name, shape));
  QUIRE_ASSIGN_OR_RETURN(const TensorView* zeros,
                         tensors.take_scales(module + std::string(ending.zero), shape));
  weight.scales = *scales;
  weight.zeros = *zeros;
  for (std::size_t i = 0; i < groups * weight.rows; ++i) {
    for (const TensorView* part : {scales, zeros}) {
      const float value = value_at(*part, i);
      if (std::isfinite(value) && (value != 0 || part == zeros)) continue;
      return error(StatusCode::kCorrupt, "tensor '{}': value {} is {}, not a number that it may be",
                   part->name, i, value);
    }
  }
  tensors.take_floats(codes.name);
  TensorView view;
  view.name = module + std::string(kWeight);
  view.dtype = weight.group % 64 == 0 ? DType::kQ4_F : DType::kBF16;
  view.shape = {weight.rows, weight.columns};
  auto late = std::make_shared<const LateTensor>([weight, dtype = view.dtype] {
    if (dtype == DType::kQ4_F) return make_blocks(weight);
    std::vector<std::byte> bytes(weight.rows * weight.columns * sizeof(std::uint16_t));
    auto* out = reinterpret_cast<std::uint16_t*>(bytes.data());
    for (std::size_t row = 0; row < weight.rows; ++row) {
      for (std::size_t k = 0; k < weight.columns; ++k) {
        *out++ = float_to_bf16(weight.value(row, k));
      }
    }
    return bytes;
  });
  const char* const reason = view.dtype == DType::kQ4_F ? "" : "its zeros are floats";
  return tensors.put(std::move(view), std::move(late), reason);
}

Result<ScaledTensors> apply_torchao(TorchAo type, const FileTensors& file) {
  ModuleTensors tensors(file);
  std::size_t count = 0;
  for (const TensorView& tensor : file.tensors) {
    for (const Ending& ending : kEndings) {
      if (!tensor.name.ends_with(ending.codes)) continue;
      const bool is_matrix = tensor.shape.size() == 2 && tensor.rows() > 0 && tensor.columns() > 0;
      if (tensor.dtype != DType::kI8 || !is_matrix) {
        return error(StatusCode::kCorrupt, "tensor '{}': {} [{}], but a matrix of I8 is needed",
                     tensor.name, dtype_name(tensor.dtype), fmt::join(tensor.shape, ", "));
      }
      const std::string module = tensor.name.substr(0, tensor.name.size() - ending.codes.size());
      QUIRE_RETURN_IF_ERROR(type == TorchAo::kInt4
                                ? read_int4(module, ending, tensor, tensors)
                                : read_int8(module, ending, type, tensor, tensors));
      ++count;
    }
  }
  if (count > 0) return tensors.result();
  return error(StatusCode::kCorrupt, "quantization_config in config.json: no tensor of I8 is "
               "called '...{}'", kEndings[0].codes);
}

// The layout by the name that version 2 has for it.
Status check_packing(const Json& type) {
  const Json* data = type.find("_data");
  const Json* format = data != nullptr && data->is_object() ? data->find("int4_packing_format")
                                                            : nullptr;
  if (format != nullptr && format->is_object()) format = format->find("_data");
  std::string name = format != nullptr && format->is_string() ? format->as_string() : "";
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (name == "plain") return ok_status();
  return error(StatusCode::kUnsupported,
               "int4_packing_format {}: '{}' is not supported, only PLAIN: the others are laid out "
               "for one kind of accelerator", kWhere, name.empty() ? "tinygemm" : name);
}

Result<TorchAo> read_type(const Json& config) {
  const Json* types = config.find("quant_type");
  const Json* type = types != nullptr && types->is_object() && types->members().size() == 1
                         ? types->find("default")
                         : nullptr;
  const Json* name = type != nullptr && type->is_object() ? type->find("_type") : nullptr;
  if (name == nullptr || !name->is_string()) {
    return error(StatusCode::kUnsupported,
                 "quant_type {}: {} is not supported, only an object of the library under "
                 "'default'", kWhere, types == nullptr ? "nothing" : dump(*types).substr(0, 64));
  }
  if (name->as_string() == "Int8WeightOnlyConfig") return TorchAo::kInt8;
  if (name->as_string() == "Int8DynamicActivationInt8WeightConfig") {
    return TorchAo::kInt8Activations;
  }
  if (name->as_string() == "Int4WeightOnlyConfig") {
    QUIRE_RETURN_IF_ERROR(check_packing(*type));
    return TorchAo::kInt4;
  }
  return error(StatusCode::kUnsupported,
               "quant_type {}: '{}' is not supported, only Int8WeightOnlyConfig, "
               "Int8DynamicActivationInt8WeightConfig and Int4WeightOnlyConfig", kWhere,
               name->as_string().substr(0, 64));
}

Status check_keys(const Json& config, std::initializer_list<std::string_view> known) {
  const ConfigFields fields = ConfigFields::of_json(config, kWhere);
  for (const auto& [name, value] : config.members()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) fields.refuse(name.c_str());
  }
  return fields.status();
}

}  // namespace

Result<Quantization> read_eetq(const Json& quantization_config) {
  QUIRE_RETURN_IF_ERROR(check_keys(quantization_config,
                                   {"quant_method", "weights", "modules_to_not_convert"}));
  const ConfigFields fields = ConfigFields::of_json(quantization_config, kWhere);
  if (fields.has("weights")) fields.refuse_unless("weights", "int8");
  QUIRE_RETURN_IF_ERROR(fields.status());
  Quantization quantization;
  quantization.text = "eetq, int8, a scale for each row";
  quantization.apply = apply_eetq;
  return quantization;
}

Result<Quantization> read_torchao(const Json& quantization_config) {
  QUIRE_RETURN_IF_ERROR(
      check_keys(quantization_config,
                 {"quant_method", "quant_type", "modules_to_not_convert", "quant_type_kwargs",
                  "include_input_output_embeddings", "untie_embedding_weights"}));
  QUIRE_ASSIGN_OR_RETURN(const TorchAo type, read_type(quantization_config));
  Quantization quantization;
  quantization.text = type == TorchAo::kInt4   ? "torchao, 4 bits"
                      : type == TorchAo::kInt8 ? "torchao, int8"
                                               : "torchao, W8A8";
  quantization.apply = [type](const FileTensors& file) { return apply_torchao(type, file); };
  return quantization;
}

}  // namespace quire
