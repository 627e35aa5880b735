#include "formats/quant/integers/bitnet.h"

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
constexpr float kMeanMin = 1e-5f;  // of magnitudes, where floats are rounded

// Codes 0, 1, 2 for -1, 0, 1: of a byte the lowest two bits are of the first quarter of the rows.
struct Ternary {
  const std::byte* data = nullptr;
  std::size_t packed_rows = 0, columns = 0;
  unsigned at(std::size_t row, std::size_t column) const {
    const auto byte = static_cast<unsigned>(data[row % packed_rows * columns + column]);
    return byte >> (2 * (row / packed_rows)) & 3u;
  }
};

float value_at(const TensorView& tensor, std::size_t i) {
  if (tensor.dtype == DType::kF32) return reinterpret_cast<const float*>(tensor.data)[i];
  const std::uint16_t bits = reinterpret_cast<const std::uint16_t*>(tensor.data)[i];
  return tensor.dtype == DType::kF16 ? half_to_float(bits) : bf16_to_float(bits);
}

// `code(row, column)` gives 0, 1 or 2.
template <typename Code>
std::vector<std::byte> make_tiles(DType dtype, std::size_t rows, std::size_t columns, float scale,
                                  const Code& code) {
  const std::size_t block_bytes = dtype_info(dtype).block_bytes;
  const std::size_t width = dtype_info(dtype).block_elements;
  std::vector<std::byte> bytes(rows * row_bytes(dtype, columns));
  std::byte* out = bytes.data();
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t first = 0; first < columns; first += width, out += block_bytes) {
      if (dtype == DType::kTQ2_0) {
        BlockTQ2_0 block = {};
        block.d = float_to_half(scale);
        for (std::size_t i = 0; i < width; ++i) {
          const auto bits = code(row, first + i) << (i % 128 / 32 * 2);
          block.qs[i / 128 * 32 + i % 32] |= static_cast<std::uint8_t>(bits);
        }
        std::memcpy(out, &block, sizeof block);
      } else {  // I8_A16
        *out = static_cast<std::byte>(static_cast<int>(code(row, first)) - 1);
      }
    }
  }
  return bytes;
}

// A ternary matrix with one scale.
template <typename Code>
Status put(const std::string& name, std::size_t rows, std::size_t columns, float scale, Code code,
           ModuleTensors& tensors) {
  TensorView view;
  view.name = name;
  view.shape = {rows, columns};
  const bool is_block = columns % 256 == 0 && half_to_float(float_to_half(scale)) == scale;
  view.dtype = is_block ? DType::kTQ2_0 : DType::kI8A16;
  std::vector<float> scales;
  if (!is_block) {
    scales = {scale};
    view.scales = {nullptr, rows};
  }
  auto late = std::make_shared<const LateTensor>(
      [dtype = view.dtype, rows, columns, scale, code = std::move(code)] {
        return make_tiles(dtype, rows, columns, scale, code);
      });
  return tensors.put(std::move(view), std::move(late), "", std::move(scales));
}

Status read_module(const std::string& module, bool is_divided, ModuleTensors& tensors) {
  const std::string name = module + std::string(kWeight);
  QUIRE_ASSIGN_OR_RETURN(const IntegerTensor* codes, tensors.take_octets(name));
  QUIRE_ASSIGN_OR_RETURN(const TensorView* stated,
                         tensors.take_scales(module + ".weight_scale", {1}));
  float scale = value_at(*stated, 0);
  if (is_divided) scale = 1 / scale;
  if (!std::isnormal(scale) || scale < 0) {
    return error(StatusCode::kCorrupt, "tensor '{}': {} is no scale of a matrix", stated->name,
                 value_at(*stated, 0));
  }
  const Ternary ternary = {codes->data, codes->shape[0], codes->shape[1]};
  return put(name, 4 * ternary.packed_rows, ternary.columns, scale,
             [ternary](std::size_t row, std::size_t column) {
               return std::min(ternary.at(row, column), 2u);
             },
             tensors);
}

Result<ScaledTensors> apply_packed(bool is_divided, const FileTensors& file) {
  ModuleTensors tensors(file);
  std::size_t count = 0;
  for (const IntegerTensor& tensor : file.integers) {
    if (tensor.width != 1 || !tensor.name.ends_with(kWeight)) continue;
    const std::string module = tensor.name.substr(0, tensor.name.size() - kWeight.size());
    QUIRE_RETURN_IF_ERROR(read_module(module, is_divided, tensors));
    ++count;
  }
  if (count > 0) return tensors.result();
  return error(StatusCode::kCorrupt,
               "quantization_config in config.json: no tensor of U8 is called '...{}'", kWeight);
}

