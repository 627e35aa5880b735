#include "formats/quant/quant_methods.h"

#include <array>
#include <filesystem>

#include "formats/config/fields.h"
#include "formats/quant/compressed_tensors.h"

namespace quire {
namespace {

constexpr std::array<QuantMethod, 1> kMethods = {{
    {"compressed-tensors", attach_compressed_tensors},
}};

// What writers of older checkpoints left beside config.json instead of saying it there.
struct OldFile {
  std::string_view name, method;
};
constexpr OldFile kOldFiles[] = {
    {"quantize_config.json", "gptq"},
    {"quant_config.json", "awq"},
    {"hf_quant_config.json", "modelopt"},
};

Status refused(std::string_view place, std::string_view method) {
  return error(StatusCode::kUnsupported,
               "{}: '{}' weights are not read; read are compressed-tensors in W8A8, weights of "
               "F32, F16 or BF16, and GGUF files of the same model in any type",
               place, method.substr(0, 64));
}

const Json* member(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

}  // namespace

Result<AttachScales> read_quantization(const Json& root, const std::string& directory) {
  const Json* config = member(root, "quantization_config");
  if (config == nullptr) {
    const Json* text = member(root, "text_config");
    if (text != nullptr) config = member(*text, "quantization_config");
  }
  if (config == nullptr) {
    if (member(root, "compression_config") != nullptr) {
      return error(StatusCode::kUnsupported, "compression_config in config.json is not supported");
    }
    if (member(root, "quantization") != nullptr) {
      return refused("quantization in config.json", "mlx");
    }
    for (const OldFile& file : kOldFiles) {
      if (!std::filesystem::exists(std::filesystem::path(directory) / file.name)) continue;
      return refused(fmt::format("'{}'", file.name), file.method);
    }
    return AttachScales();
  }
  if (!config->is_object()) {
    return error(StatusCode::kUnsupported, "quantization_config in config.json: it is {}",
                 kind_name(config->kind()));
  }
  const ConfigFields fields = ConfigFields::of_json(*config, "");
  const std::string method = fields.string("quant_method");
  constexpr std::string_view kPlace = "quant_method of quantization_config in config.json";
  if (!fields.status().is_ok()) return error(StatusCode::kUnsupported, "{}: missing", kPlace);
  for (const QuantMethod& row : kMethods) {
    if (row.name == method) return row.read(*config);
  }
  return refused(kPlace, method);
}

}  // namespace quire
