#include "formats/quant/integers/hqq.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "formats/config/fields.h"
#include "formats/quant/module_tensors.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

constexpr const char* kWhere = "of quantization_config in config.json";
constexpr std::string_view kCodes = ".W_q";
constexpr std::int64_t kSizeMax = std::int64_t{1} << 31;
constexpr std::size_t kModulesMax = 65536;  // with options of their own

// How the codes were found and what computed with them: of no effect on what they stand for.
constexpr std::string_view kNotes[] = {
    ".packing", ".channel_wise", ".optimize", ".round_zero", ".compute_dtype", ".offload_meta",
    ".encoded_state_dict", ".stores_quant_config", ".unpack_view_dtype",
};
// What would change the meaning of the others: zero, or refused.
constexpr std::string_view kOthers[] = {".view_as_float", ".quant_scale", ".quant_zero"};

// The codes lie as a matrix [down, across], whose rows were cut into `parts` equal parts that share
// words, the first in the highest bits; flattened it is the weight.
struct Codes {
  const std::byte* data = nullptr;
  int bits = 4;
  std::size_t packed_rows = 0, across = 0;

  std::size_t parts() const { return bits == 3 ? 10 : 8 / static_cast<std::size_t>(bits); }
  unsigned at(std::size_t i) const {
    const std::size_t down = i / across;
    const std::size_t part = down / packed_rows;
    const std::size_t word = down % packed_rows * across + i % across;
    const auto shift = static_cast<unsigned>((parts() - 1 - part)) * static_cast<unsigned>(bits);
    if (bits != 3) return static_cast<unsigned>(data[word]) >> shift & ((1u << bits) - 1);
    std::uint32_t packed;
    std::memcpy(&packed, data + 4 * word, sizeof packed);
    return packed >> shift & 7u;
  }
};

struct Layout {
  std::size_t rows = 0, columns = 0, group = 0;
  int bits = 4, axis = 1;

  std::size_t groups() const { return rows * columns / group; }
  // Of the matrix that the codes lie as.
  std::size_t down() const { return axis == 1 ? groups() : group; }
  std::size_t across() const { return axis == 1 ? group : groups(); }
};

// A number that stands alone in a tensor; `fallback` where there is none.
Result<std::int64_t> read_number(const std::string& name, std::int64_t fallback,
                                 ModuleTensors& tensors) {
  const IntegerTensor* tensor = tensors.take_any(name);
  if (tensor == nullptr) return fallback;
  if (tensor->shape != ModuleTensors::Shape{1}) {
    return error(StatusCode::kCorrupt, "tensor '{}': it is not one number", name);
  }
  std::int64_t value = 0;
  std::memcpy(&value, tensor->data, tensor->width);
  return tensor->width == 4 ? static_cast<std::int32_t>(value) : value;
}

Result<Layout> read_layout(const std::string& module, ModuleTensors& tensors) {
  Layout layout;
  const std::string name = module + ".shape";
  const IntegerTensor* shape = tensors.take_any(name);
  if (shape == nullptr || shape->shape != ModuleTensors::Shape{2} || shape->width != 8) {
    return error(StatusCode::kCorrupt, "tensor '{}': {}", name,
                 shape == nullptr ? "missing, but quantization_config needs it"
                                  : "it is not two I64");
  }
  std::int64_t sizes[2];
  std::memcpy(sizes, shape->data, sizeof sizes);
  for (const std::int64_t size : sizes) {
    if (size > 0 && size < kSizeMax) continue;
    return error(StatusCode::kCorrupt, "tensor '{}': {} is no size of a matrix", name, size);
  }
  layout.rows = static_cast<std::size_t>(sizes[0]);
  layout.columns = static_cast<std::size_t>(sizes[1]);
  QUIRE_ASSIGN_OR_RETURN(const std::int64_t bits, read_number(module + ".nbits", 0, tensors));
  if (bits != 8 && bits != 4 && bits != 3 && bits != 2 && bits != 1) {
    return error(StatusCode::kUnsupported,
                 "tensor '{}.nbits': {} is not supported, only 8, 4, 3, 2 and 1", module, bits);
  }
  QUIRE_ASSIGN_OR_RETURN(const std::int64_t axis, read_number(module + ".axis", 1, tensors));
  if (axis != 0 && axis != 1) {
    return error(StatusCode::kCorrupt, "tensor '{}.axis': {} is neither 0 nor 1", module, axis);
  }
  // Without groups a scale holds for a row, or for a column.
  const std::int64_t all = sizes[axis];
  QUIRE_ASSIGN_OR_RETURN(const std::int64_t group,
                         read_number(module + ".group_size", all, tensors));
  const std::size_t count = layout.rows * layout.columns;
  if (group <= 0 || count % static_cast<std::size_t>(group) != 0) {
    return error(StatusCode::kCorrupt,
                 "tensor '{}.group_size': [{}, {}] is no whole groups of {}", module, layout.rows,
                 layout.columns, group);
  }
  layout.bits = static_cast<int>(bits);
  layout.axis = static_cast<int>(axis);
  layout.group = static_cast<std::size_t>(group);
  return layout;
}

