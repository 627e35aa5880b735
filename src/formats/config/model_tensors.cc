#include "formats/config/model_tensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

namespace quire {
namespace {

enum class Width { kNone, kModel, kQuery, kKeyValue, kHead, kFfn, kVocab };
enum class Needed { kAlways, kUntied, kBias, kQkNorm };

struct TensorRow {
  std::string_view canonical;
  std::string_view gguf;
  std::string_view hugging_face;
  Width rows;  // kNone: a vector
  Width columns;
  Needed needed = Needed::kAlways;
};

constexpr TensorRow kModelTensors[] = {
    {"embed", "token_embd.weight", "model.embed_tokens.weight", Width::kVocab, Width::kModel},
    {"final_norm", "output_norm.weight", "model.norm.weight", Width::kNone, Width::kModel},
    {"head", "output.weight", "lm_head.weight", Width::kVocab, Width::kModel, Needed::kUntied},
};

// Below "layers.3.", "blk.3." and "model.layers.3.".
constexpr TensorRow kLayerTensors[] = {
    {"attn_norm", "attn_norm.weight", "input_layernorm.weight", Width::kNone, Width::kModel},
    {"q", "attn_q.weight", "self_attn.q_proj.weight", Width::kQuery, Width::kModel},
    {"k", "attn_k.weight", "self_attn.k_proj.weight", Width::kKeyValue, Width::kModel},
    {"v", "attn_v.weight", "self_attn.v_proj.weight", Width::kKeyValue, Width::kModel},
    {"o", "attn_output.weight", "self_attn.o_proj.weight", Width::kModel, Width::kQuery},
    {"q_bias", "attn_q.bias", "self_attn.q_proj.bias", Width::kNone, Width::kQuery, Needed::kBias},
    {"k_bias", "attn_k.bias", "self_attn.k_proj.bias", Width::kNone, Width::kKeyValue,
     Needed::kBias},
    {"v_bias", "attn_v.bias", "self_attn.v_proj.bias", Width::kNone, Width::kKeyValue,
     Needed::kBias},
    {"q_norm", "attn_q_norm.weight", "self_attn.q_norm.weight", Width::kNone, Width::kHead,
     Needed::kQkNorm},
    {"k_norm", "attn_k_norm.weight", "self_attn.k_norm.weight", Width::kNone, Width::kHead,
     Needed::kQkNorm},
    {"ffn_norm", "ffn_norm.weight", "post_attention_layernorm.weight", Width::kNone, Width::kModel},
    {"gate", "ffn_gate.weight", "mlp.gate_proj.weight", Width::kFfn, Width::kModel},
    {"up", "ffn_up.weight", "mlp.up_proj.weight", Width::kFfn, Width::kModel},
    {"down", "ffn_down.weight", "mlp.down_proj.weight", Width::kModel, Width::kFfn},
};

std::size_t elements(const ModelConfig& config, Width width) {
  int value = 1;
  switch (width) {
    case Width::kNone:
      break;
    case Width::kModel:
      value = config.d_model;
      break;
    case Width::kQuery:
      value = config.heads * config.head_dim;
      break;
    case Width::kKeyValue:
      value = config.kv_heads * config.head_dim;
      break;
    case Width::kHead:
      value = config.head_dim;
      break;
    case Width::kFfn:
      value = config.ffn;
      break;
    case Width::kVocab:
      value = config.vocab;
      break;
  }
  return static_cast<std::size_t>(value);
}

std::vector<std::size_t> shape_of(const ModelConfig& config, const TensorRow& row) {
  if (row.rows == Width::kNone) return {elements(config, row.columns)};
  return {elements(config, row.rows), elements(config, row.columns)};
}

bool is_needed(const ModelConfig& config, Needed needed) {
  switch (needed) {
    case Needed::kAlways:
      return true;
    case Needed::kUntied:
      return !config.tied_head;
    case Needed::kBias:
      return config.qkv_bias;
    case Needed::kQkNorm:
      return config.qk_norm;
  }
  return false;
}

bool is_vector_type(DType dtype) { return dtype_info(dtype).block_elements == 1; }

// What a file may hold beside the weights: rotary frequencies that are read elsewhere or are
// implied, and the second copy of a tied head.
bool is_ignored(const ModelConfig& config, std::string_view name, TensorNaming naming) {
  if (naming == TensorNaming::kGguf) return name == "rope_freqs.weight";
  return name.ends_with(".rotary_emb.inv_freq") || (config.tied_head && name == "lm_head.weight");
}

class Matcher {
 public:
  Matcher(const ModelConfig& config, std::span<const TensorView> file, TensorNaming naming,
          const TensorPlace& place)
      : config_(config), file_(file), naming_(naming), place_(place), is_used_(file.size()) {
    for (std::size_t i = 0; i < file.size(); ++i) by_name_.emplace(file[i].name, i);
  }

