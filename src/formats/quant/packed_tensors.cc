#include "formats/quant/packed_tensors.h"

#include <cstring>
#include <tuple>

#include "base/check.h"
#include "formats/quant/module_tensors.h"

namespace quire {
namespace {

constexpr std::string_view kPacked = ".weight_packed";
constexpr std::string_view kWeight = ".weight";

// [out, in] of a module, as it says itself.
Result<std::pair<std::size_t, std::size_t>> read_shape(const std::string& name,
                                                       ModuleTensors& tensors) {
  const IntegerTensor* shape = tensors.take_any(name);
  if (shape == nullptr || shape->shape != ModuleTensors::Shape{2}) {
    return error(StatusCode::kCorrupt, "tensor '{}': {}", name,
                 shape == nullptr ? "missing, but quantization_config needs it"
                                  : "it is not two integers");
  }
  std::int64_t sizes[2];
  for (int i = 0; i < 2; ++i) {
    std::int32_t narrow;
    std::memcpy(&narrow, shape->data + 4 * i, 4);
    sizes[i] = narrow;
    if (shape->width == 8) std::memcpy(&sizes[i], shape->data + 8 * i, 8);
    if (sizes[i] > 0 && sizes[i] <= std::int64_t{1} << 31) continue;
    return error(StatusCode::kCorrupt, "tensor '{}': {} is no size of a matrix", name, sizes[i]);
  }
  return std::pair(static_cast<std::size_t>(sizes[0]), static_cast<std::size_t>(sizes[1]));
}

Status read_zeros(const CompressedTensors& quantization, const std::string& module,
                  ModuleTensors& tensors, GroupedCodes& codes) {
  const auto bits = static_cast<std::size_t>(quantization.bits);
  codes.zero = 1 << (bits - 1);
  if (quantization.is_symmetric) return ok_status();
  const std::string name = module + ".weight_zero_point";
  if (tensors.floats(name) != nullptr) {
    QUIRE_ASSIGN_OR_RETURN(const TensorView* bytes,
                           tensors.take_bytes(name, {codes.rows, codes.groups()}));
    codes.small_zeros = reinterpret_cast<const std::int8_t*>(bytes->data);
    return ok_status();
  }
  if (codes.rows * bits % 32 != 0) {
    return error(StatusCode::kUnsupported, "tensor '{}': {} zeros of {} bits are no whole words",
                 name, codes.rows, bits);
  }
  QUIRE_ASSIGN_OR_RETURN(const IntegerTensor* zeros,
                         tensors.take_words(name, {codes.rows * bits / 32, codes.groups()}));
  codes.zeros = {zeros->words(), quantization.bits, codes.groups(), 1};
  return ok_status();
}

Status read_module(const CompressedTensors& quantization, const std::string& module,
                   ModuleTensors& tensors) {
  const std::string name = module + std::string(kPacked);
  if (quantization.is_ignored(module)) {
    return error(StatusCode::kCorrupt,
                 "tensor '{}': there, but ignore of quantization_config in config.json lists its "
                 "module",
                 name);
  }
  const auto bits = static_cast<std::size_t>(quantization.bits);
  QUIRE_ASSIGN_OR_RETURN(const auto shape, read_shape(module + ".weight_shape", tensors));
  GroupedCodes codes;
  codes.name = module + std::string(kWeight);
  std::tie(codes.rows, codes.columns) = shape;
  const std::size_t in_row = (codes.columns * bits + 31) / 32;
  QUIRE_ASSIGN_OR_RETURN(const IntegerTensor* words,
                         tensors.take_words(name, {codes.rows, in_row}));
  codes.codes = {words->words(), quantization.bits, 1, in_row};
  codes.group = quantization.group == 0 ? codes.columns
                                        : static_cast<std::size_t>(quantization.group);
  if (codes.columns % codes.group != 0) {
    return error(StatusCode::kCorrupt, "tensor '{}': {} inputs are no whole groups of {}", name,
                 codes.columns, codes.group);
  }
  QUIRE_ASSIGN_OR_RETURN(const TensorView* scales,
                         tensors.take_scales(module + ".weight_scale",
                                             {codes.rows, codes.groups()}));
  codes.scales = *scales;
  codes.scale_row = codes.groups();
  QUIRE_RETURN_IF_ERROR(read_zeros(quantization, module, tensors, codes));
  QUIRE_ASSIGN_OR_RETURN(
      codes.group_of,
      tensors.take_groups(module + ".weight_g_idx", codes.columns, codes.group));
  if (quantization.asked.is_stated) {
    codes.input = quantization.asked.rule;
    QUIRE_ASSIGN_OR_RETURN(codes.input.scale, tensors.take_input_scale(module));
  }
  return tensors.put(std::move(codes));
}

// A linear layer that is no codes must be one of those that stay as they are.
Status check_floats(const CompressedTensors& quantization, const FileTensors& file) {
  for (const TensorView& tensor : file.tensors) {
    const bool is_linear = tensor.shape.size() == 2 && tensor.name.ends_with(kWeight) &&
                           !tensor.name.ends_with("embed_tokens.weight");
    if (!is_linear) continue;
    const std::string module = tensor.name.substr(0, tensor.name.size() - kWeight.size());
    if (quantization.is_ignored(module)) continue;
    return error(StatusCode::kCorrupt,
                 "tensor '{}' {}: it is {}, but ignore of quantization_config in config.json does "
                 "not list its module",
                 tensor.name, file.place(tensor), dtype_name(tensor.dtype));
  }
  return ok_status();
}

}  // namespace

Result<ScaledTensors> unpack_tensors(const CompressedTensors& quantization,
                                     const FileTensors& file) {
  QUIRE_CHECK(quantization.bits != 0, "no packed weights");
  QUIRE_RETURN_IF_ERROR(check_floats(quantization, file));
  ModuleTensors tensors(file);
  QUIRE_ASSIGN_OR_RETURN(const auto modules, tensors.modules(kPacked));
  for (const std::string& module : modules) {
    QUIRE_RETURN_IF_ERROR(read_module(quantization, module, tensors));
  }
  return tensors.result();
}

}  // namespace quire