Result<Codes> read_codes(const std::string& module, const Layout& layout,
                         ModuleTensors& tensors) {
  Codes codes;
  codes.bits = layout.bits;
  codes.across = layout.across();
  const std::size_t parts = codes.parts();
  codes.packed_rows = (layout.down() + parts - 1) / parts;
  const std::string name = module + std::string(kCodes);
  if (layout.bits != 3 && layout.down() % parts != 0) {
    return error(StatusCode::kCorrupt, "tensor '{}': {} rows of {} bits are no whole bytes", name,
                 layout.down(), layout.bits);
  }
  const ModuleTensors::Shape shape = {codes.packed_rows, codes.across};
  QUIRE_ASSIGN_OR_RETURN(const IntegerTensor* words, layout.bits == 3
                                                         ? tensors.take_words(name, shape)
                                                         : tensors.take_octets(name, shape));
  codes.data = words->data;
  return codes;
}

// One float for each group, whatever the shape.
Result<const TensorView*> read_floats(const std::string& name, const Layout& layout,
                                      ModuleTensors& tensors) {
  const ModuleTensors::Shape shape = layout.axis == 1 ? ModuleTensors::Shape{layout.groups(), 1}
                                                      : ModuleTensors::Shape{1, layout.groups()};
  return tensors.take_scales(name, shape);
}

float value_at(const TensorView& floats, std::size_t at) {
  if (floats.dtype == DType::kF32) return reinterpret_cast<const float*>(floats.data)[at];
  const std::uint16_t bits = reinterpret_cast<const std::uint16_t*>(floats.data)[at];
  return floats.dtype == DType::kF16 ? half_to_float(bits) : bf16_to_float(bits);
}

Status check_finite(const TensorView& floats, std::size_t count, bool are_scales) {
  for (std::size_t i = 0; i < count; ++i) {
    const float value = value_at(floats, i);
    if (std::isfinite(value) && (value != 0 || !are_scales)) continue;
    return error(StatusCode::kCorrupt, "tensor '{}': value {} is {}, not a number that it may be",
                 floats.name, i, value);
  }
  return ok_status();
}

// Groups that no row of a tile can have: rounded value by value.
Status put_rounded(const std::string& name, const Layout& layout, const Codes& codes,
                   const TensorView& scales, const TensorView& zeros, ModuleTensors& tensors) {
  QUIRE_RETURN_IF_ERROR(check_finite(scales, layout.groups(), true));
  QUIRE_RETURN_IF_ERROR(check_finite(zeros, layout.groups(), false));
  TensorView view;
  view.name = name;
  view.dtype = DType::kBF16;
  view.shape = {layout.rows, layout.columns};
  auto late = std::make_shared<const LateTensor>([layout, codes, scales, zeros] {
    const std::size_t count = layout.rows * layout.columns, across = layout.across();
    std::vector<std::byte> bytes(count * sizeof(std::uint16_t));
    auto* out = reinterpret_cast<std::uint16_t*>(bytes.data());
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t group = layout.axis == 1 ? i / across : i % across;
      const float distance = static_cast<float>(codes.at(i)) - value_at(zeros, group);
      out[i] = float_to_bf16(distance * value_at(scales, group));
    }
    return bytes;
  });
  return tensors.put(std::move(view), std::move(late),
                     layout.axis == 0 ? "its groups run across rows (axis 0)"
                                      : "its groups do not end with the rows");
}

Status put_grouped(const std::string& name, const Layout& layout, const Codes& codes,
                   const TensorView& scales, const TensorView& zeros, ModuleTensors& tensors) {
  GroupedCodes grouped;
  grouped.name = name;
  grouped.rows = layout.rows;
  grouped.columns = layout.columns;
  grouped.group = layout.group;
  grouped.codes.bits = layout.bits;
  grouped.lay_out = [codes, count = layout.rows * layout.columns] {
    std::vector<std::uint8_t> bytes(count);
    for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(codes.at(i));
    return bytes;
  };
  grouped.scales = scales;
  grouped.float_zeros = zeros;
  grouped.scale_row = grouped.groups();
  return tensors.put(std::move(grouped));
}

