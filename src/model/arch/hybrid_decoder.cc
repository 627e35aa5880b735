// The model: what each layer is loaded with, and the forward pass.
#include "model/arch/hybrid_decoder.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/check.h"
#include "model/layers/rope.h"

namespace quire {

int HybridConfig::layers_with(Mixer mixer) const {
  return static_cast<int>(std::count_if(layers.begin(), layers.end(), [&](const HybridLayer& it) {
    return it.mixer == mixer;
  }));
}
int HybridConfig::attention_layers() const {
  return static_cast<int>(std::count_if(layers.begin(), layers.end(),
                                        [](const HybridLayer& it) { return it.has_attention; }));
}
int HybridConfig::layers_of(FeedForward feed) const {
  return static_cast<int>(std::count_if(layers.begin(), layers.end(), [&](const HybridLayer& it) {
    return it.feed == feed;
  }));
}
Mixer HybridConfig::mixer() const {
  for (const HybridLayer& layer : layers) {
    if (layer.mixer != Mixer::kNone) return layer.mixer;
  }
  return Mixer::kNone;
}

void HybridDecoder::run_mixer(const Layer& layer) {
  switch (layer.kind.mixer) {
    case Mixer::kNone: return;
    case Mixer::kMamba2: return run_mamba2(layer.mamba2, program_, w_, mamba2_);
    case Mixer::kMamba: return run_mamba(layer.mamba, program_, w_, mamba_);
    case Mixer::kShortConv: return run_short_conv(layer.conv, program_, w_, conv_);
    case Mixer::kGatedUnit: return run_gated_unit(layer.unit, program_, w_, unit_);
    case Mixer::kKimiDelta: return run_kimi_delta(layer.delta, program_, w_, delta_);
  }
}

void HybridDecoder::forward(const BatchView& batch, KvStore& kv) {
  program_.clear();
  stem_.begin(program_, w_);
  for (const Layer& layer : layers_) {
    run_mixer(layer);
    // Beside a mixer it has no norm of its own: it reads what the mixer's gave.
    if (layer.kind.has_attention) {
      config_.mla.heads > 0 ? run_mla(layer.latent, program_, w_, mla_)
                            : run_attention(layer.attention, program_, w_);
    }
    if (layer.kind.feed == FeedForward::kMlp) run_mlp(layer.mlp, program_, w_);
    if (layer.kind.feed == FeedForward::kExperts) run_moe(layer.moe, program_, w_, moe_);
  }
  stem_.end(program_, w_);
  backend_.run(program_, batch, kv);
}

// --- loading ---

// What files state beside the weights of x, keys and queries goes to the convolution, which is
// linear in them.
Status HybridDecoder::scale_convolution(WeightLoader& loader, const std::string& prefix,
                                        Layer& layer) {
  const HybridScales& s = config_.scales;
  const Mamba2Shape& m = config_.mamba2;
  const std::array<float, 5>& p = s.projections;
  layer.mamba2.gate_scale = s.mixer_in * p[0];
  layer.mamba2.step_scale = s.mixer_in * p[4];
  if (s.mixer_in * p[1] == 1 && s.mixer_in * p[2] == 1 && s.mixer_in * p[3] == 1) {
    return ok_status();
  }
  QUIRE_ASSIGN_OR_RETURN(std::vector<float> weights, loader.values(prefix + "mamba_conv"));
  const int inner = m.inner(), keys = m.groups * m.state, channels = m.channels();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const int channel = static_cast<int>(i) % channels;
    const std::size_t part = channel < inner ? 1 : channel < inner + keys ? 2 : 3;
    weights[i] *= s.mixer_in * p[part];
  }
  layer.mamba2.convolution.weight = backend_.vector(weights);
  return ok_status();
}

