#include "formats/quant/floats/small_floats.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "formats/config/fields.h"
#include "formats/quant/floats/codes_beside.h"
#include "tensor/float_bits.h"
#include "tensor/quant_blocks.h"

namespace quire {
namespace {

constexpr const char* kWhere = "of quantization_config in config.json";

std::size_t group_of(DType dtype) { return dtype == DType::kMXFP4 ? 32 : 16; }

std::size_t rows_of(const SmallFloats& weight) {
  std::size_t rows = 1;
  for (std::size_t i = 0; i + 1 < weight.shape.size(); ++i) rows *= weight.shape[i];
  return rows;
}

std::uint8_t code_at(const std::uint8_t* codes, std::size_t i) {
  return static_cast<std::uint8_t>(codes[i / 2] >> (i % 2 * 4) & 15);
}

// `half` values behind each other go to the low halves of as many bytes, the next to the high ones.
void fold(const std::uint8_t* codes, std::size_t first, std::size_t half, std::uint8_t* out) {
  for (std::size_t i = 0; i < half; ++i) {
    out[i] = static_cast<std::uint8_t>(code_at(codes, first + i) |
                                       code_at(codes, first + half + i) << 4);
  }
}

std::vector<std::byte> make_mxfp4(const SmallFloats& weight) {
  const std::size_t blocks = rows_of(weight) * weight.shape.back() / 32;
  std::vector<std::byte> bytes(blocks * sizeof(BlockMXFP4));
  for (std::size_t i = 0; i < blocks; ++i) {
    BlockMXFP4 block;
    block.e = weight.scales[i];
    fold(weight.codes, 32 * i, 16, block.qs);
    std::memcpy(&bytes[i * sizeof block], &block, sizeof block);
  }
  return bytes;
}

std::vector<std::byte> make_nvfp4(const SmallFloats& weight) {
  const std::size_t blocks = rows_of(weight) * weight.shape.back() / 64;
  std::vector<std::byte> bytes(blocks * sizeof(BlockNVFP4));
  for (std::size_t i = 0; i < blocks; ++i) {
    BlockNVFP4 block;
    for (std::size_t part = 0; part < 4; ++part) {
      block.d[part] = weight.scales[4 * i + part];
      fold(weight.codes, 64 * i + 16 * part, 8, block.qs + 8 * part);
    }
    std::memcpy(&bytes[i * sizeof block], &block, sizeof block);
  }
  return bytes;
}

std::vector<std::byte> make_bf16(const SmallFloats& weight) {
  const std::size_t count = rows_of(weight) * weight.shape.back();
  std::vector<std::byte> bytes(count * sizeof(std::uint16_t));
  auto* out = reinterpret_cast<std::uint16_t*>(bytes.data());
  for (std::size_t i = 0; i < count; ++i) {
    const int twice = kTableMXFP4[code_at(weight.codes, i)] - 16;
    const float scale = e4m3_to_float(weight.scales[i / 16]) * weight.matrix_scale;
    out[i] = float_to_bf16(0.5f * static_cast<float>(twice) * scale);
  }
  return bytes;
}

// E8M0: 255 is NaN; E4M3: 127 is, and a sign would be none of a scale.
Status check_scales(const SmallFloats& weight) {
  const std::size_t count = rows_of(weight) * weight.shape.back() / group_of(weight.dtype);
  for (std::size_t i = 0; i < count; ++i) {
    const int code = weight.scales[i];
    if (weight.dtype == DType::kMXFP4 ? code != 255 : code < 127) continue;
    return error(StatusCode::kCorrupt, "tensor '{}': scale {} has the code {}, which is no scale",
                 weight.scales_name, i, code);
  }
  return ok_status();
}

Result<float> read_matrix_scale(const std::string& name, bool is_divided, ModuleTensors& tensors) {
  const TensorView* scale = tensors.take_floats(name);
  if (scale == nullptr || scale->dtype != DType::kF32 || scale->bytes() != sizeof(float)) {
    return error(StatusCode::kCorrupt, "tensor '{}': {}", name,
                 scale == nullptr ? "missing, but quantization_config needs it"
                                  : "it is not one F32");
  }
  float value;
  std::memcpy(&value, scale->data, sizeof value);
  if (is_divided) value = 1 / value;
  if (std::isnormal(value) && value > 0) return value;
  return error(StatusCode::kCorrupt, "tensor '{}': {} is no scale of a matrix", name, value);
}

// The bytes of a tensor of U8, or of F8 where the scales are E4M3.
Result<const std::uint8_t*> scale_bytes(const std::string& name, DType dtype,
                                        const ModuleTensors::Shape& shape,
                                        ModuleTensors& tensors) {
  if (dtype == DType::kMXFP4) {
    QUIRE_ASSIGN_OR_RETURN(const IntegerTensor* scales, tensors.take_octets(name, shape));
    return reinterpret_cast<const std::uint8_t*>(scales->data);
  }
  QUIRE_ASSIGN_OR_RETURN(const TensorView* scales, tensors.take_of(DType::kF8, name, shape));
  return reinterpret_cast<const std::uint8_t*>(scales->data);
}

Status read_module(const SmallFloatModules& layout, const std::string& module,
                   ModuleTensors& tensors) {
  SmallFloats weight;
  weight.name = module + ".weight";
  weight.dtype = layout.dtype;
  QUIRE_ASSIGN_OR_RETURN(const IntegerTensor* codes,
                         tensors.take_octets(module + std::string(layout.codes_ending)));
  const std::size_t columns = 2 * codes->shape[1], group = group_of(layout.dtype);
  if (columns % group != 0) {
    return error(StatusCode::kCorrupt, "tensor '{}': {} inputs are no whole groups of {}",
                 codes->name, columns, group);
  }
  weight.shape = {codes->shape[0], columns};
  weight.codes = reinterpret_cast<const std::uint8_t*>(codes->data);
  weight.scales_name = module + ".weight_scale";
  QUIRE_ASSIGN_OR_RETURN(weight.scales,
                         scale_bytes(weight.scales_name, layout.dtype,
                                     {weight.shape[0], columns / group}, tensors));
  if (layout.dtype == DType::kNVFP4) {
    QUIRE_ASSIGN_OR_RETURN(weight.matrix_scale,
                           read_matrix_scale(module + std::string(layout.matrix_ending),
                                             layout.is_divided, tensors));
  }
  weight.input = layout.asked.rule;
  if (layout.asked.is_stated) {
    QUIRE_ASSIGN_OR_RETURN(const float stated, tensors.take_input_scale(module));
    weight.input.scale = layout.is_divided && stated > 0 ? 1 / stated : stated;
  }
  return put_small_floats(std::move(weight), tensors);
}

// Of gpt-oss: the experts of a layer.
Status read_stack(const std::string& stack, ModuleTensors& tensors) {
  QUIRE_ASSIGN_OR_RETURN(const IntegerTensor* codes,
                         tensors.take_octets(stack + "_blocks", {}, 4));
  if (codes->shape[3] != 16) {
    return error(StatusCode::kCorrupt, "tensor '{}': blocks of {} bytes, not 16", codes->name,
                 codes->shape[3]);
  }
  SmallFloats weight;
  weight.name = stack + ".weight";
  weight.shape = {codes->shape[0], codes->shape[1], codes->shape[2] * 32};
  weight.scales_name = stack + "_scales";
  weight.codes = reinterpret_cast<const std::uint8_t*>(codes->data);
  QUIRE_ASSIGN_OR_RETURN(
      const IntegerTensor* scales,
      tensors.take_octets(weight.scales_name,
                          {codes->shape[0], codes->shape[1], codes->shape[2]}));
  weight.scales = reinterpret_cast<const std::uint8_t*>(scales->data);
  return put_small_floats(std::move(weight), tensors);
}

}  // namespace

AskedInput asked_fp4(DType dtype) {
  AskedInput asked;
  const bool is_nvfp4 = dtype == DType::kNVFP4;
  asked.rule.rounding = is_nvfp4 ? InputRule::Rounding::kNvfp4 : InputRule::Rounding::kMxfp4;
  asked.is_stated = is_nvfp4;
  asked.text = is_nvfp4 ? "NVFP4 in groups of 16 with a scale that each module states"
                        : "MXFP4 in groups of 32";
  return asked;
}

Status put_small_floats(SmallFloats weight, ModuleTensors& tensors) {
  QUIRE_RETURN_IF_ERROR(check_scales(weight));
  TensorView view;
  view.name = weight.name;
  view.shape = weight.shape;
  view.input = weight.input;
  view.dtype = weight.dtype;
  std::string reason;
  if (weight.dtype == DType::kNVFP4 && view.columns() % 64 != 0) {
    view.dtype = DType::kBF16;
    reason = fmt::format("rows of {} are no whole blocks of 64", view.columns());
  }
  std::vector<float> scales;
  if (view.dtype == DType::kNVFP4) {
    scales = {weight.matrix_scale};
    view.scales = {nullptr, view.rows()};
  }
  auto late = std::make_shared<const LateTensor>([kept = std::move(weight), dtype = view.dtype] {
    if (dtype == DType::kBF16) return make_bf16(kept);
    return dtype == DType::kMXFP4 ? make_mxfp4(kept) : make_nvfp4(kept);
  });
  return tensors.put(std::move(view), std::move(late), std::move(reason), std::move(scales));
}

Result<ScaledTensors> apply_small_floats(const SmallFloatModules& layout, const FileTensors& file) {
  ModuleTensors tensors(file);
  std::size_t count = 0;
  for (const IntegerTensor& tensor : file.integers) {
    if (tensor.width != 1 || !tensor.name.ends_with(layout.codes_ending)) continue;
    const std::string module =
        tensor.name.substr(0, tensor.name.size() - layout.codes_ending.size());
    QUIRE_RETURN_IF_ERROR(read_module(layout, module, tensors));
    ++count;
  }
  if (count == 0) {
    return error(StatusCode::kCorrupt,
                 "quantization_config in config.json: no tensor of U8 is called '...{}'",
                 layout.codes_ending);
  }
  drop_activation_scales(file, tensors);
  return tensors.result();
}

Result<Quantization> read_mxfp4(const Json& quantization_config) {
  const ConfigFields fields = ConfigFields::of_json(quantization_config, kWhere);
  for (const auto& [name, value] : quantization_config.members()) {
    // Which modules are codes is what the names of their tensors say.
    const bool is_record =
        name == "quant_method" || name == "modules_to_not_convert" || name == "dequantize";
    if (!is_record) fields.refuse(name.c_str());
  }
  QUIRE_RETURN_IF_ERROR(fields.status());
  Quantization quantization;
  quantization.text = "mxfp4, groups of 32";
  quantization.takes_integers = true;
  quantization.apply = [](const FileTensors& file) -> Result<ScaledTensors> {
    ModuleTensors tensors(file);
    QUIRE_ASSIGN_OR_RETURN(const auto stacks, tensors.modules("_blocks"));
    for (const std::string& stack : stacks) QUIRE_RETURN_IF_ERROR(read_stack(stack, tensors));
    return tensors.result();
  };
  return quantization;
}

}  // namespace quire
