#include "formats/quant/compressed_tensors.h"

#include <algorithm>

#include "formats/config/fields.h"
#include "formats/quant/floats/fp8.h"
#include "formats/quant/floats/small_floats.h"

namespace quire {
namespace {

constexpr int kGroupMax = 1 << 20;               // columns
constexpr std::size_t kGroupsMax = 64;           // of the configuration
constexpr std::size_t kIgnoredMax = 65536;       // names of modules that stay as they are
constexpr std::size_t kIgnoredPatternsMax = 64;  // expressions among them

// Member `name` of an object, or null if it is absent or null.
const Json* member(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Result<const Json*> object_member(const Json& object, std::string_view name,
                                  std::string_view where) {
  const Json* value = member(object, name);
  if (value != nullptr && value->is_object()) return value;
  return error(StatusCode::kUnsupported, "{} {}: it is {}, not an object", name, where,
               value == nullptr ? "missing" : kind_name(value->kind()));
}

void require(const ConfigFields& fields, std::string_view name, std::string_view where,
             const std::string& value, std::string_view only) {
  if (value == only) return;
  fields.fail(error(StatusCode::kUnsupported, "{} {}: '{}' is not supported, only '{}'", name,
                    where, value.substr(0, 64), only));
}

// The part that weights and activations state alike: 8 bits, integers, symmetric, no groups.
void check_symmetric_int8(const ConfigFields& fields, const std::string& where) {
  if (const int bits = fields.integer("num_bits", 1, 64); bits != 8) {
    fields.fail(error(StatusCode::kUnsupported, "num_bits {}: {} is not supported, only 8", where,
                      bits));
  }
  require(fields, "type", where, fields.string("type"), "int");
  if (!fields.boolean("symmetric", true)) {
    fields.fail(error(StatusCode::kUnsupported, "symmetric {}: false is not supported", where));
  }
  if (fields.has("group_size")) fields.refuse_unless("group_size", -1);
  for (const char* name : {"block_structure", "actorder"}) fields.refuse(name);
}

Status read_weights(const Json& group, CompressedTensors& quantization) {
  const std::string where = "of weights of quantization_config in config.json";
  QUIRE_ASSIGN_OR_RETURN(const Json* weights,
                         object_member(group, "weights", "of quantization_config in config.json"));
  const ConfigFields fields = ConfigFields::of_json(*weights, where);
  check_symmetric_int8(fields, where);
  if (fields.boolean("dynamic", false)) fields.refuse("dynamic");
  const std::string strategy = fields.string("strategy", "tensor");
  quantization.is_per_channel = strategy != "tensor";
  if (quantization.is_per_channel) require(fields, "strategy", where, strategy, "channel");
  return fields.status();
}

Status read_inputs(const Json& group, CompressedTensors& quantization) {
  const std::string where = "of input_activations of quantization_config in config.json";
  QUIRE_ASSIGN_OR_RETURN(
      const Json* inputs,
      object_member(group, "input_activations", "of quantization_config in config.json"));
  const ConfigFields fields = ConfigFields::of_json(*inputs, where);
  check_symmetric_int8(fields, where);
  quantization.is_input_static = !fields.boolean("dynamic", false);
  require(fields, "strategy", where, fields.string("strategy"),
          quantization.is_input_static ? "tensor" : "token");
  return fields.status();
}

// Beside packed weights activations become int8 in any case, in groups of 32: that is what is asked
// for, or finer.
Status read_int8_inputs_beside(const Json& group, CompressedTensors& quantization) {
  if (member(group, "input_activations") == nullptr) return ok_status();
  CompressedTensors stated;
  QUIRE_RETURN_IF_ERROR(read_inputs(group, stated));
  if (!stated.is_input_static) return ok_status();
  quantization.asked.rule.rounding = InputRule::Rounding::kInt8;
  quantization.asked.is_stated = true;
  quantization.asked.text = "int8 with a scale that each module states";
  return ok_status();
}

// Packed codes: of 4 or 8 bits, symmetric or not, a scale for each group or row.
Status read_packed_weights(const Json& group, CompressedTensors& quantization) {
  const std::string where = "of weights of quantization_config in config.json";
  QUIRE_ASSIGN_OR_RETURN(const Json* weights,
                         object_member(group, "weights", "of quantization_config in config.json"));
  const ConfigFields fields = ConfigFields::of_json(*weights, where);
  quantization.bits = fields.integer("num_bits", 1, 64);
  if (quantization.bits != 4 && quantization.bits != 8) {
    fields.fail(error(StatusCode::kUnsupported, "num_bits {}: {} is not supported, only 4 and 8",
                      where, quantization.bits));
  }
  require(fields, "type", where, fields.string("type"), "int");
  quantization.is_symmetric = fields.boolean("symmetric", true);
  if (fields.boolean("dynamic", false)) fields.refuse("dynamic");
  fields.refuse("block_structure");
  const std::string strategy = fields.string("strategy");
  if (strategy == "group") {
    quantization.group = fields.integer("group_size", 1, kGroupMax);
  } else {
    require(fields, "strategy", where, strategy, "channel");
    if (fields.has("group_size")) fields.refuse_unless("group_size", -1);
  }
  QUIRE_RETURN_IF_ERROR(fields.status());
  return read_int8_inputs_beside(group, quantization);
}

// Weights of small floats: FP8 by matrix, row or block; NVFP4 and MXFP4 by group.
Status read_float_weights(const Json& group, CompressedTensors& quantization) {
  using Kind = CompressedTensors::Kind;
  const std::string where = "of weights of quantization_config in config.json";
  QUIRE_ASSIGN_OR_RETURN(const Json* weights,
                         object_member(group, "weights", "of quantization_config in config.json"));
  const ConfigFields fields = ConfigFields::of_json(*weights, where);
  const bool is_fp8 = quantization.kind == Kind::kFp8;
  const int bits = is_fp8 ? 8 : 4;
  if (const int stated = fields.integer("num_bits", 1, 64); stated != bits) {
    fields.fail(error(StatusCode::kUnsupported, "num_bits {}: {} is not supported, only {}", where,
                      stated, bits));
  }
  require(fields, "type", where, fields.string("type"), "float");
  if (!fields.boolean("symmetric", true)) {
    fields.fail(error(StatusCode::kUnsupported, "symmetric {}: false is not supported", where));
  }
  if (fields.boolean("dynamic", false)) fields.refuse("dynamic");
  const std::string strategy = fields.string("strategy");
  if (!is_fp8) {
    const std::string own = quantization.kind == Kind::kNvfp4 ? "tensor_group" : "group";
    require(fields, "strategy", where, strategy, own);
    const int size = quantization.kind == Kind::kNvfp4 ? 16 : 32;
    if (fields.has("group_size")) fields.refuse_unless("group_size", size);
    return fields.status();
  }
  if (strategy == "block") {
    const std::vector<int> block = fields.integers("block_structure", 1, kGroupMax);
    QUIRE_RETURN_IF_ERROR(fields.status());
    if (block.size() != 2) {
      return error(StatusCode::kUnsupported, "block_structure {}: {} numbers, not two", where,
                   block.size());
    }
    quantization.block_rows = static_cast<std::size_t>(block[0]);
    quantization.block_columns = static_cast<std::size_t>(block[1]);
  } else if (strategy != "tensor") {
    require(fields, "strategy", where, strategy, "channel");
  }
  return fields.status();
}

// Of small floats: what inputs are rounded to where that is asked for, if anything.
Status note_inputs(const Json& group, CompressedTensors& quantization) {
  const Json* inputs = member(group, "input_activations");
  if (inputs == nullptr) return ok_status();
  const std::string where = "of input_activations of quantization_config in config.json";
  if (!inputs->is_object()) {
    return error(StatusCode::kUnsupported, "input_activations {}: it is {}, not an object",
                 "of quantization_config in config.json", kind_name(inputs->kind()));
  }
  const ConfigFields fields = ConfigFields::of_json(*inputs, where);
  const std::string type = fields.string("type", "int");
  const int bits = fields.integer("num_bits", 1, 64);
  const std::string strategy = fields.string("strategy", "tensor");
  const int columns = fields.integer("group_size", -1, kGroupMax, -1);
  const bool is_stated = !fields.boolean("dynamic", false) && strategy == "tensor";
  const bool is_group =
      (strategy == "group" || strategy == "block") && columns > 0;
  QUIRE_RETURN_IF_ERROR(fields.status());
  if (type == "float" && bits == 8) {
    quantization.asked = asked_fp8(is_group ? static_cast<std::size_t>(columns) : 0, is_stated);
  } else if (type == "float" && bits == 4) {
    quantization.asked = asked_fp4(strategy == "tensor_group" ? DType::kNVFP4 : DType::kMXFP4);
  } else if (type == "int" && bits == 8) {
    quantization.asked.rule.rounding = InputRule::Rounding::kInt8;
    quantization.asked.is_stated = is_stated;
    quantization.asked.text = "int8 with a scale for each token";
  } else {
    return error(StatusCode::kUnsupported,
                 "num_bits {}: inputs of type {} and {} bits are not supported", where,
                 type.substr(0, 64), bits);
  }
  return ok_status();
}

// "Linear", names of modules, and expressions.
Status read_targets(const Json& group, CompressedTensors& quantization) {
  const std::string_view where = "targets of quantization_config in config.json";
  const Json* targets = member(group, "targets");
  if (targets == nullptr || !targets->is_array() || targets->items().empty() ||
      targets->items().size() > kIgnoredMax) {
    return error(StatusCode::kUnsupported, "{}: {} is not supported, only a list such as "
                 "[\"Linear\"]", where, targets == nullptr ? "nothing"
                                                           : dump(*targets).substr(0, 64));
  }
  for (const Json& item : targets->items()) {
    const std::string name = item.is_string() ? item.as_string() : "";
    if (name == "Linear") {
      quantization.is_of_all = true;
    } else if (name.starts_with("re:")) {
      auto pattern = NamePattern::parse(name);
      if (!pattern.is_ok()) {
        return error(pattern.status().code(), "{}: {}", where, pattern.status().message());
      }
      quantization.target_patterns.push_back(std::move(pattern).value());
    } else if (name.find('.') != name.npos) {
      quantization.targets.insert(name);
    } else {
      return error(StatusCode::kUnsupported,
                   "{}: {} is not supported, only \"Linear\", names of modules and expressions",
                   where, dump(item).substr(0, 64));
    }
  }
  if (quantization.target_patterns.size() <= kIgnoredPatternsMax) return ok_status();
  return error(StatusCode::kResourceExhausted, "{}: {} expressions, at most {} are read", where,
               quantization.target_patterns.size(), kIgnoredPatternsMax);
}

Status read_ignored(const Json& config, CompressedTensors& quantization) {
  const Json* list = member(config, "ignore");
  if (list == nullptr) return ok_status();
  const std::string_view where = "ignore of quantization_config in config.json";
  if (!list->is_array() || list->items().size() > kIgnoredMax) {
    return error(StatusCode::kUnsupported, "{}: not a list of at most {} names", where,
                 kIgnoredMax);
  }
  for (const Json& item : list->items()) {
    if (!item.is_string()) {
      return error(StatusCode::kCorrupt, "{}: it has {}", where, kind_name(item.kind()));
    }
    if (!item.as_string().starts_with("re:")) {
      quantization.ignored.insert(item.as_string());
      continue;
    }
    auto pattern = NamePattern::parse(item.as_string());
    if (!pattern.is_ok()) {
      return error(pattern.status().code(), "{}: {}", where, pattern.status().message());
    }
    quantization.ignored_patterns.push_back(std::move(pattern).value());
  }
  if (quantization.ignored_patterns.size() <= kIgnoredPatternsMax) return ok_status();
  return error(StatusCode::kResourceExhausted, "{}: {} expressions, at most {} are read", where,
               quantization.ignored_patterns.size(), kIgnoredPatternsMax);
}

// What else may change the weights or the computation: absent, null, empty or of no effect.
Status check_rest(const Json& config, const ConfigFields& fields) {
  for (const char* name : {"transform_config", "sparsity_config"}) {
    const Json* value = member(config, name);
    const bool is_empty = value == nullptr || (value->is_object() && value->members().empty());
    const Json* format = is_empty ? nullptr : value->find("format");
    const bool is_dense = std::string_view(name) == "sparsity_config" && format != nullptr &&
                          format->is_string() && format->as_string() == "dense";
    if (!is_empty && !is_dense) fields.refuse(name);
  }
  return fields.status();
}

// By the name of the format and what it says of weights; `naive-quantized` may be either.
CompressedTensors::Kind kind_of(const ConfigFields& fields, const std::string& format,
                                const Json& group) {
  using Kind = CompressedTensors::Kind;
  if (format == "pack-quantized") return Kind::kPacked;
  if (format == "nvfp4-pack-quantized") return Kind::kNvfp4;
  if (format == "mxfp4-pack-quantized") return Kind::kMxfp4;
  const Json* weights = member(group, "weights");
  const Json* type = weights == nullptr ? nullptr : member(*weights, "type");
  const bool is_float = type != nullptr && type->is_string() && type->as_string() == "float";
  if (format == "float-quantized" || (format == "naive-quantized" && is_float)) return Kind::kFp8;
  if (format != "naive-quantized") {
    require(fields, "format", "of quantization_config in config.json", format, "int-quantized");
  }
  return member(group, "input_activations") == nullptr ? Kind::kInt8Weights : Kind::kW8A8;
}

Status read_kind(const Json& group, CompressedTensors& quantization) {
  using Kind = CompressedTensors::Kind;
  switch (quantization.kind) {
    case Kind::kPacked:
      return read_packed_weights(group, quantization);
    case Kind::kW8A8:
      QUIRE_RETURN_IF_ERROR(read_weights(group, quantization));
      return read_inputs(group, quantization);
    case Kind::kInt8Weights:
      return read_weights(group, quantization);
    case Kind::kFp8:
    case Kind::kNvfp4:
    case Kind::kMxfp4:
      QUIRE_RETURN_IF_ERROR(read_float_weights(group, quantization));
      return note_inputs(group, quantization);
  }
  return ok_status();
}

}  // namespace

bool CompressedTensors::is_ignored(std::string_view module) const {
  return ignored.contains(module) ||
         std::any_of(ignored_patterns.begin(), ignored_patterns.end(),
                     [&](const NamePattern& pattern) { return pattern.matches(module); });
}

std::size_t group_of(const std::vector<CompressedTensors>& groups, std::string_view module) {
  const auto first = [&](auto is_meant) {
    const auto at = std::find_if(groups.begin(), groups.end(), is_meant);
    return static_cast<std::size_t>(at - groups.begin());
  };
  std::size_t found =
      first([&](const CompressedTensors& group) { return group.targets.contains(module); });
  if (found < groups.size()) return found;
  found = first([&](const CompressedTensors& group) {
    return std::any_of(group.target_patterns.begin(), group.target_patterns.end(),
                       [&](const NamePattern& pattern) { return pattern.matches(module); });
  });
  if (found < groups.size()) return found;
  return first([](const CompressedTensors& group) { return group.is_of_all; });
}

std::string cache_note(const Json& quantization_config) {
  const Json* scheme = member(quantization_config, "kv_cache_scheme");
  if (scheme == nullptr || !scheme->is_object() || scheme->members().empty()) return "";
  const Json* type = member(*scheme, "type");
  const Json* bits = member(*scheme, "num_bits");
  const std::string of = type != nullptr && type->is_string() ? type->as_string() : "int";
  return fmt::format("kv_cache_scheme is {} of {} bits", of.substr(0, 64),
                     bits != nullptr && bits->is_int() ? bits->as_int() : 8);
}

namespace {

Result<CompressedTensors> read_group(const Json& config, const Json& group) {
  const std::string where = "of quantization_config in config.json";
  const ConfigFields fields = ConfigFields::of_json(config, where);
  const ConfigFields own = ConfigFields::of_json(group, where);
  const std::string common = fields.string("format");
  const std::string format = own.string("format", common);
  if (format == "mixed-precision") fields.refuse("format");
  own.refuse("output_activations");
  QUIRE_RETURN_IF_ERROR(own.status());
  CompressedTensors quantization;
  QUIRE_RETURN_IF_ERROR(read_targets(group, quantization));
  quantization.kind = kind_of(fields, format, group);
  QUIRE_RETURN_IF_ERROR(fields.status());
  QUIRE_RETURN_IF_ERROR(read_kind(group, quantization));
  QUIRE_RETURN_IF_ERROR(read_ignored(config, quantization));
  return quantization;
}

}  // namespace

Result<std::vector<CompressedTensors>> read_compressed_tensors(const Json& quantization_config) {
  const std::string where = "of quantization_config in config.json";
  const Json& config = quantization_config;
  const ConfigFields fields = ConfigFields::of_json(config, where);
  QUIRE_RETURN_IF_ERROR(check_rest(config, fields));
  QUIRE_ASSIGN_OR_RETURN(const Json* groups, object_member(config, "config_groups", where));
  if (groups->members().empty() || groups->members().size() > kGroupsMax) {
    return error(StatusCode::kUnsupported, "config_groups {}: {} groups, not 1 to {}", where,
                 groups->members().size(), kGroupsMax);
  }
  std::vector<CompressedTensors> all;
  for (const auto& [name, group] : groups->members()) {
    if (!group.is_object()) {
      return error(StatusCode::kUnsupported, "config_groups {}: '{}' is {}, not an object", where,
                   name.substr(0, 64), kind_name(group.kind()));
    }
    QUIRE_ASSIGN_OR_RETURN(CompressedTensors read, read_group(config, group));
    all.push_back(std::move(read));
  }
  return all;
}

}  // namespace quire
