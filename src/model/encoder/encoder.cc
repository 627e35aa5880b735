#include "model/encoder/encoder.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "model/layers/rope.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

using Norms = EncoderConfig::Norms;

// The root of the width as the table's own type holds that number.
float root_of(int width, DType dtype) {
  const float root = std::sqrt(static_cast<float>(width));
  if (dtype == DType::kBF16) return bf16_to_float(float_to_bf16(root));
  if (dtype == DType::kF16) return half_to_float(float_to_half(root));
  return root;
}

}  // namespace

// --- the forward pass ---

void Encoder::embed(Program& p) const {
  const Buffer& x = narrow_ ? narrow_ : w_.residual;
  p.gather(words_, x, embedding_scale_);
  if (config_.positions > 0) {
    p.add(GatherOp{&positions_, &x, GatherOp::Index::kPosition, config_.position_offset, 1, true});
  }
  if (config_.segments > 0) {
    p.add(GatherOp{&segments_, &x, GatherOp::Index::kSegment, 0, 1, true});
  }
  if (embed_norm_) p.norm(x, embed_norm_, x);
  if (narrow_) p.linear(narrow_, {{&table_in_, &w_.residual, &bias_of_table_in_}});
}

void Encoder::forward(const BatchView& batch, KvStore& kv) {
  Program& p = program_;
  p.clear();
  embed(p);
  for (const Layer& layer : layers_) {
    run_attention(layer.attention, p, layer.attention.norm ? w_ : unnormed_);
    if (layer.attention_after) p.norm(w_.residual, layer.attention_after, w_.residual);
    run_mlp(layer.mlp, p, layer.mlp.norm ? w_ : unnormed_);
    if (layer.mlp_after) p.norm(w_.residual, layer.mlp_after, w_.residual);
  }
  if (final_norm_) p.norm(w_.residual, final_norm_, w_.normed);
  head_.run(p, final_norm_ ? w_.normed : w_.residual);
  backend_.run(p, batch, kv);
}

// --- loading ---

void Encoder::shape_attention(int index, AttentionLayer& attention) const {
  const EncoderConfig& c = config_;
  const int reach = c.windows.empty() ? 0 : c.windows[static_cast<std::size_t>(index)];
  attention.attend = plain_attention(c.heads, c.kv_heads, c.head_dim, {0, 0});
  Attend& attend = attention.attend;
  if (c.score_scale != 0) attend.scale = c.score_scale;
  attend.is_causal = c.is_causal;
  attend.window = reach > 0 ? reach + 1 : 0;
  if (!c.is_causal) attend.ahead = reach;
  if (bias_) {
    attend.bias = bias_;
    attend.bias_reach = options_.context_max - 1;
  }
  attention.q_rope = attention.k_rope = reach > 0 && c.window_rope ? window_rope_ : rope_;
  attention.q_rope.norm = attention.k_rope.norm = norm();
}

Status Encoder::load_layer(WeightLoader& loader, int index, PlaceLoader* places) {
  const EncoderConfig& c = config_;
  const std::string prefix = fmt::format("layers.{}.", index);
  Layer& layer = layers_.emplace_back();
  shape_attention(index, layer.attention);
  layer.mlp.activation = c.activation;
  layer.attention.norm = layer.mlp.norm = norm();
  layer.attention.branch.norm = layer.mlp.branch.norm = norm();
  layer.attention_after = layer.mlp_after = norm();
  QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, layer.attention));
  if (places != nullptr) QUIRE_RETURN_IF_ERROR(places->load(prefix, loader, layer.attention));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "attn_output_norm", layer.attention_after));
  QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
  return load_norm(loader, prefix + "output_norm", layer.mlp_after);
}

Status Encoder::load_tables(WeightLoader& loader) {
  const EncoderConfig& c = config_;
  QUIRE_ASSIGN_OR_RETURN(words_, loader.table("embed"));
  if (c.has_root_scale) embedding_scale_ = root_of(c.d_model, words_.dtype);
  if (c.positions > 0) {
    QUIRE_ASSIGN_OR_RETURN(positions_, loader.table("positions"));
  }
  if (c.segments > 0) {
    QUIRE_ASSIGN_OR_RETURN(segments_, loader.table("segments"));
  }
  embed_norm_ = final_norm_ = norm();
  QUIRE_RETURN_IF_ERROR(load_norm(loader, "embed_norm", embed_norm_));
  return load_norm(loader, "final_norm", final_norm_);
}

void Encoder::make_workspaces() {
  const EncoderConfig& c = config_;
  const int places = c.disentangled.places();
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = c.q(), .k = c.kv(), .v = c.kv(),
                        .attended = c.q(), .has_branch = c.norms == Norms::kAround,
                        .ffn = c.ffn,
                        .key_places = c.disentangled.has_keys ? c.heads * places : 0,
                        .query_places = c.disentangled.has_queries ? c.heads * places : 0});
  unnormed_ = w_;
  unnormed_.normed = w_.residual;
  if (c.table_width > 0) {
    narrow_ = backend_.buffer(Rows::kTokens, options_.tokens_max, c.table_width);
  }
}

Status Encoder::load_layers(WeightLoader& loader) {
  const EncoderConfig& c = config_;
  std::optional<PlaceLoader> places;
  if (c.disentangled) {
    QUIRE_ASSIGN_OR_RETURN(PlaceLoader made,
                           PlaceLoader::make(c.disentangled, c.d_model, c.eps, loader, backend_,
                                             options_));
    places.emplace(std::move(made));
  }
  for (int i = 0; i < c.layers; ++i) {
    const int stored = i * c.stored() / c.layers;
    const bool is_again = i > 0 && stored == (i - 1) * c.stored() / c.layers;
    if (is_again) {
      layers_.push_back(Layer(layers_.back()));
    } else {
      QUIRE_RETURN_IF_ERROR(load_layer(loader, stored, places ? &*places : nullptr));
    }
  }
  if (places) place_memory_ = places->take_memory();
  return ok_status();
}

Status Encoder::load(WeightLoader& loader) {
  const EncoderConfig& c = config_;
  QUIRE_RETURN_IF_ERROR(load_tables(loader));
  const std::size_t tables = loader.bytes();
  if (c.table_width > 0) {
    QUIRE_ASSIGN_OR_RETURN(table_in_, loader.matrix("embed_in"));
    QUIRE_ASSIGN_OR_RETURN(bias_of_table_in_, loader.optional_vector("embed_in_bias"));
  }
  if (c.rope) rope_ = make_rope(*c.rope, c.head_dim, options_.context_max, backend_);
  if (c.window_rope) {
    window_rope_ = make_rope(*c.window_rope, c.head_dim, options_.context_max, backend_);
  }
  if (c.relative.buckets > 0) {
    QUIRE_ASSIGN_OR_RETURN(const std::vector<float> values, loader.values("relative_bias"));
    bias_ = backend_.vector(spread_bias(values, c.relative, c.heads, options_.context_max - 1));
  }
  if (!c.slopes.empty()) {
    bias_ = backend_.vector(sloping_bias(c.slopes, options_.context_max - 1));
  }
  QUIRE_RETURN_IF_ERROR(load_layers(loader));
  QUIRE_RETURN_IF_ERROR(head_.load(c.pooled, c.d_model, loader, backend_, options_));
  weight_bytes_ = loader.bytes() - tables;
  make_workspaces();
  return ok_status();
}

}  // namespace quire
