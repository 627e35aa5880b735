#include "formats/quant/gptq.h"

#include <algorithm>

#include "formats/config/fields.h"
#include "formats/quant/module_tensors.h"

namespace quire {
namespace {

constexpr int kGroupMax = 1 << 20;
constexpr const char* kWhere = "of quantization_config in config.json";

// How the codes were found, and what runs them elsewhere: of no effect on what they stand for.
constexpr std::string_view kRecords[] = {
    "quant_method", "sym", "desc_act", "true_sequential", "damp_percent", "damp_auto_increment",
    "static_groups", "model_name_or_path", "model_file_base_name", "meta", "batch_size",
    "block_name_to_quantize", "to_quant_block_names", "cache_block_outputs", "dataset",
    "exllama_config", "use_exllama", "disable_exllama", "max_input_length", "model_seqlen",
    "module_name_preceding_first_block", "modules_in_block_to_quantize", "pad_token_id",
    "tokenizer", "use_cuda_fp16", "backend", "mse", "quantizer", "act_group_aware",
    "offload_to_disk", "offload_to_disk_path", "device", "uri", "pack_impl", "parallel_packing",
    "gc_mode", "vram_strategy", "hessian", "iters", "lr", "minmax_lr", "nsamples", "seqlen", "amp",
    "autoround_version", "gradient_accumulate_steps", "enable_quanted_input",
    "enable_minmax_tuning", "low_gpu_mem_usage", "scale_dtype", "quant_lm_head", "version",
    "enable_norm_bias_tuning", "enable_torch_compile", "supported_types", "layer_types",
};

struct Gptq {
  int bits = 4;
  int group = -1;       // -1: all inputs
  int zero_offset = 1;  // of version 1
  bool has_plain_head = false;  // lm_head was stated to be no codes
};

bool is_record(std::string_view name) {
  return std::find(std::begin(kRecords), std::end(kRecords), name) != std::end(kRecords);
}

// The layout by the name that the writer has for it.
Status read_layout(const ConfigFields& fields, Gptq& gptq) {
  const std::string named = fields.string("packing_format", "");  // of AutoRound
  const std::string older = fields.string("format", "");          // of GPTQModel
  std::string layout = fields.string("checkpoint_format", named.empty() ? older : named);
  if (layout.starts_with("auto_round:")) layout = layout.substr(11);
  if (layout == "gptq_v2") {
    gptq.zero_offset = 0;
  } else if (!layout.empty() && layout != "gptq" && layout != "auto_gptq") {
    fields.fail(error(StatusCode::kUnsupported,
                      "checkpoint_format {}: '{}' is not supported, only gptq and gptq_v2", kWhere,
                      layout.substr(0, 64)));
  }
  for (const char* name : {"is_marlin_format", "hyb_act", "mock_quantization", "rotation",
                           "adapter", "super_bits", "super_group_size"}) {
    fields.refuse(name);
  }
  if (fields.has("pack_dtype")) fields.refuse_unless("pack_dtype", "int32");
  if (fields.has("data_type")) fields.refuse_unless("data_type", "int");
  if (fields.has("act_bits")) fields.refuse_unless("act_bits", 16);
  return fields.status();
}

// Modules that are treated otherwise: of those only what stays as it is can be left to the file.
Status check_exceptions(const Json& config) {
  for (const char* key : {"dynamic", "extra_config"}) {
    const Json* list = config.find(key);
    if (list == nullptr || !list->is_object()) continue;
    for (const auto& [module, options] : list->members()) {
      const Json* bits = options.find("bits");
      const bool stays = module.starts_with("-:") ||
                         (bits != nullptr && bits->is_int() && bits->as_int() == 16);
      if (stays) continue;
      return error(StatusCode::kUnsupported, "{} {}: '{}' is quantized in a way of its own", key,
                   kWhere, module.substr(0, 64));
    }
  }
  return ok_status();
}

Result<Gptq> read_config(const Json& config) {
  const ConfigFields fields = ConfigFields::of_json(config, kWhere);
  Gptq gptq;
  gptq.bits = fields.integer("bits", 1, 64);
  if (gptq.bits != 2 && gptq.bits != 3 && gptq.bits != 4 && gptq.bits != 8) {
    fields.fail(error(StatusCode::kUnsupported, "bits {}: {} is not supported, only 2, 3, 4, 8",
                      kWhere, gptq.bits));
  }
  gptq.group = fields.integer("group_size", -1, kGroupMax);
  if (gptq.group == 0) {
    fields.fail(error(StatusCode::kUnsupported, "group_size {}: 0 is no size", kWhere));
  }
  gptq.has_plain_head = fields.has("lm_head") && !fields.boolean("lm_head", false);
  QUIRE_RETURN_IF_ERROR(fields.status());
  QUIRE_RETURN_IF_ERROR(read_layout(fields, gptq));
  QUIRE_RETURN_IF_ERROR(check_exceptions(config));
  constexpr std::string_view kRead[] = {"bits", "group_size", "lm_head", "checkpoint_format",
                                        "packing_format", "format", "pack_dtype", "data_type",
                                        "act_bits", "dynamic", "extra_config"};
  for (const auto& [name, value] : config.members()) {
    const bool is_read = std::find(std::begin(kRead), std::end(kRead), name) != std::end(kRead);
    // Of activations: how they would be quantized, if act_bits asked for it.
    const bool is_known = is_read || is_record(name) || name.starts_with("act_");
    if (!is_known) fields.refuse(name.c_str());
  }
  QUIRE_RETURN_IF_ERROR(fields.status());
  return gptq;
}

Status read_module(const Gptq& gptq, const std::string& module, ModuleTensors& tensors) {
  const auto bits = static_cast<std::size_t>(gptq.bits);
  const std::string name = module + ".qweight";
  QUIRE_ASSIGN_OR_RETURN(const IntegerTensor* words, tensors.take_words(name));
  const std::size_t outputs = words->shape[1];
  const std::size_t inputs = words->shape[0] * 32 / bits;
  if (words->shape[0] * 32 % bits != 0 || outputs * bits % 32 != 0) {
    return error(StatusCode::kCorrupt, "tensor '{}': [{}, {}] is no matrix of {} bits in words",
                 name, words->shape[0], outputs, bits);
  }
  const std::size_t group = gptq.group < 0 ? inputs : static_cast<std::size_t>(gptq.group);
  if (inputs % group != 0) {
    return error(StatusCode::kCorrupt, "tensor '{}': {} inputs are no whole groups of {}", name,
                 inputs, group);
  }
  GroupedCodes codes;
  codes.name = module + ".weight";
  codes.rows = outputs;
  codes.columns = inputs;
  codes.group = group;
  codes.codes = {words->words(), gptq.bits, outputs, 1};
  const std::size_t groups = inputs / group;
  QUIRE_ASSIGN_OR_RETURN(const IntegerTensor* zeros,
                         tensors.take_words(module + ".qzeros", {groups, outputs * bits / 32}));
  codes.zeros = {zeros->words(), gptq.bits, 1, outputs * bits / 32};
  codes.zero_offset = gptq.zero_offset;
  QUIRE_ASSIGN_OR_RETURN(const TensorView* scales,
                         tensors.take_scales(module + ".scales", {groups, outputs}));
  codes.scales = *scales;
  codes.scale_group = outputs;
  QUIRE_ASSIGN_OR_RETURN(codes.group_of,
                         tensors.take_groups(module + ".g_idx", inputs, group));
  return tensors.put(std::move(codes));
}

}  // namespace

Result<Quantization> read_gptq(const Json& quantization_config) {
  QUIRE_ASSIGN_OR_RETURN(const Gptq gptq, read_config(quantization_config));
  Quantization quantization;
  quantization.text = fmt::format("gptq, {} bits, {}", gptq.bits,
                                  gptq.group < 0 ? std::string("a scale for each row")
                                                 : fmt::format("groups of {}", gptq.group));
  quantization.takes_integers = true;
  quantization.apply = [gptq](const FileTensors& file) -> Result<ScaledTensors> {
    ModuleTensors tensors(file);
    QUIRE_ASSIGN_OR_RETURN(const auto modules, tensors.modules(".qweight"));
    for (const std::string& module : modules) {
      if (gptq.has_plain_head && module == "lm_head") {
        return error(StatusCode::kCorrupt,
                     "tensor 'lm_head.qweight': there, but lm_head {} is false", kWhere);
      }
      QUIRE_RETURN_IF_ERROR(read_module(gptq, module, tensors));
    }
    return tensors.result();
  };
  return quantization;
}

}  // namespace quire