Status HybridDecoder::load_mixer(WeightLoader& loader, const std::string& prefix, CacheSlot cache,
                                 Layer& layer) {
  const HybridConfig& c = config_;
  const float out_scale = c.residual_scale * c.scales.mixer_out;
  switch (layer.kind.mixer) {
    case Mixer::kNone:
      return ok_status();
    case Mixer::kMamba2:
      layer.mamba2.norm = norm();
      if (c.has_gated_norm) layer.mamba2.gated_norm = norm();
      layer.mamba2.gate_first = c.gate_first;
      layer.mamba2.branch.scale = out_scale;
      set_shape(layer.mamba2, c.mamba2, cache);
      layer.mamba2.recurrence.step_min = c.step_min;
      layer.mamba2.recurrence.step_max = c.step_max;
      QUIRE_RETURN_IF_ERROR(load_mamba2(loader, prefix, layer.mamba2));
      return scale_convolution(loader, prefix, layer);
    case Mixer::kMamba:
      layer.mamba.norm = norm();
      layer.mamba.step_norm = {c.inner_norm, {}, {}, c.inner_eps};
      layer.mamba.key_norm = layer.mamba.query_norm = layer.mamba.step_norm;
      layer.mamba.branch.scale = out_scale;
      set_shape(layer.mamba, c.mamba, cache);
      return load_mamba(loader, prefix, backend_, layer.mamba);
    case Mixer::kShortConv:
      layer.conv.norm = norm();
      layer.conv.branch.scale = out_scale;
      set_shape(layer.conv, c.conv, cache);
      return load_short_conv(loader, prefix, layer.conv);
    case Mixer::kGatedUnit:
      layer.unit.norm = norm();
      layer.unit.activation = c.activation;
      layer.unit.branch.scale = out_scale;
      set_shape(layer.unit, c.unit, cache);
      return load_gated_unit(loader, prefix, backend_, layer.unit);
    case Mixer::kKimiDelta:
      layer.delta.norm = layer.delta.out_norm = norm();
      set_shape(layer.delta, c.delta, cache);
      return load_kimi_delta(loader, prefix, backend_, layer.delta);
  }
  return ok_status();
}

Status HybridDecoder::load_attention_of(WeightLoader& loader, const std::string& prefix,
                                        const Rope& rope, CacheSlot cache, Layer& layer) {
  const HybridConfig& c = config_;
  AttentionLayer& attention = layer.attention;
  attention.norm = norm();
  attention.q_rope = attention.k_rope = rope;
  if (c.has_head_norms) attention.q_rope.norm = attention.k_rope.norm = norm();
  attention.attend = plain_attention(c.heads, c.kv_heads, c.head_dim, cache);
  attention.attend.window = c.window;
  if (c.score_scale > 0) attention.attend.scale = c.score_scale;
  // Queries and keys are scaled alike; values leave by the way of the output.
  const HybridScales& s = c.scales;
  attention.attend.scale *= s.attention_in * s.attention_in * s.key;
  attention.branch.scale = c.residual_scale * s.attention_in * s.attention_out;
  return load_attention(loader, prefix, attention);
}

// Latents whose positions nothing turns.
Status HybridDecoder::load_latent(WeightLoader& loader, const std::string& prefix, CacheSlot cache,
                                  Layer& layer) {
  const MlaShape& shape = config_.mla;
  MlaLayer& latent = layer.latent;
  latent.norm = norm();
  latent.q_norm = latent.latent_norm = {Norm::Kind::kRms, {}, {}, config_.inner_eps};
  Attend& attend = latent.attend;
  attend.heads = shape.heads;
  attend.kv_heads = 1;
  attend.k_dim = shape.kv_rank + shape.rope;
  attend.v_dim = shape.kv_rank;
  attend.scale = 1 / std::sqrt(static_cast<float>(shape.nope + shape.rope));
  attend.cache = cache;
  return load_mla(loader, prefix, latent);
}