  Status take(const TensorRow& row, const std::string& canonical, std::string name) {
    if (!is_needed(config_, row.needed)) return ok_status();
    auto at = by_name_.find(name);
    // A tied model may store its one matrix under the name of the head.
    const bool may_be_head =
        naming_ == TensorNaming::kHuggingFace && canonical == "embed" && config_.tied_head;
    if (at == by_name_.end() && may_be_head) at = by_name_.find(kModelTensors[2].hugging_face);
    if (at == by_name_.end()) {
      return error(StatusCode::kCorrupt, "tensor '{}': missing, but architecture {} needs it", name,
                   config_.architecture);
    }
    const TensorView& tensor = file_[at->second];
    const std::vector<std::size_t> shape = shape_of(config_, row);
    if (tensor.shape != shape) {
      return error(StatusCode::kCorrupt,
                   "tensor '{}' {}: shape [{}], but the configuration says [{}]", tensor.name,
                   place_(tensor), fmt::join(tensor.shape, ", "), fmt::join(shape, ", "));
    }
    if (tensor.dtype == DType::kI8 && tensor.row_scales == nullptr) {
      return error(StatusCode::kUnsupported,
                   "tensor '{}' {}: I8 without scales that quantization_config would explain",
                   tensor.name, place_(tensor));
    }
    if (row.rows == Width::kNone && !is_vector_type(tensor.dtype)) {
      return error(StatusCode::kUnsupported, "tensor '{}' {}: a vector of type {}", tensor.name,
                   place_(tensor), dtype_name(tensor.dtype));
    }
    is_used_[at->second] = true;
    tensors_.emplace(canonical, tensor);
    return ok_status();
  }

  Status check_all_used() const {
    for (std::size_t i = 0; i < file_.size(); ++i) {
      if (is_used_[i] || is_ignored(config_, file_[i].name, naming_)) continue;
      return error(StatusCode::kUnsupported, "tensor '{}' {}: architecture {} has no such tensor",
                   file_[i].name, place_(file_[i]), config_.architecture);
    }
    return ok_status();
  }

  std::map<std::string, TensorView, std::less<>> result() { return std::move(tensors_); }

 private:
  const ModelConfig& config_;
  std::span<const TensorView> file_;
  TensorNaming naming_;
  const TensorPlace& place_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
  std::vector<bool> is_used_;
  std::map<std::string, TensorView, std::less<>> tensors_;
};

}  // namespace

Result<std::map<std::string, TensorView, std::less<>>> match_tensors(
    const ModelConfig& config, std::span<const TensorView> file, TensorNaming naming,
    const TensorPlace& place) {
  const bool is_gguf = naming == TensorNaming::kGguf;
  const auto file_name = [&](const TensorRow& row) {
    return std::string(is_gguf ? row.gguf : row.hugging_face);
  };
  Matcher matcher(config, file, naming, place);
  for (const TensorRow& row : kModelTensors) {
    QUIRE_RETURN_IF_ERROR(matcher.take(row, std::string(row.canonical), file_name(row)));
  }
  for (int i = 0; i < config.layers; ++i) {
    const std::string prefix = fmt::format("{}.{}.", is_gguf ? "blk" : "model.layers", i);
    for (const TensorRow& row : kLayerTensors) {
      QUIRE_RETURN_IF_ERROR(matcher.take(row, fmt::format("layers.{}.{}", i, row.canonical),
                                         prefix + file_name(row)));
    }
  }
  QUIRE_RETURN_IF_ERROR(matcher.check_all_used());
  return matcher.result();
}

std::vector<std::size_t> expected_shape(const ModelConfig& config,
                                        std::string_view canonical_name) {
  const bool is_layer = canonical_name.starts_with("layers.");
  const std::string_view part =
      is_layer ? canonical_name.substr(canonical_name.rfind('.') + 1) : canonical_name;
  const std::span<const TensorRow> rows = is_layer ? std::span<const TensorRow>(kLayerTensors)
                                                   : std::span<const TensorRow>(kModelTensors);
  for (const TensorRow& row : rows) {
    if (row.canonical == part && is_needed(config, row.needed)) return shape_of(config, row);
  }
  return {};
}

void count_weights(const std::map<std::string, TensorView, std::less<>>& tensors,
                   ModelConfig& config) {
  std::vector<std::pair<int, std::string_view>> counts;
  for (const DTypeInfo& row : kDTypes) counts.emplace_back(0, row.name);
  config.parameters = config.weight_bytes = 0;
  for (const auto& [name, tensor] : tensors) {
    config.parameters += tensor.rows() * tensor.columns();
    config.weight_bytes += tensor.bytes();
    --counts[static_cast<std::size_t>(tensor.dtype)].first;  // negative: most first when sorted
  }
  std::stable_sort(counts.begin(), counts.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  config.weight_types.clear();
  for (const auto& [count, name] : counts) {
    if (count == 0) break;
    config.weight_types +=
        fmt::format("{}{} {}", config.weight_types.empty() ? "" : ", ", name, -count);
  }
}

}  // namespace quire
