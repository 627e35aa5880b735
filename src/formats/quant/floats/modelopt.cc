#include "formats/quant/floats/modelopt.h"

#include <algorithm>

#include "formats/config/fields.h"
#include "formats/quant/compressed_tensors.h"
#include "formats/quant/floats/fp8.h"
#include "formats/quant/floats/small_floats.h"

namespace quire {
namespace {

constexpr int kGroup = 16;

// Which modules are codes is what the types of their tensors say.
constexpr std::string_view kRecords[] = {
    "quant_method", "producer", "ignore", "exclude_modules", "config_groups", "kv_cache_scheme",
    "kv_cache_quant_algo", "has_zero_point", "pre_quant_scale",
};

}  // namespace

Result<Quantization> read_modelopt(const Json& config) {
  const Json* inner = config.find("quantization");
  const bool is_inner = inner != nullptr && inner->is_object();
  const std::string where = is_inner ? "of quantization in hf_quant_config.json"
                                     : "of quantization_config in config.json";
  const Json& object = is_inner ? *inner : config;
  const ConfigFields fields = ConfigFields::of_json(object, where);
  const std::string algorithm = fields.string("quant_algo");
  if (fields.has("group_size")) fields.refuse_unless("group_size", kGroup);
  if (fields.boolean("pre_quant_scale", false)) fields.refuse("pre_quant_scale");
  for (const auto& [name, value] : object.members()) {
    const bool is_known =
        name == "quant_algo" || name == "group_size" ||
        std::find(std::begin(kRecords), std::end(kRecords), name) != std::end(kRecords);
    if (!is_known) fields.refuse(name.c_str());
  }
  QUIRE_RETURN_IF_ERROR(fields.status());
  Quantization quantization;
  if (const std::string cache = fields.string("kv_cache_quant_algo", ""); !cache.empty()) {
    quantization.cache = fmt::format("kv_cache_quant_algo is '{}'", cache.substr(0, 64));
  } else {
    quantization.cache = cache_note(object);
  }
  QUIRE_RETURN_IF_ERROR(fields.status());
  quantization.takes_integers = true;
  if (algorithm == "FP8") {
    quantization.text = "modelopt, fp8, e4m3, a scale for each matrix";
    const AskedInput asked = asked_fp8(0, true);
    quantization.activations = asked.text;
    quantization.apply = [asked](const FileTensors& file) { return apply_fp8({}, asked, file); };
    return quantization;
  }
  if (algorithm == "NVFP4") {
    quantization.text = "modelopt, nvfp4, groups of 16";
    const AskedInput asked = asked_fp4(DType::kNVFP4);
    quantization.activations = asked.text;
    quantization.apply = [asked](const FileTensors& file) {
      return apply_small_floats({DType::kNVFP4, ".weight", ".weight_scale_2", false, asked}, file);
    };
    return quantization;
  }
  return error(StatusCode::kUnsupported,
               "quant_algo {}: '{}' is not supported, only FP8 and NVFP4", where,
               algorithm.substr(0, 64));
}

}  // namespace quire