// Floats of a linear layer, which its forward pass would round.
Status round_module(const TensorView& floats, ModuleTensors& tensors) {
  const std::size_t count = floats.rows() * floats.columns();
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += std::abs(value_at(floats, i));
  const auto mean = static_cast<float>(sum / static_cast<double>(count));
  if (!std::isfinite(mean)) {
    return error(StatusCode::kCorrupt, "tensor '{}': the mean of its magnitudes is {}",
                 floats.name, mean);
  }
  const float scale = 1 / std::max(mean, kMeanMin);
  float step = 1 / scale;  // in the type that the products are of
  if (floats.dtype == DType::kBF16) step = bf16_to_float(float_to_bf16(step));
  if (floats.dtype == DType::kF16) step = half_to_float(float_to_half(step));
  tensors.take_floats(floats.name);
  return put(floats.name, floats.rows(), floats.columns(), step,
             [floats, scale](std::size_t row, std::size_t column) {
               const float value = value_at(floats, row * floats.columns() + column) * scale;
               return static_cast<unsigned>(std::clamp(std::nearbyint(value), -1.0f, 1.0f) + 1);
             },
             tensors);
}

Result<ScaledTensors> apply_floats(const std::vector<std::string>& as_is,
                                   const FileTensors& file) {
  ModuleTensors tensors(file);
  for (const TensorView& tensor : file.tensors) {
    const bool is_linear =
        tensor.shape.size() == 2 && tensor.name.find(".layers.") != std::string::npos &&
        tensor.name.ends_with("_proj.weight") && tensor.rows() > 0 && tensor.columns() > 0 &&
        (tensor.dtype == DType::kF32 || tensor.dtype == DType::kF16 ||
         tensor.dtype == DType::kBF16);
    const bool stays = std::any_of(as_is.begin(), as_is.end(), [&](const std::string& part) {
      return tensor.name.find(part) != std::string::npos;
    });
    if (is_linear && !stays) QUIRE_RETURN_IF_ERROR(round_module(tensor, tensors));
  }
  return tensors.result();
}

}  // namespace

Result<Quantization> read_bitnet(const Json& quantization_config) {
  const ConfigFields fields = ConfigFields::of_json(quantization_config, kWhere);
  const std::string linear = fields.string("linear_class", "bitlinear");
  const std::string mode = fields.string("quantization_mode", "offline");
  const std::vector<std::string> as_is = fields.strings("modules_to_not_convert");
  for (const auto& [name, expected] :
       {std::pair("linear_class", std::pair("bitlinear", "autobitlinear")),
        std::pair("quantization_mode", std::pair("offline", "online"))}) {
    const std::string& value = std::string_view(name) == "linear_class" ? linear : mode;
    if (value == expected.first || value == expected.second) continue;
    fields.fail(error(StatusCode::kUnsupported, "{} {}: '{}' is not supported, only {} and {}",
                      name, kWhere, value.substr(0, 64), expected.first, expected.second));
  }
  // A norm in front of each product, with a weight of its own.
  if (fields.boolean("use_rms_norm", false)) fields.refuse("use_rms_norm");
  constexpr std::string_view kRead[] = {"quant_method", "linear_class", "quantization_mode",
                                        "modules_to_not_convert", "use_rms_norm", "rms_norm_eps"};
  for (const auto& [name, value] : quantization_config.members()) {
    if (std::find(std::begin(kRead), std::end(kRead), name) == std::end(kRead)) {
      fields.refuse(name.c_str());
    }
  }
  QUIRE_RETURN_IF_ERROR(fields.status());
  Quantization quantization;
  quantization.text = fmt::format("bitnet, ternary, {} {}", linear, mode);
  quantization.takes_integers = true;
  // Only one of the two classes knows floats that are rounded later.
  const bool is_online = mode == "online" && linear == "autobitlinear";
  quantization.apply = [is_online, as_is, is_divided = linear == "bitlinear"](
                           const FileTensors& file) {
    return is_online ? apply_floats(as_is, file) : apply_packed(is_divided, file);
  };
  return quantization;
}

}  // namespace quire
