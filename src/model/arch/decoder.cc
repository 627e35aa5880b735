#include "model/arch/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "model/layers/rope.h"
#include "tensor/float_bits.h"

namespace quire {

// --- the forward pass ---

void Decoder::forward(const BatchView& batch, KvStore& kv) {
  const bool is_bare = !config_.has_norms_before && !config_.has_norms_of_sums;
  Program& p = program_;
  p.clear();
  stem_.begin(p, w_);
  if (positions_) {
    p.add(GatherOp{&positions_, &w_.residual, GatherOp::Index::kPosition, *config_.position_offset,
                   1, true});
  }
  for (const Layer& layer : layers_) {
    if (layer.beside) p.norm(w_.residual, layer.beside, beside_.normed);
    if (is_bare) p.norm(w_.residual, bare_, w_.normed);
    run_attention(layer.attention, p, w_);
    if (layer.sum_after_attention) p.norm(w_.residual, layer.sum_after_attention, w_.residual);
    if (is_bare) p.norm(w_.residual, bare_, w_.normed);
    const Workspace& w = layer.beside ? beside_ : w_;
    if (layer.is_plain) {
      run_mlp(layer.mlp, p, w);
    } else {
      run_moe(layer.moe, p, w, moe_);
    }
    if (layer.sum_after_block) p.norm(w_.residual, layer.sum_after_block, w_.residual);
  }
  stem_.end(p, w_);
  backend_.run(p, batch, kv);
}

// --- the stem ---

namespace {

// Files hold logarithms of what the curvatures are beyond their least.
Xielu meant_xielu(const Xielu& held) {
  const auto softplus = [](double x) { return x > 20 ? x : std::log1p(std::exp(x)); };
  return {static_cast<float>(softplus(held.positive)),
          static_cast<float>(held.beta + softplus(held.negative)), held.beta, held.floor};
}

}  // namespace

Status Decoder::load_stem(WeightLoader& loader) {
  const DecoderConfig& c = config_;
  stem_.final_norm = stem_.embedding_norm = norm();
  stem_.logit_scale = c.logit_scale;
  stem_.logit_cap = c.logit_cap;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  if (!c.has_norm_weights) stem_.final_norm = norm();
  stem_.embedding_scale = c.is_embedding_scale_rounded
                              ? rounded_as(stem_.embedding.dtype, c.embedding_scale)
                              : c.embedding_scale;
  if (!c.position_offset) return ok_status();
  QUIRE_ASSIGN_OR_RETURN(positions_, loader.table("positions"));
  return ok_status();
}

// --- the layers ---

AttentionLayer Decoder::attention_of(int i, CacheSlot slot) const {
  const DecoderConfig& c = config_;
  const auto at = static_cast<std::size_t>(i);
  AttentionLayer attention;
  attention.norm = attention.branch.norm = attention.out_norm = norm();
  attention.branch.scale = c.residual_scale;
  const bool is_windowed = c.windows[at] > 0;
  attention.q_rope = !c.turns[at] ? q_bare_ : is_windowed ? q_window_rope_ : q_rope_;
  if (c.turns[at]) attention.k_rope = is_windowed ? window_rope_ : rope_;
  const bool is_apart = c.head_norms == QueryNorms::kOwn || c.head_norms == QueryNorms::kWhole ||
                        c.turns_before_norms;
  (is_apart ? attention.q_norm : attention.q_rope.norm) = norm();
  (is_apart ? attention.k_norm : attention.k_rope.norm) = norm();
  if (is_apart && c.head_norms != QueryNorms::kWhole) {
    attention.q_norm.heads = c.heads;
    attention.k_norm.heads = c.kv_heads;
  }
  attention.turns_before_norms = c.turns_before_norms;
  attention.clip = c.clip;
  attention.attend = plain_attention(c.heads, c.kv_heads, c.head_dim, slot);
  attention.attend.window = c.windows[at];
  attention.attend.is_chunked = c.has_chunks && is_windowed;
  if (c.score_scale > 0) attention.attend.scale = c.score_scale;
  if (c.has_scale_by_layer) attention.attend.scale /= static_cast<float>(i + 1);
  attention.attend.softcap = c.score_cap;
  attention.attend.slopes = slopes_;
  return attention;
}

// Of the heads, which a file holds one by one.
Status Decoder::load_own_head_norms(WeightLoader& loader, const std::string& prefix,
                                    AttentionLayer& attention) {
  const auto load = [&](const char* name, int heads, Norm& to) -> Status {
    to = norm();
    to.heads = heads;
    std::vector<float> all;
    for (int head = 0; head < heads; ++head) {
      QUIRE_ASSIGN_OR_RETURN(const std::vector<float> one,
                             loader.values(fmt::format("{}{}.{}", prefix, name, head)));
      all.insert(all.end(), one.begin(), one.end());
    }
    to.weight = backend_.vector(all);
    return ok_status();
  };
  QUIRE_RETURN_IF_ERROR(load("q_norms", config_.heads, attention.q_norm));
  return load("k_norms", config_.kv_heads, attention.k_norm);
}

Status Decoder::load_xielu(WeightLoader& loader, const std::string& prefix, int i,
                           MlpLayer& mlp) {
  if (!config_.xielu.empty()) {
    mlp.xielu = meant_xielu(config_.xielu[static_cast<std::size_t>(i)]);
    return ok_status();
  }
  QUIRE_ASSIGN_OR_RETURN(const auto positive, loader.values(prefix + "xielu_positive"));
  QUIRE_ASSIGN_OR_RETURN(const auto negative, loader.values(prefix + "xielu_negative"));
  QUIRE_ASSIGN_OR_RETURN(const auto beta, loader.values(prefix + "xielu_beta"));
  QUIRE_ASSIGN_OR_RETURN(const auto floor, loader.values(prefix + "xielu_floor"));
  mlp.xielu = meant_xielu({positive[0], negative[0], beta[0], floor[0]});
  return ok_status();
}

// Experts, or the feed-forward block of a plain layer.
Status Decoder::load_block(WeightLoader& loader, const std::string& prefix, int i, Layer& layer) {
  const DecoderConfig& c = config_;
  layer.mlp.norm = layer.mlp.branch.norm = layer.mlp.inner_norm = layer.moe.norm = norm();
  layer.mlp.branch.scale = layer.moe.scale = c.residual_scale;
  if (!layer.is_plain) {
    layer.moe.router = c.router;
    layer.moe.weighs_inputs = c.weighs_inputs;
    layer.moe.clamped = c.clamped;
    return load_moe(loader, prefix, layer.moe);
  }
  layer.mlp.activation = c.activation;
  QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
  if (c.has_xielu) QUIRE_RETURN_IF_ERROR(load_xielu(loader, prefix, i, layer.mlp));
  if (!c.has_norm_weights) layer.mlp.norm = norm();
  return ok_status();
}

Status Decoder::load_sum_norms(WeightLoader& loader, const std::string& prefix, int i,
                               Layer& layer) {
  layer.sum_after_attention = layer.sum_after_block = norm();
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "attn_after", layer.sum_after_attention));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "ffn_after", layer.sum_after_block));
  // The last of them is the one before the head.
  if (i + 1 == config_.layers) std::swap(stem_.final_norm, layer.sum_after_block);
  return ok_status();
}

