// The tensors of a hybrid decoder and its facts, from a HybridConfig.
// Pure functions. Called by the registry through the designs of the architectures.
#include <fmt/format.h>

#include "base/check.h"
#include "model/arch/hybrid_decoder.h"

namespace quire {
namespace {

using Shape = std::vector<std::size_t>;

std::size_t size(int value) { return static_cast<std::size_t>(value); }

// The rules of one layer: names are given behind its number.
class HybridRules {
 public:
  HybridRules(TensorRules& rules, const HybridConfig& config, std::size_t layer)
      : rules_(rules), config_(config), layer_(static_cast<int>(layer)) {}

  const HybridConfig& config() const { return config_; }

  void add(const char* name, Stored gguf, Stored hf, Shape shape, Role role = Role::kMatrix,
           std::vector<Stored> others = {}, float center = 0) {
    const HybridNames& names = config_.names;
    TensorRule rule = {std::string("layers.{}.") + name, std::move(gguf), hf, std::move(shape),
                       role};
    if (!rule.gguf.name.empty()) rule.gguf.name = "blk.{}." + rule.gguf.name;
    others.insert(others.begin(), std::move(hf));
    for (const std::string& stem : {names.stem, names.other_stem}) {
      if (stem.empty()) continue;
      for (Stored other : others) {
        other.name = stem + "layers.{}." + other.name;
        rule.others.push_back(std::move(other));
      }
    }
    rule.hf = rule.others.front();
    rule.others.erase(rule.others.begin());
    rule.center = center;
    rules_.add_layer(layer_, std::move(rule));
  }
  void add_norm(const char* name, const char* gguf, const std::string& hf) {
    Stored stored(hf);
    if (config_.is_norm_offset) stored = stored.converted(Convert::kPlusOne);
    add(name, gguf, stored, {size(config_.d_model)}, Role::kNorm);
  }
  // A linear map's bias.
  void add_bias(const char* name, Stored gguf, Stored hf, std::size_t rows) {
    add(name, std::move(gguf), std::move(hf), {rows}, Role::kBias);
  }

