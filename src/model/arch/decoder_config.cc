// What files say of a Decoder: the part that its families have in common.
// Pure functions; any thread. Called by the readers of model/arch.
#include <fmt/format.h>

#include <algorithm>

#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

// A number that must be there, where nothing is known that stands for it.
std::optional<int> unless_zero(int value) {
  return value > 0 ? std::optional(value) : std::nullopt;
}

int read_ffn(const ConfigFields& fields, const DecoderDefaults& defaults, int d_model) {
  const DecoderSizes& sizes = defaults.sizes;
  const Key key = {defaults.keys.ffn, "feed_forward_length"};
  if (defaults.may_lack_ffn) return fields.integer(key, 0, kFfnMax, 0);
  const int fallback = sizes.ffn_widths > 0 ? sizes.ffn_widths * d_model : sizes.ffn;
  return fields.integer(key, 1, kFfnMax, unless_zero(fallback));
}

void read_heads(const ConfigFields& fields, const DecoderDefaults& defaults, DecoderConfig& c) {
  const DecoderSizes& sizes = defaults.sizes;
  const Key heads = {defaults.keys.heads, "attention.head_count"};
  c.heads = fields.integer(heads, 1, kHeadsMax, unless_zero(sizes.heads));
  const Key kv_heads = {defaults.keys.kv_heads, "attention.head_count_kv"};
  c.kv_heads =
      fields.integer(kv_heads, 1, kHeadsMax, sizes.kv_heads > 0 ? sizes.kv_heads : c.heads);
  const Key head_dim = {defaults.keys.head_dim, "attention.key_length"};
  c.head_dim = fields.integer(head_dim, 2, kHeadDimMax,
                              sizes.head_dim > 0 ? sizes.head_dim : c.d_model / c.heads);
  if (!fields.has(head_dim) && sizes.head_dim == 0) {
    check_width(fields, heads, c.heads, c.d_model);
  }
  fields.refuse_unless({"", "attention.value_length"}, c.head_dim);
  check_heads(fields, c.heads, c.kv_heads, c.head_dim);
}

void read_sizes(const ConfigFields& fields, const DecoderDefaults& defaults, DecoderConfig& c) {
  const DecoderKeys& keys = defaults.keys;
  const DecoderSizes& sizes = defaults.sizes;
  c.layers =
      fields.integer({keys.layers, "block_count"}, 1, kLayersMax, unless_zero(sizes.layers));
  // GGUF counts those that draft among the layers.
  c.draft_layers = fields.integer(
      {"num_nextn_predict_layers", "nextn_predict_layers"}, 0, std::max(c.layers - 1, 1), 0);
  if (fields.is_gguf()) c.layers -= c.draft_layers;
  c.d_model = fields.integer({keys.d_model, "embedding_length"}, 1, kModelWidthMax,
                             unless_zero(sizes.d_model));
  c.ffn = read_ffn(fields, defaults, c.d_model);
  c.context_max = fields.integer({keys.context, "context_length"}, 1, kContextMax,
                                 unless_zero(sizes.context));
  const bool is_rms = defaults.norm == Norm::Kind::kRms;
  c.norm = defaults.norm;
  c.eps = static_cast<float>(
      fields.number({defaults.eps_name, is_rms ? "attention.layer_norm_rms_epsilon"
                                               : "attention.layer_norm_epsilon"},
                    kRmsEpsMin, kRmsEpsMax, defaults.eps));
  read_heads(fields, defaults, c);
}

void read_biases(const ConfigFields& fields, const DecoderDefaults& defaults, DecoderConfig& c) {
  c.has_qkv_bias = fields.boolean({"attention_bias", ""}, defaults.has_qkv_bias) ||
                   fields.tensor({"", "blk.0.attn_q.bias"}) != nullptr;
  if (fields.is_gguf()) c.has_qkv_bias = fields.tensor("blk.0.attn_q.bias") != nullptr;
  c.has_o_bias = c.has_qkv_bias && !defaults.has_qkv_bias;
  if (fields.is_gguf()) c.has_o_bias = fields.tensor("blk.0.attn_output.bias") != nullptr;
  c.has_mlp_bias = fields.boolean({"mlp_bias", ""}, false) ||
                   fields.tensor({"", "blk.0.ffn_up.bias"}) != nullptr;
}

void read_positions(const ConfigFields& fields, const DecoderDefaults& defaults,
                    DecoderConfig& c) {
  if (defaults.has_rope && !defaults.has_own_rope) {
    c.rope = read_rope(fields, c.head_dim, defaults.rope);
  }
  c.is_woven_in_gguf = defaults.is_woven_in_gguf;
  const bool is_woven = fields.naming() != Naming::kHuggingFace && defaults.is_woven_in_gguf;
  c.rope.pairing = is_woven || defaults.is_interleaved ? RopePairs::kAdjacent
                                                       : RopePairs::kHalfSplit;
  c.window_rope = c.rope;
  c.context_max = std::max(c.context_max, c.rope.context());
  c.windows.assign(static_cast<std::size_t>(c.layers), 0);
  c.turns.assign(static_cast<std::size_t>(c.layers), defaults.has_rope);
}

}  // namespace