Status Decoder::load_layer(WeightLoader& loader, int i, CacheSlot slot) {
  const DecoderConfig& c = config_;
  const std::string prefix = fmt::format("layers.{}.", i);
  Layer& layer = layers_.emplace_back();
  layer.is_plain = c.is_plain(i);
  layer.attention = attention_of(i, slot);
  QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, layer.attention));
  if (loader.has(prefix + "q_norms.0")) {
    QUIRE_RETURN_IF_ERROR(load_own_head_norms(loader, prefix, layer.attention));
  }
  if (!c.has_norm_weights) layer.attention.norm = norm();
  if (c.head_norms == QueryNorms::kBare && c.turns[static_cast<std::size_t>(i)]) {
    layer.attention.q_norm = layer.attention.k_norm = norm();
    layer.attention.q_norm.heads = c.heads;
    layer.attention.k_norm.heads = c.kv_heads;
    layer.attention.q_norm.weight = layer.attention.k_norm.weight = ones_;
  }
  QUIRE_RETURN_IF_ERROR(load_block(loader, prefix, i, layer));
  if (c.has_two_norms) std::swap(layer.beside, layer.mlp.norm);
  return c.has_norms_of_sums ? load_sum_norms(loader, prefix, i, layer) : ok_status();
}

void Decoder::make_workspaces() {
  const DecoderConfig& c = config_;
  const int q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  bool has_plain = false;
  for (const Layer& layer : layers_) has_plain = has_plain || layer.is_plain;
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = q, .k = kv, .v = kv, .attended = q,
                        .has_branch = c.has_norms_after || c.residual_scale != 1,
                        .ffn = has_plain ? c.ffn : 0, .vocab = c.vocab});
  if (c.has_norms_of_sums) w_.normed = w_.residual;
  beside_ = w_;
  if (c.has_two_norms) {
    beside_.normed = backend_.buffer(Rows::kTokens, options_.tokens_max, c.d_model);
  }
  if (c.table_width > 0) {
    stem_.gathered = backend_.buffer(Rows::kTokens, options_.tokens_max, c.table_width);
    stem_.led_back = backend_.buffer(Rows::kWanted, options_.logits_rows_max, c.table_width);
  }
  if (c.router.experts == 0) return;
  moe_ = MoeWorkspace::make(backend_, options_,
                            {.d_model = c.d_model, .experts = c.router.experts,
                             .used = c.router.used, .ffn = c.expert_ffn,
                             .shared_ffn = c.shared_ffn,
                             .has_shared_scale = c.has_shared_scale});
}

