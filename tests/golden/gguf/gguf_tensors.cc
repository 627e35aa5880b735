#include "gguf_tensors.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numbers>

#include "base/check.h"
#include "gguf_families.h"
#include "gguf_names.h"
#include "gguf_recurrent.h"
#include "tiny_checkpoint.h"

namespace quire::testing {
namespace {

using Shape = std::vector<std::size_t>;
using Order = std::function<std::size_t(std::size_t row)>;  // where a row of the result comes from

bool has_part(const std::string& name, std::string_view part) {
  return name.find(part) != std::string::npos;
}

StoredTensor reordered(StoredTensor tensor, const Order& from) {
  const std::vector<float> before = tensor.values;
  const std::size_t rows = tensor.shape[0], size = before.size() / rows;
  for (std::size_t row = 0; row < rows; ++row) {
    std::copy_n(before.begin() + static_cast<std::ptrdiff_t>(from(row) * size), size,
                tensor.values.begin() + static_cast<std::ptrdiff_t>(row * size));
  }
  return tensor;
}

}  // namespace

StoredTensor transposed(const StoredTensor& tensor) {
  const std::size_t rows = tensor.shape[0], columns = tensor.shape[1];
  StoredTensor out = {tensor.name, {columns, rows}, std::vector<float>(tensor.values.size())};
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      out.values[c * rows + r] = tensor.values[r * columns + c];
    }
  }
  return out;
}

StoredTensor part_of(const StoredTensor& tensor, std::string name, std::size_t dimension,
                     std::size_t first, std::size_t count) {
  std::size_t outer = 1, inner = 1;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    if (i < dimension) outer *= tensor.shape[i];
    if (i > dimension) inner *= tensor.shape[i];
  }
  StoredTensor out = {std::move(name), tensor.shape, {}};
  out.shape[dimension] = count;
  for (std::size_t i = 0; i < outer; ++i) {
    const auto begin = tensor.values.begin() +
                       static_cast<std::ptrdiff_t>((i * tensor.shape[dimension] + first) * inner);
    out.values.insert(out.values.end(), begin, begin + static_cast<std::ptrdiff_t>(count * inner));
  }
  return out;
}

StoredTensor pairs_together(StoredTensor tensor, std::size_t heads) {
  const std::size_t half = tensor.shape[0] / heads / 2;
  return reordered(std::move(tensor), [half](std::size_t row) {
    const std::size_t head = row / (2 * half), inside = row % (2 * half);
    return head * 2 * half + inside % 2 * half + inside / 2;
  });
}

void to_rates(StoredTensor& tensor) {
  for (float& value : tensor.values) value = -std::exp(value);
}

std::vector<StoredTensor> latent_tensors(const Json& config, StoredTensor tensor) {
  const std::size_t at = tensor.name.find("kv_b_proj");
  if (at == std::string::npos) return {std::move(tensor)};
  const auto number = [&](const char* name) { return config.find(name)->as_uint(); };
  const std::size_t heads = number("num_attention_heads"), nope = number("qk_nope_head_dim");
  const std::size_t value = number("v_head_dim"), rank = tensor.shape[1];
  const auto named = [&](const char* part) {
    std::string name = tensor.name;
    return name.replace(at, std::string_view("kv_b_proj").size(), part);
  };
  StoredTensor heads_apart = tensor;
  heads_apart.shape = {heads, nope + value, rank};
  const StoredTensor keys = part_of(heads_apart, named("k_b_proj"), 1, 0, nope);
  StoredTensor k = {keys.name, {heads, rank, nope}, {}};
  for (std::size_t head = 0; head < heads; ++head) {
    StoredTensor one = part_of(keys, "", 0, head, 1);
    one.shape = {nope, rank};
    const std::vector<float> turned_values = transposed(one).values;
    k.values.insert(k.values.end(), turned_values.begin(), turned_values.end());
  }
  return {std::move(k), part_of(heads_apart, named("v_b_proj"), 1, nope, value)};
}

namespace {

class Converter {
 public:
  Converter(const TinyFixture& fixture, std::string_view architecture)
      : config_(fixture.spellings.front().config), architecture_(architecture) {}