 private:
  TensorRules& rules_;
  const HybridConfig& config_;
  int layer_;
};

void add_mamba2(HybridRules& layer) {
  const HybridConfig& c = layer.config();
  const Mamba2Shape& m = c.mamba2;
  const std::string mixer = c.names.mixer;
  const std::size_t d = size(c.d_model), heads = size(m.heads), inner = size(m.inner());
  const std::size_t channels = size(m.channels()), all = inner + channels + heads;
  const Stored gguf = "ssm_in.weight", hf = mixer + "in_proj.weight";
  layer.add_norm("mamba_norm", "attn_norm.weight", c.names.mixer_norm);
  layer.add("mamba_gate", gguf.rows(0, all), hf.rows(0, all), {inner, d});
  layer.add("mamba_x", gguf.rows(inner, all), hf.rows(inner, all), {channels, d});
  layer.add("mamba_step", gguf.rows(inner + channels, all), hf.rows(inner + channels, all),
            {heads, d});
  if (c.has_in_bias) {
    const Stored bias = mixer + "in_proj.bias", gguf_bias = "ssm_in.bias";
    layer.add_bias("mamba_gate_bias", gguf_bias.rows(0, all), bias.rows(0, all), inner);
    layer.add_bias("mamba_x_bias", gguf_bias.rows(inner, all), bias.rows(inner, all), channels);
    layer.add_bias("mamba_step_in_bias", gguf_bias.rows(inner + channels, all),
                   bias.rows(inner + channels, all), heads);
  }
  layer.add("mamba_conv", Stored("ssm_conv1d.weight").transposed(),
            Stored(mixer + "conv1d.weight").transposed(), {size(m.width), channels},
            Role::kVector);
  if (c.has_conv_bias) {
    layer.add_bias("mamba_conv_bias", "ssm_conv1d.bias", mixer + "conv1d.bias", channels);
  }
  layer.add("mamba_rates", "ssm_a", Stored(mixer + "A_log").converted(Convert::kMinusExp), {heads},
            Role::kVector, {}, -1);
  layer.add_bias("mamba_step_bias", "ssm_dt.bias", mixer + "dt_bias", heads);
  layer.add("mamba_skip", "ssm_d", mixer + "D", {heads}, Role::kVector, {}, 1);
  if (c.has_gated_norm) {
    layer.add("mamba_gated_norm", "ssm_norm.weight", mixer + "norm.weight", {inner}, Role::kNorm);
  }
  layer.add("mamba_out", "ssm_out.weight", mixer + "out_proj.weight", {d, inner});
  if (c.has_out_bias) {
    layer.add_bias("mamba_out_bias", "ssm_out.bias", mixer + "out_proj.bias", d);
  }
}

void add_mamba(HybridRules& layer) {
  const HybridConfig& c = layer.config();
  const MambaShape& m = c.mamba;
  const std::string mixer = c.names.mixer;
  const std::size_t d = size(c.d_model), channels = size(m.channels), rows = size(m.rows);
  const std::size_t rank = size(m.rank), all = rank + 2 * rows;
  const Stored gguf = "ssm_in.weight", hf = mixer + "in_proj.weight";
  const Stored gguf_x = "ssm_x.weight", hf_x = mixer + "x_proj.weight";
  layer.add_norm("mamba_norm", "attn_norm.weight", c.names.mixer_norm);
  layer.add("mamba_x", gguf.rows(0, 2 * channels), hf.rows(0, 2 * channels), {channels, d});
  layer.add("mamba_gate", gguf.rows(channels, 2 * channels), hf.rows(channels, 2 * channels),
            {channels, d});
  if (c.has_in_bias) {
    const Stored bias = mixer + "in_proj.bias", gguf_bias = "ssm_in.bias";
    layer.add_bias("mamba_x_bias", gguf_bias.rows(0, 2 * channels), bias.rows(0, 2 * channels),
                   channels);
    layer.add_bias("mamba_gate_bias", gguf_bias.rows(channels, 2 * channels),
                   bias.rows(channels, 2 * channels), channels);
  }
  layer.add("mamba_conv", Stored("ssm_conv1d.weight").transposed(),
            Stored(mixer + "conv1d.weight").transposed(), {size(m.width), channels},
            Role::kVector);
  if (c.has_conv_bias) {
    layer.add_bias("mamba_conv_bias", "ssm_conv1d.bias", mixer + "conv1d.bias", channels);
  }
  layer.add("mamba_low_steps", gguf_x.rows(0, all), hf_x.rows(0, all), {rank, channels});
  layer.add("mamba_keys", gguf_x.rows(rank, all), hf_x.rows(rank, all), {rows, channels});
  layer.add("mamba_queries", gguf_x.rows(rank + rows, all), hf_x.rows(rank + rows, all),
            {rows, channels});
  if (c.inner_norm != Norm::Kind::kNone && c.has_inner_norm_weights) {
    layer.add("mamba_step_norm", "ssm_dt_norm.weight", mixer + "dt_layernorm.weight", {rank},
              Role::kNorm);
    layer.add("mamba_key_norm", "ssm_b_norm.weight", mixer + "b_layernorm.weight", {rows},
              Role::kNorm);
    layer.add("mamba_query_norm", "ssm_c_norm.weight", mixer + "c_layernorm.weight", {rows},
              Role::kNorm);
  }
  layer.add("mamba_steps", "ssm_dt.weight", mixer + "dt_proj.weight", {channels, rank});
  layer.add_bias("mamba_step_bias", "ssm_dt.bias", mixer + "dt_proj.bias", channels);
  layer.add("mamba_rates", "ssm_a", Stored(mixer + "A_log").converted(Convert::kMinusExp),
            {channels, rows}, Role::kVector, {}, -1);
  layer.add("mamba_skip", "ssm_d", mixer + "D", {channels}, Role::kVector, {}, 1);
  layer.add("mamba_out", "ssm_out.weight", mixer + "out_proj.weight", {d, channels});
  if (c.has_out_bias) {
    layer.add_bias("mamba_out_bias", "ssm_out.bias", mixer + "out_proj.bias", d);
  }
}

void add_short_conv(HybridRules& layer) {
  const HybridConfig& c = layer.config();
  const std::string mixer = c.names.mixer;
  const std::size_t d = size(c.d_model), channels = size(c.conv.channels), all = 3 * channels;
  const Stored gguf = "shortconv.in_proj.weight", hf = mixer + "in_proj.weight";
  const Stored gguf_bias = "shortconv.in_proj.bias", bias = mixer + "in_proj.bias";
  layer.add_norm("conv_norm", "attn_norm.weight", c.names.mixer_norm);
  const char* parts[] = {"conv_before", "conv_after", "conv_x"};
  const char* biases[] = {"conv_before_bias", "conv_after_bias", "conv_x_bias"};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t first = i * channels;
    layer.add(parts[i], gguf.rows(first, all), hf.rows(first, all), {channels, d});
    if (c.has_in_bias) {
      layer.add_bias(biases[i], gguf_bias.rows(first, all), bias.rows(first, all), channels);
    }
  }
  layer.add("conv", Stored("shortconv.conv.weight").transposed(),
            Stored(mixer + "conv.weight").transposed(), {size(c.conv.width), channels},
            Role::kVector);
  if (c.has_conv_bias) {
    layer.add_bias("conv_bias", "shortconv.conv.bias", mixer + "conv.bias", channels);
  }
  layer.add("conv_out", "shortconv.out_proj.weight", mixer + "out_proj.weight", {d, channels});
  if (c.has_out_bias) {
    layer.add_bias("conv_out_bias", "shortconv.out_proj.bias", mixer + "out_proj.bias", d);
  }
}

void add_gated_unit(HybridRules& layer) {
  const HybridConfig& c = layer.config();
  const std::string mixer = c.names.mixer;
  const std::size_t d = size(c.d_model), channels = size(c.unit.channels);
  const std::size_t blocks = size(c.unit.blocks), block = channels / blocks;
  layer.add_norm("unit_norm", "", c.names.mixer_norm);
  layer.add("unit_gate", "", mixer + "linear_y.weight", {channels, d});
  layer.add("unit_x", "", mixer + "linear_x.weight", {channels, d});
  layer.add_bias("unit_gate_bias", "", mixer + "linear_y.bias", channels);
  layer.add_bias("unit_x_bias", "", mixer + "linear_x.bias", channels);
  layer.add("unit_conv", "", Stored(mixer + "conv_1d.weight").transposed(),
            {size(c.unit.width), channels}, Role::kVector);
  layer.add_bias("unit_conv_bias", "", mixer + "conv_1d.bias", channels);
  const std::string unit = mixer + "rg_lru.";
  layer.add("unit_inputs", "", Stored(unit + "input_gate_weight").transposed(),
            {blocks, block, block}, Role::kHeads);
  layer.add_bias("unit_inputs_bias", "", unit + "input_gate_bias", channels);
  layer.add("unit_recurrent", "", Stored(unit + "recurrent_gate_weight").transposed(),
            {blocks, block, block}, Role::kHeads);
  layer.add_bias("unit_recurrent_bias", "", unit + "recurrent_gate_bias", channels);
  layer.add("unit_rates", "", unit + "recurrent_param", {channels}, Role::kVector);
  layer.add("unit_out", "", mixer + "linear_out.weight", {d, channels});
  layer.add_bias("unit_out_bias", "", mixer + "linear_out.bias", d);
}

void add_kimi_delta(HybridRules& layer) {
  const HybridConfig& c = layer.config();
  const std::string mixer = c.names.mixer;
  const std::size_t d = size(c.d_model), heads = size(c.delta.heads), head = size(c.delta.head_dim);
  const std::size_t values = heads * head, width = size(c.delta.width);
  layer.add_norm("kda_norm", "attn_norm.weight", c.names.mixer_norm);
  layer.add("kda_q", "attn_q.weight", mixer + "q_proj.weight", {values, d});
  layer.add("kda_k", "attn_k.weight", mixer + "k_proj.weight", {values, d});
  layer.add("kda_v", "attn_v.weight", mixer + "v_proj.weight", {values, d});
  for (const char* part : {"q", "k", "v"}) {
    const std::string name = std::string("kda_") + part + "_conv";
    const Stored gguf = std::string("ssm_conv1d_") + part + ".weight";
    layer.add(name.c_str(), gguf.transposed(),
              Stored(mixer + part + "_conv1d.weight").transposed(), {width, values},
              Role::kVector);
  }
  layer.add("kda_decay_in", "ssm_f_a.weight", mixer + "f_a_proj.weight", {head, d});
  layer.add("kda_decay", "ssm_f_b.weight", mixer + "f_b_proj.weight", {values, head});
  layer.add_bias("kda_decay_bias", "ssm_dt.bias", mixer + "dt_bias", values);
  layer.add("kda_rates", "ssm_a", Stored(mixer + "A_log").converted(Convert::kMinusExp), {heads},
            Role::kVector, {}, -1);
  layer.add("kda_beta", "ssm_beta.weight", mixer + "b_proj.weight", {heads, d});
  layer.add("kda_gate_in", "ssm_g_a.weight", mixer + "g_a_proj.weight", {head, d});
  layer.add("kda_gate", "ssm_g_b.weight", mixer + "g_b_proj.weight", {values, head});
  layer.add("kda_out_norm", "ssm_norm.weight", mixer + "o_norm.weight", {head}, Role::kNorm);
  layer.add("kda_out", "attn_output.weight", mixer + "o_proj.weight", {d, values});
}

void add_latent(HybridRules& layer) {
  const HybridConfig& c = layer.config();
  const std::string attention = c.names.attention;
  const std::size_t d = size(c.d_model), heads = size(c.mla.heads), rank = size(c.mla.kv_rank);
  const std::size_t nope = size(c.mla.nope), rope = size(c.mla.rope), value = size(c.mla.value);
  const std::size_t q_rank = size(c.mla.q_rank), q = heads * (nope + rope), both = nope + value;
  layer.add_norm("attn_norm", "attn_norm.weight", c.names.mixer_norm);
  if (q_rank > 0) {
    layer.add("q_low", "attn_q_a.weight", attention + "q_a_proj.weight", {q_rank, d});
    layer.add("q_norm", "attn_q_a_norm.weight", attention + "q_a_layernorm.weight", {q_rank},
              Role::kNorm);
    layer.add("q", "attn_q_b.weight", attention + "q_b_proj.weight", {q, q_rank});
  } else {
    layer.add("q", "attn_q.weight", attention + "q_proj.weight", {q, d});
  }
  const Stored low = attention + "kv_a_proj_with_mqa.weight", gguf = "attn_kv_a_mqa.weight";
  const Stored high = attention + "kv_b_proj.weight";
  layer.add("kv_latent", gguf.rows(0, rank + rope), low.rows(0, rank + rope), {rank, d});
  layer.add("k_rope", gguf.rows(rank, rank + rope), low.rows(rank, rank + rope), {rope, d});
  layer.add("kv_norm", "attn_kv_a_norm.weight", attention + "kv_a_layernorm.weight", {rank},
            Role::kNorm);
  layer.add("k_up", "attn_k_b.weight", high.transposed(0, both), {heads, rank, nope},
            Role::kHeads);
  layer.add("v_up", "attn_v_b.weight", high.rows(nope, both), {heads, value, rank}, Role::kHeads);
  layer.add("o", "attn_output.weight", attention + "o_proj.weight", {d, heads * value});
}

void add_attention(HybridRules& layer, bool has_norm) {
  const HybridConfig& c = layer.config();
  const std::string attention = c.names.attention;
  const std::size_t d = size(c.d_model), q = size(c.heads * c.head_dim);
  const std::size_t kv = size(c.kv_heads * c.head_dim), head = size(c.head_dim);
  if (has_norm) layer.add_norm("attn_norm", "attn_norm.weight", c.names.mixer_norm);
  layer.add("q", "attn_q.weight", attention + "q_proj.weight", {q, d});
  layer.add("k", "attn_k.weight", attention + "k_proj.weight", {kv, d});
  layer.add("v", "attn_v.weight", attention + "v_proj.weight", {kv, d});
  layer.add("o", "attn_output.weight", attention + c.names.o + ".weight", {d, q});
  if (c.has_qkv_bias) {
    layer.add_bias("q_bias", "attn_q.bias", attention + "q_proj.bias", q);
    layer.add_bias("k_bias", "attn_k.bias", attention + "k_proj.bias", kv);
    layer.add_bias("v_bias", "attn_v.bias", attention + "v_proj.bias", kv);
  }
  if (c.has_o_bias) {
    layer.add_bias("o_bias", "attn_output.bias", attention + c.names.o + ".bias", d);
  }
  if (!c.has_head_norms) return;
  layer.add("q_norm", "attn_q_norm.weight", c.names.q_norm, {head}, Role::kNorm);
  layer.add("k_norm", "attn_k_norm.weight", c.names.k_norm, {head}, Role::kNorm);
}

void add_mlp(HybridRules& layer) {
  const HybridConfig& c = layer.config();
  const HybridNames& n = c.names;
  const std::size_t d = size(c.d_model), ffn = size(c.ffn);
  if (c.is_gated) layer.add("gate", "ffn_gate.weight", n.mlp + n.gate + ".weight", {ffn, d});
  layer.add("up", "ffn_up.weight", n.mlp + n.up + ".weight", {ffn, d});
  layer.add("down", "ffn_down.weight", n.mlp + n.down + ".weight", {d, ffn});
  if (!c.has_mlp_bias) return;
  if (c.is_gated) layer.add_bias("gate_bias", "ffn_gate.bias", n.mlp + n.gate + ".bias", ffn);
  layer.add_bias("up_bias", "ffn_up.bias", n.mlp + n.up + ".bias", ffn);
  layer.add_bias("down_bias", "ffn_down.bias", n.mlp + n.down + ".bias", d);
}

void add_experts(HybridRules& layer) {
  const HybridConfig& c = layer.config();
  const HybridNames& n = c.names;
  const std::size_t d = size(c.d_model), count = size(c.router.experts), ffn = size(c.expert_ffn);
  const std::size_t shared = size(c.shared_ffn);
  const std::string each = n.mlp + n.experts + "{e}.", all = n.mlp + n.experts;
  const auto or_plain = [](const std::string& own, const std::string& plain) {
    return (own.empty() ? plain : own) + ".weight";
  };
  layer.add("router", "ffn_gate_inp.weight", n.mlp + n.router, {count, d}, Role::kRouter);
  if (c.has_correction) {
    layer.add_bias("router_correction", "exp_probs_b.bias", n.mlp + n.correction, count);
  }
  const Stored fused = all + "gate_up_proj";
  const auto up_in_stack = c.is_gated ? fused.rows(ffn, 2 * ffn) : Stored(all + "up_proj");
  if (c.is_gated) {
    layer.add("experts_gate", "ffn_gate_exps.weight", each + or_plain(n.expert_gate, n.gate),
              {count, ffn, d}, Role::kExperts, {fused.rows(0, 2 * ffn)});
  }
  layer.add("experts_up", "ffn_up_exps.weight", each + or_plain(n.expert_up, n.up),
            {count, ffn, d}, Role::kExperts, {up_in_stack});
  layer.add("experts_down", "ffn_down_exps.weight", each + or_plain(n.expert_down, n.down),
            {count, d, ffn}, Role::kExperts, {all + "down_proj"});
  if (shared == 0) return;
  const std::string of_all = n.mlp + n.shared;
  if (c.is_gated) {
    layer.add("shared_gate", "ffn_gate_shexp.weight", of_all + n.gate + ".weight", {shared, d});
  }
  layer.add("shared_up", "ffn_up_shexp.weight", of_all + n.up + ".weight", {shared, d});
  layer.add("shared_down", "ffn_down_shexp.weight", of_all + n.down + ".weight", {d, shared});
}

void add_layer(HybridRules& layer, const HybridLayer& kind) {
  switch (kind.mixer) {
    case Mixer::kNone: break;
    case Mixer::kMamba2: add_mamba2(layer); break;
    case Mixer::kMamba: add_mamba(layer); break;
    case Mixer::kShortConv: add_short_conv(layer); break;
    case Mixer::kGatedUnit: add_gated_unit(layer); break;
    case Mixer::kKimiDelta: add_kimi_delta(layer); break;
  }
  const bool has_latents = layer.config().mla.heads > 0;
  if (kind.has_attention && has_latents) add_latent(layer);
  if (kind.has_attention && !has_latents) add_attention(layer, kind.mixer == Mixer::kNone);
  if (kind.feed == FeedForward::kNone) return;
  const HybridNames& names = layer.config().names;
  layer.add_norm("ffn_norm", names.gguf_ffn_norm.c_str(), names.ffn_norm);
  kind.feed == FeedForward::kMlp ? add_mlp(layer) : add_experts(layer);
}

void add_stem(TensorRules& t, const HybridConfig& c) {
  const std::size_t d = size(c.d_model), vocab = size(c.vocab);
  const HybridNames& n = c.names;
  TensorRule embed = {"embed", "token_embd.weight", n.stem + n.embed, {vocab, d}, Role::kTable};
  if (!n.other_stem.empty()) embed.others = {n.other_stem + n.embed};
  if (c.has_tied_head) {
    embed.others.emplace_back("lm_head.weight");
    t.ignore("lm_head.weight");
  } else {
    t.add({"head", "output.weight", "lm_head.weight", {vocab, d}, Role::kHead});
  }
  t.add(std::move(embed));
  const auto stored = [&](const std::string& stem) {
    const Stored norm(stem + n.final_norm);
    return c.is_norm_offset ? norm.converted(Convert::kPlusOne) : norm;
  };
  TensorRule norm = {"final_norm", n.gguf_final_norm, stored(n.stem), {d}, Role::kNorm};
  if (!n.other_stem.empty()) norm.others = {stored(n.other_stem)};
  t.add(std::move(norm));
}

}  // namespace