DecoderConfig read_decoder(const ConfigFields& fields, int vocab,
                           const DecoderDefaults& defaults) {
  DecoderConfig c;
  c.vocab = vocab;
  read_sizes(fields, defaults, c);
  read_positions(fields, defaults, c);
  if (!defaults.has_own_biases) read_biases(fields, defaults, c);
  if (defaults.has_activation) {
    c.activation = read_activation(fields, defaults.activation_name, defaults.activation);
  }
  const bool has_head = fields.tensor({"lm_head.weight", "output.weight"}) != nullptr;
  const bool is_tied = fields.is_gguf() ? !has_head : defaults.is_tied.value_or(!has_head);
  c.has_tied_head = fields.boolean({"tie_word_embeddings", ""}, is_tied);
  return c;
}

float read_scale(const ConfigFields& fields, Key key, double fallback) {
  constexpr double kScaleMin = 1e-6, kScaleMax = 1e6;
  return static_cast<float>(fields.number(key, kScaleMin, kScaleMax, fallback));
}

void read_layer_windows(const ConfigFields& fields, int pattern, DecoderConfig& c) {
  const int window =
      fields.integer({"sliding_window", "attention.sliding_window"}, 0, kContextMax, 0);
  const Key list = {"layer_types", ""}, flags = {"", "attention.sliding_window_pattern"};
  const Key repeated = {"sliding_window_pattern", ""};
  const std::string letters = fields.is_text(repeated) ? fields.string(repeated) : "";  // "LLLG"
  const int every = letters.empty() ? fields.integer(repeated, 1, kLayersMax, pattern) : 0;
  for (int i = 0; i < c.layers; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const bool is_local = letters.empty()
                              ? every > 0 && (i + 1) % every != 0
                              : letters[at % letters.size()] == 'L' && i + 1 < c.layers;
    c.windows[at] = is_local ? window : 0;
  }
  const std::vector<std::string> types = fields.strings(list);
  const std::vector<bool> are_sliding = fields.is_gguf() ? fields.booleans(flags)
                                                         : std::vector<bool>();
  const std::size_t listed = types.size() + are_sliding.size();
  if (listed == 0) return;
  if (listed != c.windows.size()) {
    return fields.fail(error(StatusCode::kCorrupt, "{}: {} layers of {}",
                             fields.name_of(fields.is_gguf() ? flags : list), listed, c.layers));
  }
  for (std::size_t i = 0; i < c.windows.size(); ++i) {
    const bool is_sliding = types.empty() ? are_sliding[i] : types[i] == "sliding_attention";
    c.windows[i] = is_sliding ? window : 0;
    if (types.empty() || (is_sliding ? window > 0 : types[i] == "full_attention")) continue;
    return fields.fail(error(StatusCode::kUnsupported, "{}: '{}' where only '{}' fits",
                             fields.name_of(list), types[i].substr(0, 64),
                             window > 0 ? "sliding_attention' or 'full_attention"
                                        : "full_attention"));
  }
}

// transformers 4 means the scaling for the layers that see all.
void read_layer_ropes(const ConfigFields& fields, const RopeDefaults& defaults, DecoderConfig& c) {
  const RopePairs pairing = c.rope.pairing;
  const auto parameters = fields.object({"rope_parameters", ""});
  const bool is_by_layer = parameters && parameters->object("full_attention");
  if (!is_by_layer) {
    c.rope = read_rope(fields, c.head_dim, defaults);
    c.window_rope.theta = c.rope.theta;
    c.window_rope.dims = c.rope.dims;
  } else {
    fields.mark({"rope_theta", ""});  // the older spelling beside the newer one
    fields.mark({"rope_scaling", ""});
    c.rope.theta = c.window_rope.theta = static_cast<float>(defaults.theta);
    c.rope.original_context = static_cast<float>(c.context_max);
    read_rope_parameters(*parameters->object("full_attention"), c.head_dim, c.rope);
    if (const auto sliding = parameters->object("sliding_attention")) {
      read_rope_parameters(*sliding, c.head_dim, c.window_rope);
    }
  }
  c.rope.pairing = c.window_rope.pairing = pairing;
  c.context_max = std::max(c.context_max, c.rope.context());
}

void read_layer_experts(const ConfigFields& fields, const char* experts_name,
                        const char* ffn_name, DecoderConfig& c) {
  c.router.experts = fields.integer({experts_name, "expert_count"}, 1, kExpertsMax);
  c.router.used =
      fields.integer({"num_experts_per_tok", "expert_used_count"}, 1, c.router.experts);
  const Key own = {ffn_name, "expert_feed_forward_length"};
  c.expert_ffn = fields.integer(own, 1, kFfnMax, c.ffn);
  c.has_experts.assign(static_cast<std::size_t>(c.layers), true);
}

void check_groups(const ConfigFields& fields, const Router& router) {
  if (router.experts % router.groups == 0 &&
      router.used <= router.experts / router.groups * router.groups_kept) {
    return;
  }
  fields.fail(error(StatusCode::kCorrupt, "{} of {} experts from {} of {} groups", router.used,
                    router.experts, router.groups_kept, router.groups));
}

}  // namespace quire