  void take(StoredTensor tensor) {
    if (architecture_ == "gpt2") return take_gpt2(std::move(tensor));
    if (architecture_ == "bloom") return take_woven(std::move(tensor));
    if (architecture_ == "gptneox") return take_woven(std::move(tensor));
    if (architecture_ == "falcon") return take_falcon(std::move(tensor));
    if (is_family(architecture_)) {
      for (StoredTensor& made : family_tensors(config_, architecture_, std::move(tensor))) {
        put(std::move(made));
      }
      return;
    }
    if (has_latents()) return take_deepseek(std::move(tensor));
    if (architecture_ == "granitehybrid") return take_granite(std::move(tensor));
    if (architecture_ == "qwen3next") return take_qwen3next(std::move(tensor));
    if (architecture_.starts_with("qwen35")) return take_qwen35(std::move(tensor));
    if (is_recurrent(architecture_)) {
      return put(recurrent_tensor(config_, architecture_, std::move(tensor)));
    }
    if (architecture_ == "stablelm") return take_stablelm(std::move(tensor));
    if (architecture_ == "jina-bert-v2") return take_jina(std::move(tensor));
    if (architecture_ == "bert") cut_positions(tensor);
    if (architecture_ == "granitemoe") return take_granite(std::move(tensor));
    if (lies_turned()) tensor = turned(std::move(tensor));
    if (architecture_.starts_with("gemma") || architecture_ == "nemotron") add_one_to_norms(tensor);
    if (const std::string end = "e_score_correction_bias"; tensor.name.ends_with(end)) {
      tensor.name.replace(tensor.name.size() - end.size(), end.size(), "e_score_correction.bias");
      tensor.shape = {tensor.values.size()};
    }
    put(std::move(tensor));
  }

  // After the last one.
  std::vector<StoredTensor> result() {
    for (auto& [name, experts] : experts_) {
      StoredTensor whole = {name, {experts.size()}, {}};
      whole.shape.insert(whole.shape.end(), experts[0].shape.begin(), experts[0].shape.end());
      for (const StoredTensor& expert : experts) {
        whole.values.insert(whole.values.end(), expert.values.begin(), expert.values.end());
      }
      put(std::move(whole));
    }
    if (is_any({"llama", "llama4", "apertus"})) add_frequencies();
    if (is_any({"phi3", "phimoe"})) add_long_factors();
    if (architecture_.starts_with("qwen35") || is_any({"deepseek32"})) add_drafting_head();
    for (StoredTensor& extra : family_extras(config_, architecture_)) put(std::move(extra));
    return std::move(tensors_);
  }

 private:
  bool is_any(std::initializer_list<std::string_view> names) const {
    return std::find(names.begin(), names.end(), architecture_) != names.end();
  }
  bool lies_turned() const {
    return is_any({"llama", "olmo", "granite", "smollm3", "arcee", "mistral3"});
  }
  bool has_latents() const { return is_any({"deepseek2", "deepseek32", "mistral4"}); }

  std::size_t number(const char* name, std::size_t fallback = 0) const {
    const Json* value = config_.find(name);
    return value != nullptr && value->is_int() ? value->as_uint() : fallback;
  }

  // Under its name in GGUF; experts that have a tensor each wait for the others.
  void put(StoredTensor tensor) {
    if (const std::size_t at = tensor.name.find(".experts."); at != std::string::npos) {
      const std::size_t begin = at + std::string_view(".experts.").size();
      if (std::isdigit(static_cast<unsigned char>(tensor.name[begin]))) {
        const std::size_t end = tensor.name.find('.', begin);
        const std::size_t expert = std::stoul(tensor.name.substr(begin, end - begin));
        auto& experts = experts_[tensor.name.substr(0, begin) + tensor.name.substr(end + 1)];
        if (experts.size() <= expert) experts.resize(expert + 1);
        experts[expert] = std::move(tensor);
        return;
      }
    }
    const std::string name = gguf_name(architecture_, tensor.name);
    if (name.empty()) {
      // Of BERT only what embeds is converted.
      QUIRE_CHECK(tensor.name.starts_with("pooler."), "'{}' has no name in {}", tensor.name,
                  architecture_);
      return;
    }
    tensor.name = name;
    tensors_.push_back(std::move(tensor));
  }