Status HybridDecoder::load_feed(WeightLoader& loader, const std::string& prefix, Layer& layer) {
  const HybridConfig& c = config_;
  if (layer.kind.feed == FeedForward::kNone) return ok_status();
  if (layer.kind.feed == FeedForward::kMlp) {
    layer.mlp.norm = norm();
    layer.mlp.activation = c.activation;
    layer.mlp.gate_scale = c.scales.mlp_gate;
    layer.mlp.branch.scale = c.residual_scale * c.scales.mlp_down;
    return load_mlp(loader, prefix, layer.mlp);
  }
  layer.moe.norm = norm();
  layer.moe.activation = c.activation;
  layer.moe.router = c.router;
  layer.moe.scale = c.residual_scale;
  return load_moe(loader, prefix, layer.moe);
}

void HybridDecoder::make_workspaces() {
  const HybridConfig& c = config_;
  const bool has_attention = c.attention_layers() > 0;
  const bool has_latents = c.mla.heads > 0;
  int q = has_attention ? c.heads * c.head_dim : 0;
  if (has_latents) q = c.mla.heads * (c.mla.nope + c.mla.rope);
  const int kv = has_attention && !has_latents ? c.kv_heads * c.head_dim : 0;
  const bool has_branch = std::any_of(layers_.begin(), layers_.end(), [](const Layer& layer) {
    return !layer.attention.branch.is_plain() || !layer.mamba2.branch.is_plain() ||
           !layer.mamba.branch.is_plain() || !layer.conv.branch.is_plain() ||
           !layer.unit.branch.is_plain() || !layer.mlp.branch.is_plain();
  });
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = q, .k = kv, .v = kv,
                        .attended = has_latents ? 0 : q,
                        .has_branch = has_branch,
                        .ffn = c.layers_of(FeedForward::kMlp) > 0 ? c.ffn : 0, .vocab = c.vocab});
  const Mixer mixer = c.mixer();
  if (mixer == Mixer::kMamba2) mamba2_ = Mamba2Workspace::make(backend_, options_, c.mamba2);
  if (mixer == Mixer::kMamba) mamba_ = MambaWorkspace::make(backend_, options_, c.mamba);
  if (mixer == Mixer::kShortConv) conv_ = ShortConvWorkspace::make(backend_, options_, c.conv);
  if (mixer == Mixer::kGatedUnit) unit_ = GatedUnitWorkspace::make(backend_, options_, c.unit);
  if (mixer == Mixer::kKimiDelta) delta_ = KimiDeltaWorkspace::make(backend_, options_, c.delta);
  if (has_latents) mla_ = MlaWorkspace::make(backend_, options_, c.mla);
  if (c.layers_of(FeedForward::kExperts) == 0) return;
  moe_ = MoeWorkspace::make(backend_, options_,
                            {.d_model = c.d_model, .experts = c.router.experts,
                             .used = c.router.used, .ffn = c.expert_ffn,
                             .shared_ffn = c.shared_ffn});
}

Status HybridDecoder::load(WeightLoader& loader) {
  const HybridConfig& c = config_;
  stem_.final_norm = norm();
  stem_.embedding_scale = c.embedding_scale;
  stem_.logit_scale = c.logit_scale;
  stem_.logit_cap = c.logit_cap;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  Rope rope;
  if (c.has_rope) rope = make_rope(c.rope, c.head_dim, options_.context_max, backend_);
  const int state_group = c.attention_layers() > 0 ? 1 : 0;  // see hybrid_facts
  CacheSlot positions = {0, 0}, states = {state_group, 0};
  layers_.resize(c.layers.size());
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    const std::string prefix = fmt::format("layers.{}.", i);
    layer.kind = c.layers[i];
    QUIRE_RETURN_IF_ERROR(load_mixer(loader, prefix, states, layer));
    if (layer.kind.mixer != Mixer::kNone) ++states.layer;
    if (layer.kind.has_attention) {
      QUIRE_RETURN_IF_ERROR(c.mla.heads > 0
                                ? load_latent(loader, prefix, positions, layer)
                                : load_attention_of(loader, prefix, rope, positions, layer));
      ++positions.layer;
    }
    QUIRE_RETURN_IF_ERROR(load_feed(loader, prefix, layer));
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes;
  make_workspaces();
  return ok_status();
}

}  // namespace quire
