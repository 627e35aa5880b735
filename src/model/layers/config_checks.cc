#include "model/layers/config_checks.h"

#include "formats/config/config_ranges.h"

namespace quire {

void check_heads(const ConfigFields& fields, int heads, int kv_heads, int head_dim) {
  if (heads % kv_heads != 0) {
    fields.fail(error(StatusCode::kCorrupt, "{} query heads cannot share {} key-value heads", heads,
                      kv_heads));
  }
  if (head_dim % 2 != 0) {
    fields.fail(error(StatusCode::kCorrupt, "head_dim: {} is odd", head_dim));
  }
  if (heads * head_dim > kHeadsWidthMax) {
    fields.fail(error(StatusCode::kCorrupt, "{} heads of {} values: at most {} are supported",
                      heads, head_dim, kHeadsWidthMax));
  }
}

void check_layer_types(const ConfigFields& fields, std::string_view wanted) {
  const Key key = {"layer_types", ""};
  for (const std::string& type : fields.strings(key)) {
    if (type == wanted) continue;
    fields.fail(error(StatusCode::kUnsupported, "{}: '{}' where only '{}' fits",
                      fields.name_of(key), type.substr(0, 64), wanted));
  }
}

void check_width(const ConfigFields& fields, Key heads_key, int heads, int width) {
  if (width % heads == 0) return;
  fields.fail(error(StatusCode::kCorrupt, "{}: {} heads do not divide {}",
                    fields.name_of(heads_key), heads, width));
}

void refuse_gguf(const ConfigFields& fields, std::string_view architecture) {
  if (!fields.is_gguf()) return;
  fields.fail(error(StatusCode::kUnsupported, "{} is not supported as GGUF, for which no form of "
                    "it is defined, only as a folder of Hugging Face", architecture));
}

void check_latent_heads(const ConfigFields& fields, int layer, int head_dim, int rank) {
  bool is_quantized = false;
  for (const char* part : {"attn_k_b", "attn_v_b"}) {
    const TensorView* tensor = fields.tensor({"", fmt::format("blk.{}.{}.weight", layer, part)});
    is_quantized |= tensor != nullptr && dtype_info(tensor->dtype).block_elements > 1;
  }
  if (!is_quantized || (head_dim % 32 == 0 && rank % 32 == 0)) return;
  fields.fail(error(StatusCode::kUnsupported, "quantized heads of {} values, a latent of {}",
                    head_dim, rank));
}

namespace {

struct NamedActivation {
  std::string_view name;
  Activation activation;
};
constexpr NamedActivation kActivations[] = {
    {"silu", Activation::kSilu},
    {"swish", Activation::kSilu},
    {"gelu", Activation::kGelu},
    {"gelu_python", Activation::kGelu},
    {"gelu_new", Activation::kGeluTanh},
    {"gelu_fast", Activation::kGeluTanh},
    {"gelu_accurate", Activation::kGeluTanh},
    {"gelu_pytorch_tanh", Activation::kGeluTanh},
    {"gelu_python_tanh", Activation::kGeluTanh},
    {"relu", Activation::kRelu},
    {"relu2", Activation::kReluSquared},
};

}  // namespace

std::optional<Activation> find_activation(std::string_view name) {
  for (const NamedActivation& row : kActivations) {
    if (row.name == name) return row.activation;
  }
  return std::nullopt;
}

Activation read_activation(const ConfigFields& fields, const char* name,
                           const std::string& fallback) {
  const Key key = {name, ""};
  const std::string wanted = fields.string(key, fallback);
  if (const auto found = find_activation(wanted)) return *found;
  std::string known;
  for (const NamedActivation& row : kActivations) {
    known += known.empty() ? "" : ", ";
    known += row.name;
  }
  fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported; known are {}",
                    fields.name_of(key), wanted.substr(0, 64), known));
  return Activation::kSilu;
}

}  // namespace quire