  // Positions of RoBERTa begin behind the padding's id: what is before them is not converted.
  void cut_positions(StoredTensor& tensor) const {
    const Json* type = config_.find("model_type");
    if (!has_part(tensor.name, "position_embeddings")) return;
    if (!has_part(type->as_string(), "roberta")) return;
    const std::size_t offset = number("pad_token_id") + 1;
    tensor = part_of(tensor, tensor.name, 0, offset, tensor.shape[0] - offset);
  }

  static void add_one_to_norms(StoredTensor& tensor) {
    if (!tensor.name.ends_with("norm.weight")) return;  // biases stay
    for (float& value : tensor.values) value += 1;
  }

  // Of queries and keys the two halves of a head alternate: a pair that turns lies side by side.
  StoredTensor turned(StoredTensor tensor) const {
    const bool is_q = has_part(tensor.name, "q_proj."), is_k = has_part(tensor.name, "k_proj.");
    if (!is_q && !is_k) return tensor;
    return pairs_together(std::move(tensor),
                          number(is_q ? "num_attention_heads" : "num_key_value_heads"));
  }

  // The scaling of Llama 3 becomes a factor per frequency.
  void add_frequencies() {
    const Json* rope = config_.find("rope_parameters");
    const Json* type = rope != nullptr ? rope->find("rope_type") : nullptr;
    if (type == nullptr || type->as_string() != "llama3") return;
    const auto value = [&](const char* name) { return rope->find(name)->as_double(); };
    const double context = value("original_max_position_embeddings");
    const double low = context / value("low_freq_factor");
    const double high = context / value("high_freq_factor");
    const std::size_t head_dim =
        number("head_dim", number("hidden_size") / number("num_attention_heads"));
    StoredTensor factors = {"rope_freqs.weight", {head_dim / 2}, {}};
    for (std::size_t i = 0; i < head_dim / 2; ++i) {
      const double turn = std::pow(value("rope_theta"),
                                   2 * static_cast<double>(i) / static_cast<double>(head_dim));
      const double wave = 2 * std::numbers::pi * turn;
      const double smooth = (context / wave - value("low_freq_factor")) /
                            (value("high_freq_factor") - value("low_freq_factor"));
      const double between = 1 / ((1 - smooth) / value("factor") + smooth);
      factors.values.push_back(
          static_cast<float>(wave < high ? 1 : wave > low ? value("factor") : between));
    }
    put(std::move(factors));
  }

  void add_long_factors() {
    for (const auto& [from, to] : {std::pair{"long_factor", "rope_factors_long.weight"},
                                   std::pair{"short_factor", "rope_factors_short.weight"}}) {
      const Json* factors = config_.find("rope_parameters")->find(from);
      if (factors == nullptr) continue;
      StoredTensor tensor = {to, {factors->items().size()}, {}};
      for (const Json& factor : factors->items()) {
        tensor.values.push_back(static_cast<float>(factor.as_double()));
      }
      put(std::move(tensor));
    }
  }

  // The norms of all heads, which have a tensor each, become one: [heads, head_dim].
  void take_stablelm(StoredTensor tensor) {
    const std::size_t at = tensor.name.find("_layernorm.norms.");
    if (at == std::string::npos) return put(std::move(tensor));
    const std::size_t begin = at + std::string_view("_layernorm.norms.").size();
    const std::size_t head = std::stoul(tensor.name.substr(begin));
    auto& heads = experts_[tensor.name.substr(0, at) + "_layernorm.weight"];
    if (heads.size() <= head) heads.resize(head + 1);
    heads[head] = std::move(tensor);
  }

  // Two of its tensors, which nobody reads.
  void add_drafting_head() {
    const std::size_t d = number("hidden_size");
    const std::string layer = "blk." + std::to_string(number("num_hidden_layers")) + ".";
    tensors_.push_back({layer + "attn_norm.weight", {d}, std::vector<float>(d, 1)});
    tensors_.push_back({layer + "nextn.eh_proj.weight", {d, 2 * d}, std::vector<float>(2 * d * d)});
  }

  // Gate and up are apart.
  void take_jina(StoredTensor tensor) {
    const std::string_view both = "gated_layers.";
    const std::size_t at = tensor.name.find(both), half = tensor.shape[0] / 2;
    if (at == std::string::npos) return put(std::move(tensor));
    for (const auto& [part, first] : {std::pair{"gated_layers_w.", std::size_t{0}},
                                      std::pair{"gated_layers_v.", half}}) {
      std::string name = tensor.name;
      put(part_of(tensor, name.replace(at, both.size(), part), 0, first, half));
    }
  }

