#include "formats/quant/floats/bitsandbytes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "formats/config/fields.h"
#include "formats/quant/floats/codes_beside.h"
#include "tensor/float_bits.h"
#include "tensor/quant_blocks.h"

namespace quire {
namespace {

constexpr std::size_t kStateSizeMax = 4096;
constexpr int kBlockMax = 1 << 16;
constexpr double kThreshold = 6;  // where a configuration states none
constexpr const char* kWhere = "of quantization_config in config.json";
constexpr std::string_view kStateEndings[] = {".weight.quant_state.bitsandbytes__nf4",
                                              ".weight.quant_state.bitsandbytes__fp4"};

// A matrix in 4 bits. Pointers are into the file.
struct FourBits {
  std::string name;
  std::size_t rows = 0, columns = 0;
  std::size_t block = 64;  // values of a scale
  const std::uint8_t* codes = nullptr;
  const float* values = nullptr;              // [16]
  const float* scales = nullptr;              // of each block; or, quantized,
  const std::uint8_t* scale_codes = nullptr;  // its place in scale_values [256],
  const float* scale_values = nullptr;
  const float* outer_scales = nullptr;        // times that of its outer block,
  std::size_t outer_block = 256;
  float offset = 0;                           // and this added

  std::size_t blocks() const { return (rows * columns + block - 1) / block; }
  float scale_at(std::size_t i) const {
    if (scales != nullptr) return scales[i];
    return scale_values[scale_codes[i]] * outer_scales[i / outer_block] + offset;
  }
  unsigned code_at(std::size_t i) const { return codes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15u; }
};

std::vector<std::byte> make_blocks(const FourBits& weight) {
  const std::size_t blocks = weight.rows * weight.columns / 64;
  std::vector<std::byte> bytes(blocks * sizeof(BlockCodebook));
  for (std::size_t i = 0; i < blocks; ++i) {
    BlockCodebook block;
    block.d = weight.scale_at(i * 64 / weight.block);
    for (std::size_t k = 0; k < 32; ++k) {  // in each half of 32 the low nibbles come first
      const std::size_t first = i * 64 + k / 16 * 32 + k % 16;
      block.qs[k] = static_cast<std::uint8_t>(weight.code_at(first) |
                                              weight.code_at(first + 16) << 4);
    }
    std::memcpy(&bytes[i * sizeof block], &block, sizeof block);
  }
  return bytes;
}

std::vector<std::byte> make_bf16(const FourBits& weight) {
  const std::size_t count = weight.rows * weight.columns;
  std::vector<std::byte> bytes(count * sizeof(std::uint16_t));
  auto* out = reinterpret_cast<std::uint16_t*>(bytes.data());
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = float_to_bf16(weight.values[weight.code_at(i)] * weight.scale_at(i / weight.block));
  }
  return bytes;
}

bool is_table(const float* values, const float (&table)[16]) {
  return std::memcmp(values, table, sizeof table) == 0;
}

std::pair<DType, std::string> choose_tile(const FourBits& weight) {
  if (weight.columns % 64 != 0 || weight.block % 64 != 0) {
    return {DType::kBF16, fmt::format("rows of {} with a scale for {} values are no whole blocks "
                                      "of 64", weight.columns, weight.block)};
  }
  if (is_table(weight.values, kValuesNF4)) return {DType::kNF4, ""};
  if (is_table(weight.values, kValuesFP4)) return {DType::kFP4, ""};
  return {DType::kBF16, "its table of codes is not the library's"};
}

// --- What the state says ---

struct State {
  std::size_t rows = 0, columns = 0, block = 64, outer_block = 256;
  float offset = 0;
};

Result<State> read_state(const std::string& name, ModuleTensors& tensors) {
  QUIRE_ASSIGN_OR_RETURN(const IntegerTensor* bytes, tensors.take_octets(name, {}, 1));
  const std::size_t size = bytes->shape[0];
  const auto wrong = [&](std::string_view what) {
    return error(StatusCode::kCorrupt, "tensor '{}': {}", name, what);
  };
  if (size > kStateSizeMax) return wrong("too long for the state of a matrix");
  const Result<Json> json =
      parse_json({reinterpret_cast<const char*>(bytes->data), size});
  if (!json.is_ok()) return wrong(json.status().message());
  if (!json->is_object()) return wrong("it is no object");
  const ConfigFields fields = ConfigFields::of_json(*json, fmt::format("of tensor '{}'", name));
  State state;
  const std::vector<int> shape = fields.integers("shape", 1, 1 << 30);
  state.block = static_cast<std::size_t>(fields.integer("blocksize", 1, kBlockMax));
  state.outer_block =
      static_cast<std::size_t>(fields.integer("nested_blocksize", 1, kBlockMax, 256));
  state.offset = static_cast<float>(fields.number("nested_offset", -1e6, 1e6, 0));
  QUIRE_RETURN_IF_ERROR(fields.status());
  if (shape.size() != 2) return wrong("shape is not of two sizes");
  state.rows = static_cast<std::size_t>(shape[0]);
  state.columns = static_cast<std::size_t>(shape[1]);
  return state;
}

Result<const float*> take_table(const std::string& name, std::size_t count,
                                ModuleTensors& tensors) {
  QUIRE_ASSIGN_OR_RETURN(const TensorView* table, tensors.take_of(DType::kF32, name, {count}));
  return reinterpret_cast<const float*>(table->data);
}

Status read_scales(FourBits& weight, ModuleTensors& tensors) {
  const std::string absmax = weight.name + ".absmax";
  if (tensors.floats(absmax) != nullptr) {
    QUIRE_ASSIGN_OR_RETURN(weight.scales, take_table(absmax, weight.blocks(), tensors));
  } else {
    QUIRE_ASSIGN_OR_RETURN(const IntegerTensor* codes,
                           tensors.take_octets(absmax, {weight.blocks()}));
    weight.scale_codes = reinterpret_cast<const std::uint8_t*>(codes->data);
    QUIRE_ASSIGN_OR_RETURN(weight.scale_values,
                           take_table(weight.name + ".nested_quant_map", 256, tensors));
    const std::size_t outer = (weight.blocks() + weight.outer_block - 1) / weight.outer_block;
    QUIRE_ASSIGN_OR_RETURN(weight.outer_scales,
                           take_table(weight.name + ".nested_absmax", outer, tensors));
  }
  for (std::size_t i = 0; i < weight.blocks(); ++i) {
    if (std::isfinite(weight.scale_at(i))) continue;
    return error(StatusCode::kCorrupt, "tensor '{}': the scale of block {} is {}, not a number",
                 absmax, i, weight.scale_at(i));
  }
  return ok_status();
}

Status read_four_bits(const std::string& module, const std::string& state_name,
                      ModuleTensors& tensors) {
  QUIRE_ASSIGN_OR_RETURN(const State state, read_state(state_name, tensors));
  FourBits weight;
  weight.name = module + ".weight";
  weight.rows = state.rows;
  weight.columns = state.columns;
  weight.block = state.block;
  weight.outer_block = state.outer_block;
  weight.offset = state.offset;
  const IntegerTensor* codes = tensors.take_any(weight.name);
  std::size_t bytes = codes == nullptr ? 0 : codes->width;
  for (std::size_t i = 0; codes != nullptr && i < codes->shape.size(); ++i) {
    bytes *= codes->shape[i];
  }
  if (codes == nullptr || codes->width != 1 || bytes != (state.rows * state.columns + 1) / 2) {
    return error(StatusCode::kCorrupt,
                 "tensor '{}': {} bytes of U8, but its state says [{}, {}] in 4 bits", weight.name,
                 bytes, state.rows, state.columns);
  }
  weight.codes = reinterpret_cast<const std::uint8_t*>(codes->data);
  QUIRE_ASSIGN_OR_RETURN(weight.values, take_table(weight.name + ".quant_map", 16, tensors));
  for (int i = 0; i < 16; ++i) {
    if (std::isfinite(weight.values[i])) continue;
    return error(StatusCode::kCorrupt, "tensor '{}.quant_map': value {} is {}, not a number",
                 weight.name, i, weight.values[i]);
  }
  QUIRE_RETURN_IF_ERROR(read_scales(weight, tensors));
  TensorView view;
  view.name = weight.name;
  view.shape = {weight.rows, weight.columns};
  std::string reason;
  std::tie(view.dtype, reason) = choose_tile(weight);
  auto late = std::make_shared<const LateTensor>([weight, dtype = view.dtype] {
    return dtype == DType::kBF16 ? make_bf16(weight) : make_blocks(weight);
  });
  return tensors.put(std::move(view), std::move(late), std::move(reason));
}

Result<ScaledTensors> apply_four_bits(const FileTensors& file) {
  ModuleTensors tensors(file);
  std::size_t count = 0;
  for (const IntegerTensor& tensor : file.integers) {
    for (const std::string_view ending : kStateEndings) {
      if (!tensor.name.ends_with(ending)) continue;
      const std::string module = tensor.name.substr(0, tensor.name.size() - ending.size());
      QUIRE_RETURN_IF_ERROR(read_four_bits(module, tensor.name, tensors));
      ++count;
    }
  }
  if (count > 0) return tensors.result();
  return error(StatusCode::kCorrupt,
               "quantization_config in config.json: no tensor is called '...{}'", kStateEndings[0]);
}

// --- 8 bits ---

Status read_eight_bits(const TensorView& codes, float threshold, ModuleTensors& tensors) {
  const std::string module = codes.name.substr(0, codes.name.size() - std::strlen(".weight"));
  if (codes.shape.size() != 2 || codes.rows() == 0 || codes.columns() == 0) {
    return error(StatusCode::kCorrupt, "tensor '{}': it is no matrix", codes.name);
  }
  const std::string name = module + ".SCB";
  QUIRE_ASSIGN_OR_RETURN(const TensorView* largest,
                         tensors.take_of(DType::kF32, name, {codes.rows()}));
  std::vector<float> scales(codes.rows());
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const float value = reinterpret_cast<const float*>(largest->data)[i];
    scales[i] = value / 127;
    if (std::isfinite(value) && value >= 0) continue;
    return error(StatusCode::kCorrupt, "tensor '{}': value {} is {}, which is no largest value",
                 name, i, value);
  }
  if (const IntegerTensor* layout = tensors.take_any(module + ".weight_format");
      layout != nullptr && layout->data[0] != std::byte{0}) {
    return error(StatusCode::kUnsupported, "tensor '{}': {} is not supported, only 0 (rows)",
                 layout->name, static_cast<int>(layout->data[0]));
  }
  TensorView view = codes;
  view.dtype = DType::kI8A16;
  view.scales = {nullptr, 1};
  view.input.rounding = InputRule::Rounding::kInt8;
  view.input.threshold = threshold;
  tensors.put(codes, std::move(view), std::move(scales));
  return ok_status();
}

