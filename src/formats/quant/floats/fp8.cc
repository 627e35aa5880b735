#include "formats/quant/floats/fp8.h"

#include <algorithm>

#include "formats/config/fields.h"
#include "formats/quant/floats/codes_beside.h"

namespace quire {
namespace {

constexpr int kBlockMax = 1 << 20;
constexpr const char* kWhere = "of quantization_config in config.json";
constexpr std::string_view kEndings[] = {"_scale_inv", "_scale"};

// Which modules are codes is what the types of their tensors say.
constexpr std::string_view kRecords[] = {
    "quant_method", "modules_to_not_convert", "ignored_layers", "scale_fmt", "dequantize",
    "activation_scale_ub",
};

Status check_keys(const Json& config, const ConfigFields& fields,
                  std::initializer_list<std::string_view> read) {
  for (const auto& [name, value] : config.members()) {
    const bool is_known =
        std::find(read.begin(), read.end(), name) != read.end() ||
        std::find(std::begin(kRecords), std::end(kRecords), name) != std::end(kRecords);
    if (!is_known) fields.refuse(name.c_str());
  }
  return fields.status();
}

}  // namespace

AskedInput asked_fp8(std::size_t group, bool is_stated) {
  AskedInput asked;
  asked.rule.rounding = InputRule::Rounding::kE4M3;
  asked.rule.group = is_stated ? 0 : group;
  asked.is_stated = is_stated;
  asked.text = is_stated    ? "FP8 with a scale that each module states"
               : group == 0 ? "FP8 with a scale for each token"
                            : fmt::format("FP8 with a scale for {} columns of a token", group);
  return asked;
}

Result<ScaledTensors> apply_fp8(Fp8Blocks blocks, const AskedInput& asked,
                                const FileTensors& file) {
  ModuleTensors tensors(file);
  const CodesBeside layout = {DType::kF8,     DType::kF8, blocks.rows,
                              blocks.columns, kEndings,   asked};
  QUIRE_RETURN_IF_ERROR(attach_beside(layout, file, tensors));
  drop_activation_scales(file, tensors);
  return tensors.result();
}

Result<Quantization> read_fp8(const Json& quantization_config) {
  const ConfigFields fields = ConfigFields::of_json(quantization_config, kWhere);
  if (const std::string format = fields.string("fmt", "e4m3");
      format != "e4m3" && format != "float8_e4m3fn") {
    fields.fail(error(StatusCode::kUnsupported, "fmt {}: '{}' is not supported, only e4m3", kWhere,
                      format.substr(0, 64)));
  }
  const std::string scheme = fields.string("activation_scheme", "dynamic");
  if (scheme != "dynamic" && scheme != "static") {
    fields.fail(error(StatusCode::kUnsupported,
                      "activation_scheme {}: '{}' is not supported, only dynamic and static",
                      kWhere, scheme.substr(0, 64)));
  }
  const std::string scale_format = fields.string("scale_fmt", "float");
  std::vector<int> block = fields.integers("weight_block_size", 1, kBlockMax);
  if (!block.empty() && block.size() != 2) {
    fields.fail(error(StatusCode::kUnsupported, "weight_block_size {}: {} numbers, not two", kWhere,
                      block.size()));
  }
  QUIRE_RETURN_IF_ERROR(
      check_keys(quantization_config, fields, {"fmt", "activation_scheme", "weight_block_size"}));
  block.resize(2);
  Quantization quantization;
  quantization.text = block[0] == 0 ? std::string("fp8, e4m3, a scale for each matrix or row")
                                    : fmt::format("fp8, e4m3, blocks of {} x {}", block[0],
                                                  block[1]);
  const Fp8Blocks blocks = {static_cast<std::size_t>(block[0]),
                            static_cast<std::size_t>(block[1])};
  AskedInput asked = asked_fp8(blocks.columns, scheme == "static");
  asked.rule.is_power_of_two = scale_format == "ue8m0";
  quantization.activations = asked.text;
  quantization.apply = [blocks, asked](const FileTensors& file) {
    return apply_fp8(blocks, asked, file);
  };
  return quantization;
}

Result<Quantization> read_fbgemm_fp8(const Json& quantization_config) {
  const ConfigFields fields = ConfigFields::of_json(quantization_config, kWhere);
  QUIRE_RETURN_IF_ERROR(check_keys(quantization_config, fields, {}));
  AskedInput asked = asked_fp8(0, false);
  asked.rule.limit = static_cast<float>(fields.number("activation_scale_ub", 0, 1e30, 0));
  QUIRE_RETURN_IF_ERROR(fields.status());
  Quantization quantization;
  quantization.text = "fbgemm_fp8, e4m3, a scale for each row";
  quantization.activations = asked.text;
  quantization.apply = [asked](const FileTensors& file) { return apply_fp8({}, asked, file); };
  return quantization;
}

}  // namespace quire