Status read_module(const std::string& module, ModuleTensors& tensors) {
  QUIRE_ASSIGN_OR_RETURN(const Layout layout, read_layout(module, tensors));
  QUIRE_ASSIGN_OR_RETURN(const Codes codes, read_codes(module, layout, tensors));
  for (const std::string_view note : kNotes) {
    tensors.take_any(module + std::string(note));
  }
  for (const std::string_view other : kOthers) {
    const std::string name = module + std::string(other);
    QUIRE_ASSIGN_OR_RETURN(const std::int64_t value, read_number(name, 0, tensors));
    if (value == 0) continue;
    return error(StatusCode::kUnsupported, "tensor '{}': {} is not supported, only 0", name, value);
  }
  QUIRE_ASSIGN_OR_RETURN(const TensorView* scales,
                         read_floats(module + ".scale", layout, tensors));
  QUIRE_ASSIGN_OR_RETURN(const TensorView* zeros, read_floats(module + ".zero", layout, tensors));
  const std::string name = module + ".weight";
  const bool are_of_rows = layout.axis == 1 && layout.columns % layout.group == 0;
  return are_of_rows ? put_grouped(name, layout, codes, *scales, *zeros, tensors)
                     : put_rounded(name, layout, codes, *scales, *zeros, tensors);
}

// Of the whole model, or of one kind of modules: the tensors say the same and are believed.
Status check_options(const Json& options, bool is_whole) {
  for (const auto& [name, value] : options.members()) {
    const bool is_quantized_scale = name == "scale_quant_params" || name == "zero_quant_params";
    if (is_quantized_scale && !value.is_null()) {
      return error(StatusCode::kUnsupported, "{} {} is not supported", name, kWhere);
    }
    if (is_quantized_scale || name == "offload_meta") continue;
    if (name == "weight_quant_params") {
      const Json* as_float = value.is_object() ? value.find("view_as_float") : nullptr;
      const bool is_view = as_float != nullptr && as_float->is_bool() && as_float->as_bool();
      if (!is_view) continue;
      return error(StatusCode::kUnsupported, "view_as_float {}: true is not supported", kWhere);
    }
    if (is_whole && value.is_object()) {
      QUIRE_RETURN_IF_ERROR(check_options(value, false));
      continue;
    }
    // Some write the weight's parameters without an object around them.
    const bool is_weight = name == "nbits" || name == "group_size" || name == "axis" ||
                           name == "channel_wise" || name == "optimize" || name == "round_zero";
    if (is_weight || (name == "view_as_float" && value.is_bool() && !value.as_bool())) continue;
    return error(StatusCode::kUnsupported, "quant_config {}: '{}' is not supported", kWhere,
                 name.substr(0, 64));
  }
  return ok_status();
}

Status check_config(const Json& config) {
  const ConfigFields fields = ConfigFields::of_json(config, kWhere);
  constexpr std::string_view kRead[] = {"quant_method", "quant_config", "skip_modules",
                                        "modules_to_not_convert"};
  for (const auto& [name, value] : config.members()) {
    if (std::find(std::begin(kRead), std::end(kRead), name) == std::end(kRead)) {
      fields.refuse(name.c_str());
    }
  }
  QUIRE_RETURN_IF_ERROR(fields.status());
  const Json* options = config.find("quant_config");
  if (options == nullptr || options->is_null()) return ok_status();
  if (!options->is_object() || options->members().size() > kModulesMax) {
    return error(StatusCode::kUnsupported, "quant_config {}: not an object of at most {} members",
                 kWhere, kModulesMax);
  }
  return check_options(*options, true);
}

}  // namespace

Result<Quantization> read_hqq(const Json& quantization_config) {
  QUIRE_RETURN_IF_ERROR(check_config(quantization_config));
  Quantization quantization;
  quantization.text = "hqq";
  quantization.takes_integers = true;
  quantization.apply = [](const FileTensors& file) -> Result<ScaledTensors> {
    ModuleTensors tensors(file);
    QUIRE_ASSIGN_OR_RETURN(const auto modules, tensors.modules(kCodes));
    for (const std::string& module : modules) {
      QUIRE_RETURN_IF_ERROR(read_module(module, tensors));
    }
    return tensors.result();
  };
  return quantization;
}

}  // namespace quire
