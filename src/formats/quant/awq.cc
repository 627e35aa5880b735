#include "formats/quant/awq.h"

#include <algorithm>
#include <cctype>

#include "formats/config/fields.h"
#include "formats/quant/module_tensors.h"

namespace quire {
namespace {

constexpr std::size_t kInWord = 8;  // codes
constexpr int kBits = 4;
constexpr int kGroupMax = 1 << 20;
constexpr const char* kWhere = "of quantization_config in config.json";

// Read below, or of no effect on what the codes stand for.
constexpr std::string_view kKnown[] = {
    "quant_method", "bits", "w_bit", "group_size", "q_group_size", "version", "zero_point",
    "modules_to_not_convert", "backend", "do_fuse", "fuse_max_seq_len", "modules_to_fuse",
    "exllama_config", "packing_format", "sym", "iters", "lr", "nsamples", "seqlen",
    "autoround_version", "damp_percent", "batch_size", "block_name_to_quantize",
    "to_quant_block_names", "data_type", "act_bits", "extra_config", "dataset", "amp",
    "low_gpu_mem_usage", "gradient_accumulate_steps", "enable_quanted_input",
    "enable_minmax_tuning", "minmax_lr", "scale_dtype", "desc_act", "true_sequential",
    "static_groups", "model_seqlen", "lm_head", "enable_norm_bias_tuning",
};

struct Awq {
  int group = -1;                    // -1: all inputs
  std::vector<std::string> as_is;    // parts of names of modules that stay as they are
};

Result<Awq> read_config(const Json& config) {
  const ConfigFields fields = ConfigFields::of_json(config, kWhere);
  const char* const bits_key = fields.has("w_bit") ? "w_bit" : "bits";
  if (const int bits = fields.integer(bits_key, 1, 64); bits != kBits) {
    fields.fail(error(StatusCode::kUnsupported, "{} {}: {} is not supported, only 4", bits_key,
                      kWhere, bits));
  }
  Awq awq;
  const char* const group_key = fields.has("q_group_size") ? "q_group_size" : "group_size";
  awq.group = fields.integer(group_key, -1, kGroupMax);
  if (awq.group == 0) {
    fields.fail(error(StatusCode::kUnsupported, "{} {}: 0 is no size", group_key, kWhere));
  }
  std::string version = fields.string("version", "gemm");
  std::transform(version.begin(), version.end(), version.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (version != "gemm") {
    fields.fail(error(StatusCode::kUnsupported, "version {}: '{}' is not supported, only gemm",
                      kWhere, version.substr(0, 64)));
  }
  awq.as_is = fields.strings("modules_to_not_convert");
  if (fields.has("data_type")) fields.refuse_unless("data_type", "int");
  if (fields.has("act_bits")) fields.refuse_unless("act_bits", 16);
  for (const auto& [name, value] : config.members()) {
    const bool is_known =
        std::find(std::begin(kKnown), std::end(kKnown), name) != std::end(kKnown);
    if (!is_known && !name.starts_with("act_")) fields.refuse(name.c_str());
  }
  QUIRE_RETURN_IF_ERROR(fields.status());
  return awq;
}

Status read_module(const Awq& awq, const std::string& module, ModuleTensors& tensors) {
  const std::string name = module + ".qweight";
  QUIRE_ASSIGN_OR_RETURN(const IntegerTensor* words, tensors.take_words(name));
  for (const std::string& part : awq.as_is) {
    if (module.find(part) == module.npos) continue;
    return error(StatusCode::kCorrupt,
                 "tensor '{}': there, but modules_to_not_convert {} has '{}'", name, kWhere,
                 part.substr(0, 64));
  }
  GroupedCodes codes;
  codes.name = module + ".weight";
  codes.rows = words->shape[1] * kInWord;
  codes.columns = words->shape[0];
  codes.group = awq.group < 0 ? codes.columns : static_cast<std::size_t>(awq.group);
  if (codes.columns % codes.group != 0) {
    return error(StatusCode::kCorrupt, "tensor '{}': {} inputs are no whole groups of {}", name,
                 codes.columns, codes.group);
  }
  const std::size_t in_row = words->shape[1];
  codes.codes = {words->words(), kBits, 1, in_row, true};
  codes.is_along_columns = false;
  QUIRE_ASSIGN_OR_RETURN(const IntegerTensor* zeros,
                         tensors.take_words(module + ".qzeros", {codes.groups(), in_row}));
  codes.zeros = {zeros->words(), kBits, 1, in_row, true};
  QUIRE_ASSIGN_OR_RETURN(const TensorView* scales,
                         tensors.take_scales(module + ".scales", {codes.groups(), codes.rows}));
  codes.scales = *scales;
  codes.scale_group = codes.rows;
  return tensors.put(std::move(codes));
}

}  // namespace

Result<Quantization> read_awq(const Json& quantization_config) {
  QUIRE_ASSIGN_OR_RETURN(const Awq awq, read_config(quantization_config));
  Quantization quantization;
  quantization.text = fmt::format("awq, 4 bits, {}",
                                  awq.group < 0 ? std::string("a scale for each row")
                                                : fmt::format("groups of {}", awq.group));
  quantization.takes_integers = true;
  quantization.apply = [awq](const FileTensors& file) -> Result<ScaledTensors> {
    ModuleTensors tensors(file);
    QUIRE_ASSIGN_OR_RETURN(const auto modules, tensors.modules(".qweight"));
    for (const std::string& module : modules) {
      QUIRE_RETURN_IF_ERROR(read_module(awq, module, tensors));
    }
    return tensors.result();
  };
  return quantization;
}

}  // namespace quire