// Tables of angles as far as a layer turns by them.
void Decoder::make_ropes() {
  const DecoderConfig& c = config_;
  bool has_whole = false, has_window = false;
  for (std::size_t i = 0; i < c.turns.size(); ++i) {
    if (c.turns[i]) (c.windows[i] > 0 ? has_window : has_whole) = true;
  }
  const int positions = options_.context_max;
  const auto of_queries = [&](const Rope& turned, const RopeConfig& rope) {
    if (c.growth.beta == 0 || !c.grows_turned) return turned;
    return make_growing_rope(&rope, c.growth, c.head_dim, positions, backend_);
  };
  if (has_whole) {
    rope_ = make_rope(c.rope, c.head_dim, positions, backend_);
    q_rope_ = of_queries(rope_, c.rope);
  }
  if (has_window) {
    window_rope_ = make_rope(c.window_rope, c.head_dim, positions, backend_);
    q_window_rope_ = of_queries(window_rope_, c.window_rope);
  }
  if (c.growth.beta == 0 || c.grows_turned) return;
  q_bare_ = make_growing_rope(nullptr, c.growth, c.head_dim, positions, backend_);
}

Status Decoder::load(WeightLoader& loader) {
  const DecoderConfig& c = config_;
  QUIRE_CHECK(!c.has_norms_after || c.has_experts.empty(), "a norm after experts");
  QUIRE_CHECK(!c.has_two_norms || (c.is_parallel && c.has_experts.empty()),
              "a norm of its own for a block that is not beside attention, or of experts");
  QUIRE_CHECK(!c.has_norms_of_sums || !c.has_norms_before, "norms of sums, and others before");
  QUIRE_RETURN_IF_ERROR(load_stem(loader));
  make_ropes();
  const std::vector<float> ones(static_cast<std::size_t>(c.head_dim), 1.0f);
  if (c.head_norms == QueryNorms::kBare) ones_ = backend_.vector(ones);
  if (!c.slopes.empty()) slopes_ = backend_.vector(c.slopes);
  const Caches caches = decoder_caches(c);
  layers_.reserve(static_cast<std::size_t>(c.layers));
  for (int i = 0; i < c.layers; ++i) {
    QUIRE_RETURN_IF_ERROR(load_layer(loader, i, caches.slots[static_cast<std::size_t>(i)]));
  }
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes - positions_.bytes;
  make_workspaces();
  return ok_status();
}

}  // namespace quire