TensorRules hybrid_tensors(const HybridConfig& c) {
  TensorRules t;
  add_stem(t, c);
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    HybridRules layer(t, c, i);
    add_layer(layer, c.layers[i]);
  }
  // What drafts further tokens is left out.
  for (const char* name : {"rope_freqs.weight", "*.rotary_emb.inv_freq", "mtp.*"}) t.ignore(name);
  const int layers = static_cast<int>(c.layers.size());
  for (int i = layers; i < layers + c.draft_layers; ++i) t.ignore(fmt::format("blk.{}.*", i));
  if (c.rename != nullptr) c.rename(c, t);
  return t;
}

// --- facts ---

namespace {

int state_floats(const HybridConfig& c) {
  switch (c.mixer()) {
    case Mixer::kNone: return 0;
    case Mixer::kMamba2: return c.mamba2.state_floats();
    case Mixer::kMamba: return c.mamba.state_floats();
    case Mixer::kShortConv: return c.conv.state_floats();
    case Mixer::kGatedUnit: return c.unit.state_floats();
    case Mixer::kKimiDelta: return c.delta.state_floats();
  }
  return 0;
}

std::string states_text(const HybridConfig& c) {
  const Mamba2Shape& m = c.mamba2;
  switch (c.mixer()) {
    case Mixer::kNone: return "none";
    case Mixer::kMamba2:
      return fmt::format("{} of {} x {}, {} groups, convolution of {}", m.heads, m.state,
                         m.head_dim, m.groups, m.width);
    case Mixer::kMamba:
      return fmt::format("{} channels of {}, convolution of {}", c.mamba.channels, c.mamba.rows,
                         c.mamba.width);
    case Mixer::kShortConv:
      return fmt::format("{} channels, convolution of {}", c.conv.channels, c.conv.width);
    case Mixer::kGatedUnit:
      return fmt::format("{} channels in {} blocks, convolution of {}", c.unit.channels,
                         c.unit.blocks, c.unit.width);
    case Mixer::kKimiDelta:
      return fmt::format("{} of {} x {}, convolution of {}", c.delta.heads, c.delta.head_dim,
                         c.delta.head_dim, c.delta.width);
  }
  return "";
}

void add_notes(const HybridConfig& c, ModelFacts& f) {
  const int recurrent = static_cast<int>(c.layers.size()) - c.layers_with(Mixer::kNone);
  f.notes = {{"width", c.ffn > 0 ? fmt::format("{}, feed-forward {}", c.d_model, c.ffn)
                                 : std::to_string(c.d_model)},
             {"layers", fmt::format("{}: {} recurrent, {} of attention", c.layers.size(),
                                    recurrent, c.attention_layers())},
             {"states", states_text(c)}};
  if (c.mla.heads > 0) {
    f.notes.emplace_back("latent", fmt::format("{} and {} values for {} heads", c.mla.kv_rank,
                                               c.mla.rope, c.mla.heads));
  } else if (c.attention_layers() > 0) {
    f.notes.emplace_back("heads",
                         fmt::format("{} of {}, key-value {}", c.heads, c.head_dim, c.kv_heads));
    f.notes.emplace_back("rope", c.has_rope ? rope_text(c.rope) : "none");
  }
  if (c.window > 0) f.notes.emplace_back("window", std::to_string(c.window));
  if (c.layers_of(FeedForward::kExperts) == 0) return;
  f.notes.emplace_back("experts", fmt::format("{} of {} each, {} used, in {} layers",
                                              c.router.experts, c.expert_ffn, c.router.used,
                                              c.layers_of(FeedForward::kExperts)));
}

}  // namespace