  void take_gpt2(StoredTensor tensor) {
    const std::string& name = tensor.name;
    const bool is_product = name.ends_with(".c_attn.weight") || name.ends_with(".c_proj.weight") ||
                            name.ends_with(".c_fc.weight");
    put(is_product ? transposed(tensor) : std::move(tensor));
  }

  // [heads, 3, head_dim] becomes [3, heads, head_dim].
  void take_woven(StoredTensor tensor) {
    if (!has_part(tensor.name, "query_key_value")) return put(std::move(tensor));
    const std::size_t heads = number("n_head", number("num_attention_heads"));
    const std::size_t head_dim = tensor.shape[0] / heads / 3, width = heads * head_dim;
    put(reordered(std::move(tensor), [=](std::size_t row) {
      const std::size_t part = row / width, head = row % width / head_dim;
      return (head * 3 + part) * head_dim + row % head_dim;
    }));
  }

  // [kv_heads, queries and a key and a value, head_dim] becomes queries, keys, values.
  void take_falcon(StoredTensor tensor) {
    if (!has_part(tensor.name, "query_key_value")) return put(std::move(tensor));
    const std::size_t heads = number("num_attention_heads");
    const std::size_t head_dim = number("hidden_size") / heads;
    const std::size_t kv_heads = (tensor.shape[0] / head_dim - heads) / 2;
    const std::size_t queries = heads / kv_heads, every = queries + 2;
    put(reordered(std::move(tensor), [=](std::size_t row) {
      const std::size_t head = row / head_dim, inside = row % head_dim;
      if (head < heads) {
        return (head / queries * every + head % queries) * head_dim + inside;
      }
      const std::size_t is_value = head - heads >= kv_heads;
      const std::size_t group = head - heads - is_value * kv_heads;
      return (group * every + queries + is_value) * head_dim + inside;
    }));
  }

  void take_deepseek(StoredTensor tensor) {
    if (const std::string end = "e_score_correction_bias"; tensor.name.ends_with(end)) {
      tensor.name.replace(tensor.name.size() - end.size(), end.size(), "e_score_correction.bias");
    }
    // Experts that are one tensor stay so.
    if (tensor.name.ends_with("gate_up_proj") || tensor.name.ends_with("experts.down_proj")) {
      tensor.name += ".weight";
    }
    for (StoredTensor& made : latent_tensors(config_, std::move(tensor))) put(std::move(made));
  }

  void take_granite(StoredTensor tensor) {
    const std::size_t layer_end = tensor.name.find('.', std::string_view("model.layers.").size());
    const std::string layer = tensor.name.substr(0, layer_end + 1);
    const bool has_experts = number("num_local_experts") > 0;
    if (has_part(tensor.name, "shared_mlp.input_linear")) {
      const std::string block = layer + (has_experts ? "mlp.shared_expert." : "mlp.");
      const std::size_t ffn = tensor.shape[0] / 2;
      put(part_of(tensor, block + "gate_proj.weight", 0, 0, ffn));
      return put(part_of(tensor, block + "up_proj.weight", 0, ffn, ffn));
    }
    if (has_part(tensor.name, "shared_mlp.output_linear") && !has_experts) {
      tensor.name = layer + "mlp.down_proj.weight";
    }
    if (has_part(tensor.name, "block_sparse_moe.input_linear")) {
      const std::size_t ffn = tensor.shape[1] / 2;
      put(part_of(tensor, layer + "mlp.experts.gate_proj.weight", 1, 0, ffn));
      return put(part_of(tensor, layer + "mlp.experts.up_proj.weight", 1, ffn, ffn));
    }
    if (tensor.name.ends_with("A_log")) to_rates(tensor);
    if (tensor.name.ends_with("A_log") || tensor.name.ends_with("mamba.D")) {
      tensor.shape.push_back(1);
    }
    if (tensor.name.ends_with("mamba.dt_bias")) tensor.name = layer + "mamba.dt_proj.bias";
    if (tensor.name.ends_with("mamba.conv1d.weight")) {
      tensor.shape = {tensor.shape[0], tensor.shape[2]};
    }
    if (tensor.name.ends_with("mamba.norm.weight")) {
      const std::size_t groups = number("mamba_n_groups");
      tensor.shape = {groups, tensor.shape[0] / groups};
    }
    put(turned(std::move(tensor)));
  }

