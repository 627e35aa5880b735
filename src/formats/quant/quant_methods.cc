#include "formats/quant/quant_methods.h"

#include <array>
#include <filesystem>
#include <iterator>

#include "base/file.h"
#include "formats/config/config_ranges.h"
#include "formats/config/fields.h"
#include "formats/in_file.h"
#include "formats/quant/awq.h"
#include "formats/quant/floats/bitsandbytes.h"
#include "formats/quant/floats/codes_beside.h"
#include "formats/quant/floats/fp8.h"
#include "formats/quant/floats/modelopt.h"
#include "formats/quant/floats/small_floats.h"
#include "formats/quant/gptq.h"
#include "formats/quant/integers/bitnet.h"
#include "formats/quant/integers/byte_weights.h"
#include "formats/quant/integers/hqq.h"
#include "formats/quant/packed_tensors.h"
#include "formats/quant/weight_scales.h"

namespace quire {
namespace {

constexpr std::string_view kScaleEndings[] = {"_scale"};

// int8 weights for activations that stay floats.
Result<ScaledTensors> apply_int8_weights(const FileTensors& file) {
  ModuleTensors tensors(file);
  QUIRE_RETURN_IF_ERROR(
      attach_beside({DType::kI8, DType::kI8A16, 0, 0, kScaleEndings}, file, tensors));
  return tensors.result();
}

// How compressed-tensors calls it, and what is done with the tensors.
void describe(CompressedTensors read, Quantization& quantization) {
  using Kind = CompressedTensors::Kind;
  switch (read.kind) {
    case Kind::kPacked:
      quantization.text = fmt::format(
          "packed, {} bits, {}", read.bits,
          read.group == 0 ? std::string("a scale for each row")
                          : fmt::format("groups of {}", read.group));
      quantization.takes_integers = true;
      quantization.apply = [read = std::move(read)](const FileTensors& file) {
        return unpack_tensors(read, file);
      };
      return;
    case Kind::kW8A8:
      quantization.text = "W8A8";
      quantization.apply = [read = std::move(read)](const FileTensors& file) {
        return attach_scales(read, file.tensors, file.place);
      };
      return;
    case Kind::kInt8Weights:
      quantization.text = "W8A16, int8";
      quantization.apply = apply_int8_weights;
      return;
    case Kind::kFp8:
      quantization.text = read.block_rows == 0 ? std::string("fp8, e4m3")
                                               : fmt::format("fp8, e4m3, blocks of {} x {}",
                                                             read.block_rows, read.block_columns);
      quantization.apply = [blocks = Fp8Blocks{read.block_rows, read.block_columns},
                            asked = read.asked](const FileTensors& file) {
        return apply_fp8(blocks, asked, file);
      };
      return;
    case Kind::kNvfp4:
    case Kind::kMxfp4: {
      const DType dtype = read.kind == Kind::kNvfp4 ? DType::kNVFP4 : DType::kMXFP4;
      quantization.text = dtype == DType::kNVFP4 ? "nvfp4, groups of 16" : "mxfp4, groups of 32";
      quantization.takes_integers = true;
      quantization.apply = [dtype, asked = read.asked](const FileTensors& file) {
        return apply_small_floats({.dtype = dtype, .asked = asked}, file);
      };
      return;
    }
  }
}

// Each group with the tensors of its modules, as if there were no other.
Result<ScaledTensors> apply_groups(const std::vector<CompressedTensors>& groups,
                                   const std::vector<Quantization>& methods,
                                   const FileTensors& file) {
  std::vector<std::vector<TensorView>> tensors(groups.size() + 1);
  std::vector<std::vector<IntegerTensor>> integers(groups.size() + 1);
  const auto place = [&](const std::string& name) {
    const std::string_view module = std::string_view(name).substr(0, name.rfind('.'));
    return groups.front().is_ignored(module) ? groups.size() : group_of(groups, module);
  };
  for (const TensorView& tensor : file.tensors) tensors[place(tensor.name)].push_back(tensor);
  for (const IntegerTensor& tensor : file.integers) {
    integers[place(tensor.name)].push_back(tensor);
  }
  if (!integers.back().empty()) {
    return error(StatusCode::kCorrupt, "tensor '{}': integers, but no group of quantization_config "
                 "in config.json has its module", integers.back().front().name);
  }
  ScaledTensors all;
  all.tensors = std::move(tensors.back());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (tensors[i].empty() && integers[i].empty()) continue;
    QUIRE_ASSIGN_OR_RETURN(ScaledTensors some,
                           methods[i].apply({tensors[i], integers[i], file.place}));
    std::move(some.tensors.begin(), some.tensors.end(), std::back_inserter(all.tensors));
    std::move(some.scales.begin(), some.scales.end(), std::back_inserter(all.scales));
    all.late.merge(some.late);
    all.orders.insert(all.orders.end(), some.orders.begin(), some.orders.end());
    if (all.rounded == 0) all.reason = some.reason;
    all.rounded += some.rounded;
  }
  return all;
}

Result<Quantization> read_compressed(const Json& quantization_config) {
  QUIRE_ASSIGN_OR_RETURN(std::vector<CompressedTensors> groups,
                         read_compressed_tensors(quantization_config));
  std::vector<Quantization> methods;
  Quantization quantization;
  for (const CompressedTensors& group : groups) {
    describe(group, methods.emplace_back());
    quantization.text += (quantization.text.empty() ? "compressed-tensors, " : "; ") +
                         methods.back().text;
    quantization.takes_integers |= methods.back().takes_integers;
    if (quantization.activations.empty()) quantization.activations = group.asked.text;
  }
  quantization.cache = cache_note(quantization_config);
  quantization.apply = [groups = std::move(groups), methods = std::move(methods)](
                           const FileTensors& file) -> Result<ScaledTensors> {
    const bool is_one = groups.size() == 1 && groups.front().is_of_all;
    QUIRE_ASSIGN_OR_RETURN(ScaledTensors made, is_one ? methods.front().apply(file)
                                                      : apply_groups(groups, methods, file));
    std::erase_if(made.tensors,
                  [](const TensorView& tensor) { return is_cache_scale(tensor.name); });
    return made;
  };
  return quantization;
}

// AutoRound writes the layout of another method, and names it.
Result<Quantization> read_auto_round(const Json& quantization_config) {
  const ConfigFields fields = ConfigFields::of_json(quantization_config, "");
  const std::string layout = fields.string("packing_format", "");
  QUIRE_RETURN_IF_ERROR(fields.status());
  if (layout.find("gptq") != layout.npos) return read_gptq(quantization_config);
  if (layout.find("awq") != layout.npos) return read_awq(quantization_config);
  return error(StatusCode::kUnsupported,
               "packing_format of quantization_config in config.json: '{}' is not supported, only "
               "auto_round:auto_gptq and auto_round:auto_awq",
               layout.substr(0, 64));
}

constexpr std::array<QuantMethod, 14> kMethods = {{
    {"compressed-tensors", read_compressed},
    {"gptq", read_gptq},
    {"awq", read_awq},
    {"auto-round", read_auto_round},
    {"intel/auto-round", read_auto_round},
    {"mxfp4", read_mxfp4},
    {"fp8", read_fp8},
    {"fbgemm_fp8", read_fbgemm_fp8},
    {"bitsandbytes", read_bitsandbytes},
    {"modelopt", read_modelopt},
    {"hqq", read_hqq},
    {"eetq", read_eetq},
    {"torchao", read_torchao},
    {"bitnet", read_bitnet},
}};

// What writers of older checkpoints left beside config.json instead of saying it there.
struct OldFile {
  std::string_view name;
  Result<Quantization> (*read)(const Json& config);
};
constexpr OldFile kOldFiles[] = {
    {"quantize_config.json", read_gptq},
    {"quant_config.json", read_awq},
    {"hf_quant_config.json", read_modelopt},
};

Status refused(std::string_view place, std::string_view method) {
  return error(StatusCode::kUnsupported,
               "{}: '{}' weights are not read; read are gptq, awq, compressed-tensors, fp8, "
               "fbgemm_fp8, mxfp4, bitsandbytes, modelopt, hqq, eetq, torchao and bitnet, weights "
               "of F32, F16 or BF16, and GGUF files of the same model in any type",
               place, method.substr(0, 64));
}

const Json* member(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Result<Quantization> read_old(const OldFile& file, const std::string& path) {
  QUIRE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kConfigFileSizeMax));
  const Result<Json> json = parse_json(text);
  if (!json.is_ok()) return in_file(path, json.status());
  if (!json->is_object()) {
    return error(StatusCode::kCorrupt, "'{}': it is {}, not an object", file.name,
                 kind_name(json->kind()));
  }
  Result<Quantization> read = file.read(*json);
  return read.is_ok() ? std::move(read) : in_file(path, read.status());
}

}  // namespace

Result<Quantization> read_quantization(const Json& root, const std::string& directory) {
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
      const std::filesystem::path path = std::filesystem::path(directory) / file.name;
      if (!std::filesystem::exists(path)) continue;
      return read_old(file, path);
    }
    return Quantization();
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