Result<ScaledTensors> apply_eight_bits(float threshold, const FileTensors& file) {
  ModuleTensors tensors(file);
  std::size_t count = 0;
  for (const TensorView& tensor : file.tensors) {
    if (tensor.dtype != DType::kI8 || !tensor.name.ends_with(".weight")) continue;
    QUIRE_RETURN_IF_ERROR(read_eight_bits(tensor, threshold, tensors));
    ++count;
  }
  if (count > 0) return tensors.result();
  return error(StatusCode::kCorrupt, "quantization_config in config.json: no weight is I8");
}

// How it was loaded when it was saved; the tensors say the rest.
constexpr std::string_view kRecords[] = {
    "quant_method", "_load_in_4bit", "_load_in_8bit", "load_in_4bit", "load_in_8bit",
    "bnb_4bit_compute_dtype", "bnb_4bit_quant_storage", "bnb_4bit_quant_type",
    "bnb_4bit_use_double_quant", "llm_int8_enable_fp32_cpu_offload", "llm_int8_has_fp16_weight",
    "llm_int8_skip_modules", "llm_int8_threshold",
};

}  // namespace

Result<Quantization> read_bitsandbytes(const Json& quantization_config) {
  const ConfigFields fields = ConfigFields::of_json(quantization_config, kWhere);
  for (const auto& [name, value] : quantization_config.members()) {
    if (std::find(std::begin(kRecords), std::end(kRecords), name) == std::end(kRecords)) {
      fields.refuse(name.c_str());
    }
  }
  const bool is_four = fields.boolean("load_in_4bit", fields.boolean("_load_in_4bit", false));
  const bool is_eight = fields.boolean("load_in_8bit", fields.boolean("_load_in_8bit", false));
  const std::string type = fields.string("bnb_4bit_quant_type", "fp4");
  const auto threshold =
      static_cast<float>(fields.number("llm_int8_threshold", 0, 1e6, kThreshold));
  const std::string storage = fields.string("bnb_4bit_quant_storage", "uint8");
  QUIRE_RETURN_IF_ERROR(fields.status());
  if (is_four == is_eight) {
    return error(StatusCode::kUnsupported, "load_in_4bit {}: {}, and load_in_8bit, too", kWhere,
                 is_four);
  }
  if (is_four && storage != "uint8") {
    return error(StatusCode::kUnsupported,
                 "bnb_4bit_quant_storage {}: '{}' is not supported, only uint8", kWhere,
                 storage.substr(0, 64));
  }
  Quantization quantization;
  quantization.text = is_four ? fmt::format("bitsandbytes, {}", type.substr(0, 64))
                              : std::string("bitsandbytes, int8, a scale for each row");
  quantization.takes_integers = true;
  if (is_four) {
    quantization.apply = apply_four_bits;
    return quantization;
  }
  quantization.activations = fmt::format(
      "int8 with a scale for each token, but for values from {} on (LLM.int8)", threshold);
  quantization.apply = [threshold](const FileTensors& file) {
    return apply_eight_bits(threshold, file);
  };
  return quantization;
}

}  // namespace quire