ModelFacts hybrid_facts(const HybridConfig& c) {
  ModelFacts f;
  f.layers = static_cast<int>(c.layers.size());
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  if (c.layers_of(FeedForward::kExperts) > 0) {
    f.experts = c.router.experts;
    f.experts_active = c.router.used;
  }
  GroupFacts positions = plain_group(0, c.heads, c.kv_heads, c.head_dim), states;
  if (c.mla.heads > 0) {
    positions.name = "latent";
    positions.heads = c.mla.heads;
    positions.kv_heads = 1;
    positions.k_width = c.mla.kv_rank + c.mla.rope;
    positions.v_width = 0;  // the beginning of the key
  }
  positions.window = c.window;
  if (c.window > 0) positions.name = "window";
  states.name = "state";
  states.holds_state = true;
  states.state_bytes = size(state_floats(c)) * sizeof(float);
  for (int i = 0; i < f.layers; ++i) {
    const HybridLayer& layer = c.layers[size(i)];
    if (layer.has_attention) positions.layers.push_back(i);
    if (layer.mixer != Mixer::kNone) states.layers.push_back(i);
  }
  if (!positions.layers.empty()) f.groups.push_back(positions);
  if (!states.layers.empty()) f.groups.push_back(states);
  add_notes(c, f);
  return f;
}

}  // namespace quire
