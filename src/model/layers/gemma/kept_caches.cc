#include "model/layers/gemma/kept_caches.h"

#include <algorithm>

#include <fmt/format.h>

namespace quire {

KeptCaches keep_caches(const std::vector<KeptLayer>& layers, int heads, int window) {
  KeptCaches caches;
  int group_of[2] = {-1, -1};  // by whether a layer has a window
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const KeptLayer& layer = layers[i];
    const auto keeper = static_cast<std::size_t>(layer.keeper);
    if (keeper != i) {
      caches.slots.push_back(caches.slots[keeper]);
      continue;
    }
    int& group_at = group_of[layer.is_local ? 1 : 0];
    if (group_at < 0) {
      group_at = static_cast<int>(caches.groups.size());
      GroupFacts& group = caches.groups.emplace_back();
      group.name = layer.is_local ? "window" : "all";
      group.window = layer.is_local ? window : 0;
      group.heads = heads;
      group.kv_heads = layer.kv_heads;
      group.k_width = group.v_width = layer.head_dim;
    }
    std::vector<int>& held = caches.groups[static_cast<std::size_t>(group_at)].layers;
    caches.slots.push_back({group_at, static_cast<int>(held.size())});
    held.push_back(static_cast<int>(i));
  }
  return caches;
}

Status load_normed_attention(WeightLoader& loader, const std::string& prefix, float eps,
                             Backend& backend, AttentionLayer& layer) {
  const Norm rms = {Norm::Kind::kRms, {}, {}, eps};
  layer.norm = layer.branch.norm = layer.q_rope.norm = layer.k_rope.norm = rms;
  layer.attend.scale = 1;
  QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, layer));
  layer.v_norm = rms;
  layer.v_norm.heads = layer.attend.kv_heads;
  const std::vector<float> ones(static_cast<std::size_t>(layer.attend.v_dim), 1.0f);
  layer.v_norm.weight = backend.vector(ones);
  return ok_status();
}

namespace {

// Of GGUF; empty: another kind of file, or one that says nothing.
std::vector<bool> read_local_flags(const ConfigFields& fields, int count) {
  const Key key = {"", "attention.sliding_window_pattern"};
  const std::vector<bool> flags = fields.booleans(key);
  if (!flags.empty() && flags.size() != static_cast<std::size_t>(count)) {
    fields.fail(error(StatusCode::kCorrupt, "{}: {} flags for {} layers", fields.name_of(key),
                      flags.size(), count));
  }
  return flags;
}

}  // namespace

void read_kept_kinds(const ConfigFields& fields, int count, int pattern,
                     std::vector<KeptLayer>& layers) {
  const Key key = {"layer_types", ""};
  const std::vector<std::string> types = fields.strings(key);
  if (!types.empty() && types.size() != static_cast<std::size_t>(count)) {
    fields.fail(error(StatusCode::kCorrupt, "{}: {} types for {} layers", fields.name_of(key),
                      types.size(), count));
  }
  const std::vector<bool> are_local = read_local_flags(fields, count);
  for (int i = 0; i < count; ++i) {
    KeptLayer& layer = layers.emplace_back();
    const auto at = static_cast<std::size_t>(i);
    if (at < are_local.size()) {
      layer.is_local = are_local[at];
      continue;
    }
    if (at >= types.size()) {
      layer.is_local = (i + 1) % pattern != 0;
      continue;
    }
    layer.is_local = types[at] == "sliding_attention";
    if (layer.is_local || types[at] == "full_attention") continue;
    fields.fail(error(StatusCode::kUnsupported,
                      "{}: '{}' is not supported, only sliding_attention and full_attention",
                      fields.name_of(key), types[at].substr(0, 64)));
  }
}

void read_keepers(const ConfigFields& fields, Key key, int shared,
                  std::vector<KeptLayer>& layers) {
  const int count = static_cast<int>(layers.size()), first = count - shared;
  int last[2] = {-1, -1};  // that keeps its own, by whether it has a window
  for (int i = 0; i < count; ++i) {
    KeptLayer& layer = layers[static_cast<std::size_t>(i)];
    int& of_kind = last[layer.is_local ? 1 : 0];
    if (i < first) of_kind = i;
    layer.keeper = of_kind;
    if (layer.keeper >= 0) continue;
    layer.keeper = i;
    fields.fail(error(StatusCode::kCorrupt, "{}: no layer before {} keeps what layer {} reads",
                      fields.name_of(key), first, i));
  }
}

void ignore_kept(int layer, TensorRules& rules) {
  for (const char* name : {"k_proj", "v_proj", "k_norm", "v_norm"}) {
    rules.ignore(fmt::format("model.layers.{}.self_attn.{}.*", layer, name));
  }
  for (const char* name : {"attn_k", "attn_v", "attn_k_norm"}) {
    rules.ignore(fmt::format("blk.{}.{}.weight", layer, name));
  }
}

std::string kept_text(const std::vector<KeptLayer>& layers) {
  int keeping = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    keeping += layers[i].keeper == static_cast<int>(i) ? 1 : 0;
  }
  return fmt::format("of {} of {} layers", keeping, layers.size());
}

std::string window_text(const std::vector<KeptLayer>& layers, int window) {
  const auto local = std::count_if(layers.begin(), layers.end(),
                                   [](const KeptLayer& layer) { return layer.is_local; });
  return fmt::format("{} in {} of {} layers", window, local, layers.size());
}

}  // namespace quire
