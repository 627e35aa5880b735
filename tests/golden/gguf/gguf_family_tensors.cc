#include <algorithm>
#include <string>

#include "gguf_families.h"

namespace quire::testing {
namespace {

using Tensors = std::vector<StoredTensor>;

bool ends(const StoredTensor& tensor, std::string_view end) { return tensor.name.ends_with(end); }

bool has_part(const StoredTensor& tensor, std::string_view part) {
  return tensor.name.find(part) != std::string::npos;
}

std::string replaced(const StoredTensor& tensor, std::string_view part, std::string_view now) {
  std::string name = tensor.name;
  return name.replace(name.find(part), part.size(), now);
}

std::size_t number(const Json& config, const char* name, std::size_t fallback = 0) {
  const Json* value = config.find(name);
  return value != nullptr && value->is_int() ? value->as_uint() : fallback;
}

// Every second value of a dimension, from `first` on.
StoredTensor every_second(const StoredTensor& tensor, std::string name, std::size_t dimension,
                          std::size_t first) {
  StoredTensor out = {std::move(name), tensor.shape, {}};
  out.shape[dimension] /= 2;
  std::size_t inner = 1;
  for (std::size_t i = dimension + 1; i < tensor.shape.size(); ++i) inner *= tensor.shape[i];
  for (std::size_t i = first * inner; i < tensor.values.size(); i += 2 * inner) {
    const auto begin = tensor.values.begin() + static_cast<std::ptrdiff_t>(i);
    out.values.insert(out.values.end(), begin, begin + static_cast<std::ptrdiff_t>(inner));
  }
  return out;
}

// Each matrix of a stack.
StoredTensor transposed_each(const StoredTensor& tensor) {
  StoredTensor out = {tensor.name, {tensor.shape[0], tensor.shape[2], tensor.shape[1]}, {}};
  for (std::size_t i = 0; i < tensor.shape[0]; ++i) {
    StoredTensor one = part_of(tensor, "", 0, i, 1);
    one.shape = {tensor.shape[1], tensor.shape[2]};
    const StoredTensor turned = transposed(one);
    out.values.insert(out.values.end(), turned.values.begin(), turned.values.end());
  }
  return out;
}

Tensors of_gpt_oss(StoredTensor tensor) {
  if (ends(tensor, "self_attn.sinks")) tensor.name += ".weight";
  if (ends(tensor, "down_proj_bias")) tensor.name = replaced(tensor, "_bias", ".bias");
  if (ends(tensor, "experts.down_proj")) {
    tensor = transposed_each(tensor);
    tensor.name += ".weight";
  }
  const bool is_bias = ends(tensor, "gate_up_proj_bias");
  if (!is_bias && !ends(tensor, "gate_up_proj")) return {std::move(tensor)};
  if (!is_bias) tensor = transposed_each(tensor);
  const std::string_view part = is_bias ? "gate_up_proj_bias" : "gate_up_proj";
  const std::string end = is_bias ? ".bias" : ".weight";
  return {every_second(tensor, replaced(tensor, part, "gate_proj" + end), 1, 0),
          every_second(tensor, replaced(tensor, part, "up_proj" + end), 1, 1)};
}

Tensors of_llama4(StoredTensor tensor) {
  if (tensor.shape.size() != 3) return {std::move(tensor)};
  tensor = transposed_each(tensor);
  if (ends(tensor, "down_proj")) {
    tensor.name += ".weight";
    return {std::move(tensor)};
  }
  const std::size_t half = tensor.shape[1] / 2;
  return {part_of(tensor, replaced(tensor, "gate_up_proj", "gate_proj.weight"), 1, 0, half),
          part_of(tensor, replaced(tensor, "gate_up_proj", "up_proj.weight"), 1, half, half)};
}

// Ids behind those that have a vector of their own are of pictures, and get rows of zeros from the
// converter. A text of the fixture has such ids, for which the library takes the first row.
Tensors of_gemma3n(const Json& config, StoredTensor tensor) {
  if (has_part(tensor, "embed_tokens_per_layer")) {
    const std::size_t vocab = number(config, "vocab_size");
    const std::vector<float> first = part_of(tensor, "", 0, 0, 1).values;
    for (; tensor.shape[0] < vocab; ++tensor.shape[0]) {
      tensor.values.insert(tensor.values.end(), first.begin(), first.end());
    }
  }
  if (ends(tensor, "_scale")) tensor.name += ".weight";
  // They become stacks, as experts do.
  for (const char* part : {"altup_projections.", "altup_unembed_projections."}) {
    if (has_part(tensor, part)) {
      const std::string stack = std::string(part) + "experts.";
      tensor.name = replaced(tensor, part, stack);
    }
  }
  return {std::move(tensor)};
}

Tensors of_gemma4(StoredTensor tensor) {
  const std::string layer = "blk." + tensor.name.substr(std::string_view("model.layers.").size());
  const std::string front = layer.substr(0, layer.find('.', 4) + 1);
  if (ends(tensor, "layer_scalar")) tensor.name += ".weight";
  if (has_part(tensor, ".experts.")) tensor.name += ".weight";
  if (ends(tensor, "router.scale")) tensor.name = front + "ffn_gate_inp.scale";
  if (ends(tensor, "per_expert_scale")) tensor.name = front + "ffn_down_exps.scale";
  return {std::move(tensor)};
}

Tensors of_dbrx(const Json& config, StoredTensor tensor) {
  if (!has_part(tensor, ".experts.")) return {std::move(tensor)};
  const std::size_t experts = config.find("ffn_config")->find("moe_num_experts")->as_uint();
  tensor.shape = {experts, tensor.shape[0] / experts, tensor.shape[1]};
  if (ends(tensor, ".w2")) tensor = transposed_each(tensor);
  tensor.name += ".weight";
  return {std::move(tensor)};
}

Tensors of_baichuan(const Json& config, StoredTensor tensor) {
  if (!has_part(tensor, "W_pack")) return {std::move(tensor)};
  const std::size_t heads = number(config, "num_attention_heads"), rows = tensor.shape[0] / 3;
  const auto part = [&](const char* name, std::size_t i) {
    return part_of(tensor, replaced(tensor, "W_pack", name), 0, i * rows, rows);
  };
  return {pairs_together(part("q_proj", 0), heads), pairs_together(part("k_proj", 1), heads),
          part("v_proj", 2)};
}

// [key heads, queries and a key and a value, head_dim] becomes queries, keys, values.
Tensors of_internlm2(const Json& config, StoredTensor tensor) {
  if (!has_part(tensor, "attention.wqkv")) return {std::move(tensor)};
  const std::size_t heads = number(config, "num_attention_heads");
  const std::size_t kv_heads = number(config, "num_key_value_heads");
  const std::size_t head_dim = tensor.shape[0] / (heads + 2 * kv_heads);
  const std::size_t queries = heads / kv_heads, columns = tensor.shape[1];
  StoredTensor woven = tensor;
  woven.shape = {kv_heads, queries + 2, head_dim, columns};
  const auto part = [&](const char* name, std::size_t first, std::size_t count) {
    StoredTensor one =
        part_of(woven, replaced(tensor, "attention.wqkv", name), 1, first, count);
    one.shape = {kv_heads * count * head_dim, columns};
    return one;
  };
  return {pairs_together(part("self_attn.q_proj", 0, queries), heads),
          pairs_together(part("self_attn.k_proj", queries, 1), kv_heads),
          part("self_attn.v_proj", queries + 1, 1)};
}

Tensors of_kimi(const Json& config, StoredTensor tensor) {
  if (has_part(tensor, "_conv1d.weight")) {
    tensor.shape = {1, tensor.shape[0], 1, tensor.shape.back()};
  }
  if (ends(tensor, ".A_log")) to_rates(tensor);
  if (ends(tensor, ".dt_bias")) tensor.name = replaced(tensor, ".dt_bias", ".dt_proj.bias");
  if (const std::string_view end = "e_score_correction_bias"; ends(tensor, end)) {
    tensor.name = replaced(tensor, end, "e_score_correction.bias");
  }
  return latent_tensors(config, std::move(tensor));
}

}  // namespace

std::vector<StoredTensor> family_tensors(const Json& config, std::string_view architecture,
                                         StoredTensor tensor) {
  if (architecture == "gpt-oss") return of_gpt_oss(std::move(tensor));
  if (architecture == "llama4") return of_llama4(std::move(tensor));
  if (architecture == "gemma3n") return of_gemma3n(config, std::move(tensor));
  if (architecture == "gemma4") return of_gemma4(std::move(tensor));
  if (architecture == "dbrx") return of_dbrx(config, std::move(tensor));
  if (architecture == "baichuan") return of_baichuan(config, std::move(tensor));
  if (architecture == "internlm2") return of_internlm2(config, std::move(tensor));
  if (architecture == "kimi-linear") return of_kimi(config, std::move(tensor));
  // The numbers of xIELU are keys.
  if (architecture == "apertus" && has_part(tensor, ".act_fn.")) return {};
  return {std::move(tensor)};
}

// Of Gemma 4: frequencies that stand have divisors beyond any position.
std::vector<StoredTensor> family_extras(const Json& config, std::string_view architecture) {
  if (architecture != "gemma4") return {};
  std::size_t head_dim = 0;
  for (const auto& [layer, said] : config.find("per_layer_config")->members()) {
    head_dim = said.find("head_dim")->as_uint();
  }
  const Json* full = config.find("rope_parameters")->find("full_attention");
  const double share = full->find("partial_rotary_factor")->as_double();
  StoredTensor factors = {"rope_freqs.weight", {head_dim / 2}, {}};
  factors.values.assign(head_dim / 2, 1e30f);
  std::fill_n(factors.values.begin(),
              static_cast<std::size_t>(share * static_cast<double>(head_dim) / 2), 1.0f);
  return {std::move(factors)};
}

}  // namespace quire::testing