  void take_qwen3next(StoredTensor tensor) {
    const std::size_t layer_end = tensor.name.find(".linear_attn.") + 1;
    if (tensor.name.ends_with(".A_log")) {
      to_rates(tensor);
    } else if (tensor.name.ends_with(".dt_bias")) {
      tensor.name = tensor.name.substr(0, layer_end) + "linear_attn.dt_proj.bias";
    } else if (has_part(tensor.name, "conv1d")) {
      if (tensor.shape.size() == 3) tensor.shape = {tensor.shape[0], tensor.shape[2]};
    } else if (!tensor.name.ends_with("linear_attn.norm.weight")) {
      add_one_to_norms(tensor);
    }
    if (!has_part(tensor.name, "in_proj_qkvz")) return put(std::move(tensor));
    // Of each key head q, k, v, z becomes all q, all k, all v; and all z.
    const std::size_t heads = number("linear_num_key_heads"), k = number("linear_key_head_dim");
    const std::size_t of_each = number("linear_num_value_heads") / heads;
    const std::size_t v = of_each * number("linear_value_head_dim");
    const std::size_t every = 2 * k + 2 * v, keys = heads * k, values = heads * v;
    const StoredTensor all = reordered(std::move(tensor), [=](std::size_t row) {
      if (row < 2 * keys) {
        const std::size_t inside = row % keys;
        return inside / k * every + row / keys * k + inside % k;
      }
      const std::size_t inside = (row - 2 * keys) % values, part = (row - 2 * keys) / values;
      return inside / v * every + 2 * k + part * v + inside % v;
    });
    const std::string block = all.name.substr(0, layer_end) + "linear_attn.";
    put(part_of(all, block + "in_proj_qkv.weight", 0, 0, 2 * keys + values));
    put(part_of(all, block + "in_proj_z.weight", 0, 2 * keys + values, values));
  }

  // Value heads stand in rounds: the first of every key head, the second of every key head.
  void take_qwen35(StoredTensor tensor) {
    const std::size_t k_heads = number("linear_num_key_heads");
    const std::size_t of_each = number("linear_num_value_heads") / k_heads;
    const std::size_t v_dim = number("linear_value_head_dim");
    const auto in_rounds = [=](std::size_t begin, std::size_t size) -> Order {
      return [=](std::size_t row) {
        if (row < begin) return row;
        const std::size_t head = (row - begin) / size, inside = (row - begin) % size;
        return begin + (head % k_heads * of_each + head / k_heads) * size + inside;
      };
    };
    const std::size_t keys = 2 * k_heads * number("linear_key_head_dim");
    const std::string& name = tensor.name;
    if (has_part(name, ".in_proj_qkv.") || has_part(name, ".conv1d.")) {
      tensor = reordered(std::move(tensor), in_rounds(keys, v_dim));
    } else if (has_part(name, ".in_proj_z.")) {
      tensor = reordered(std::move(tensor), in_rounds(0, v_dim));
    } else if (has_part(name, ".in_proj_a.") || has_part(name, ".in_proj_b.") ||
               name.ends_with(".A_log") || name.ends_with(".dt_bias")) {
      tensor = reordered(std::move(tensor), in_rounds(0, 1));
    } else if (has_part(name, "linear_attn.out_proj.")) {
      tensor = transposed(reordered(transposed(tensor), in_rounds(0, v_dim)));
    }
    take_qwen3next(std::move(tensor));
  }

  const Json& config_;
  std::string_view architecture_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string, std::vector<StoredTensor>> experts_;  // by the name that they have together
};

}  // namespace

std::size_t StoredTensor::rows() const {
  return shape.empty() ? 0 : values.size() / shape.back();
}

std::vector<StoredTensor> gguf_tensors(const TinyFixture& fixture, std::string_view architecture) {
  Converter converter(fixture, architecture);
  for (const GoldenTensor& tensor : fixture.tensors) {
    converter.take({tensor.name, tensor.shape, tiny_values(fixture.seed, tensor)});
  }
  return converter.result();
}

}  // namespace quire::testing
