#include "formats/quantize/mixture.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string_view>

namespace quire {
namespace {

// What a tensor is in its layer, as far as types depend on it.
enum class Part : std::uint8_t { kHead, kValue, kKey, kFused, kOut, kDown, kLatent, kOther };

// Of the layers in which a part occurs.
enum class Layers : std::uint8_t {
  kAll,
  kFirstTwo,
  kFirstFour,
  kFirstSixteenth,
  kFirstEighth,
  kEdges,      // the first and the last eighth, and every third between them
  kIfGrouped,  // all, where four heads or more share a value
};

struct MixtureRow {
  std::string_view type;  // FileType::name
  Part part;
  Layers layers;
  DType dtype;
};

// The first row that fits decides.
constexpr MixtureRow kMixtures[] = {
    {"Q2_K", Part::kValue, Layers::kIfGrouped, DType::kQ4_K},
    {"Q2_K", Part::kValue, Layers::kAll, DType::kQ3_K},
    {"Q2_K", Part::kDown, Layers::kAll, DType::kQ3_K},
    {"Q2_K", Part::kOut, Layers::kAll, DType::kQ3_K},
    {"Q3_K_M", Part::kValue, Layers::kFirstTwo, DType::kQ5_K},
    {"Q3_K_M", Part::kValue, Layers::kAll, DType::kQ4_K},
    {"Q3_K_M", Part::kDown, Layers::kFirstSixteenth, DType::kQ5_K},
    {"Q3_K_M", Part::kDown, Layers::kAll, DType::kQ4_K},
    {"Q3_K_M", Part::kOut, Layers::kAll, DType::kQ4_K},
    {"Q3_K_M", Part::kFused, Layers::kAll, DType::kQ4_K},
    {"Q3_K_L", Part::kValue, Layers::kAll, DType::kQ5_K},
    {"Q3_K_L", Part::kDown, Layers::kAll, DType::kQ5_K},
    {"Q3_K_L", Part::kOut, Layers::kAll, DType::kQ5_K},
    {"Q3_K_L", Part::kFused, Layers::kAll, DType::kQ4_K},
    {"Q4_K_S", Part::kValue, Layers::kFirstFour, DType::kQ5_K},
    {"Q4_K_S", Part::kDown, Layers::kFirstEighth, DType::kQ5_K},
    {"Q4_K_M", Part::kValue, Layers::kEdges, DType::kQ6_K},
    {"Q4_K_M", Part::kDown, Layers::kEdges, DType::kQ6_K},
    {"Q4_K_M", Part::kFused, Layers::kAll, DType::kQ5_K},
    {"Q5_K_M", Part::kValue, Layers::kEdges, DType::kQ6_K},
    {"Q5_K_M", Part::kDown, Layers::kEdges, DType::kQ6_K},
    {"Q5_K_M", Part::kFused, Layers::kAll, DType::kQ6_K},
};

constexpr std::pair<std::string_view, Part> kParts[] = {
    {"attn_v.weight", Part::kValue},      {"attn_k.weight", Part::kKey},
    {"attn_qkv.weight", Part::kFused},    {"attn_output.weight", Part::kOut},
    {"ffn_down", Part::kDown},            {"attn_k_b.weight", Part::kLatent},
    {"attn_v_b.weight", Part::kLatent},   {"attn_kv_b.weight", Part::kLatent},
    {"attn_q_a.weight", Part::kLatent},   {"attn_q_b.weight", Part::kLatent},
    {"attn_kv_a_mqa.weight", Part::kLatent},
};

// Parts of names whose tensors stay as they are.
constexpr std::string_view kKept[] = {
    "_norm.weight", "ffn_gate_inp", "ssm_conv1d", "shortconv.conv.weight", "attn_rel_b.weight",
    "per_layer_token_embd", "per_layer_model_proj", "altup", "laurel", "time_mix_",
    "mm.", "rope_freqs", "attn_sinks"};
constexpr std::string_view kKeptNames[] = {"position_embd.weight", "token_types.weight"};

constexpr std::string_view kTable = "token_embd.weight", kHead = "output.weight";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

// "blk.12.attn_v.weight": 12.
std::optional<std::size_t> layer_of(std::string_view name) {
  constexpr std::string_view kLayer = "blk.";
  const std::size_t at = name.find(kLayer);
  if (at == name.npos) return std::nullopt;
  std::size_t layer = 0;
  const char* begin = name.data() + at + kLayer.size();
  const auto [end, problem] = std::from_chars(begin, name.data() + name.size(), layer);
  return problem == std::errc() ? std::optional(layer) : std::nullopt;
}

Part part_of(std::string_view name, bool has_head) {
  if (name == kHead || (!has_head && name == kTable)) return Part::kHead;
  for (const auto& [fragment, part] : kParts) {
    if (contains(name, fragment)) return part;
  }
  return Part::kOther;
}

// Where a tensor's layer stands among those that count for it.
struct Place {
  std::size_t index = 0, count = 0;
};

bool is_among(Layers layers, const Place& place, const MixtureFacts& facts) {
  const std::size_t i = place.index, n = place.count;
  switch (layers) {
    case Layers::kAll: return true;
    case Layers::kFirstTwo: return i < 2;
    case Layers::kFirstFour: return i < 4;
    case Layers::kFirstSixteenth: return i < n / 16;
    case Layers::kFirstEighth: return i < n / 8;
    case Layers::kEdges: return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
    case Layers::kIfGrouped: return facts.kv_heads > 0 && facts.heads >= 4 * facts.kv_heads;
  }
  return false;
}

DType wanted_type(const FileType& type, const MixtureFacts& facts, Part part, const Place& place,
                  std::size_t columns) {
  constexpr std::uint64_t kFewExperts = 8;  // of models whose attention is a small part of them
  const bool is_8bit = type.dtype == DType::kQ8_0;
  if (part == Part::kHead) {
    const bool fits = columns % dtype_info(type.dtype).block_elements == 0;
    return is_8bit || !fits ? DType::kQ8_0 : DType::kQ6_K;
  }
  if (part == Part::kLatent) return DType::kQ8_0;
  if (facts.experts == kFewExperts) {
    if (part == Part::kValue || part == Part::kKey) return DType::kQ8_0;
    const bool is_small = type.dtype == DType::kQ2_K || type.dtype == DType::kQ3_K ||
                          type.dtype == DType::kQ4_K;
    if (part == Part::kOut && is_small) {
      return type.name == "Q3_K_L" ? type.dtype : DType::kQ5_K;
    }
  }
  for (const MixtureRow& row : kMixtures) {
    const bool fits = row.type == type.name && row.part == part;
    if (fits && is_among(row.layers, place, facts)) return row.dtype;
  }
  return type.dtype;
}

// A type whose blocks divide the row.
DType fallback(DType dtype, std::size_t columns) {
  if (columns % dtype_info(dtype).block_elements == 0) return dtype;
  switch (dtype) {
    case DType::kQ2_K:
    case DType::kQ3_K: return fallback(DType::kIQ4_NL, columns);
    case DType::kQ4_K: return fallback(DType::kQ5_0, columns);
    case DType::kQ5_K: return fallback(DType::kQ5_1, columns);
    case DType::kQ6_K: return fallback(DType::kQ8_0, columns);
    default: return DType::kF16;
  }
}

}  // namespace

bool is_quantizable(const TensorView& tensor) {
  const std::string_view name = tensor.name;
  if (tensor.rows() < 2 || !name.ends_with("weight") || name.starts_with("v.")) return false;
  if (std::find(std::begin(kKeptNames), std::end(kKeptNames), name) != std::end(kKeptNames)) {
    return false;
  }
  return std::none_of(std::begin(kKept), std::end(kKept),
                      [&](std::string_view part) { return contains(name, part); });
}

std::vector<DType> mixed_types(const FileType& type, const MixtureFacts& facts,
                               std::span<const TensorView> tensors) {
  bool has_head = false;
  std::set<std::size_t> layers, value_layers;
  for (const TensorView& tensor : tensors) {
    has_head |= tensor.name == kHead;
    const auto layer = layer_of(tensor.name);
    if (!layer) continue;
    layers.insert(*layer);
    const Part part = part_of(tensor.name, true);
    if (part == Part::kValue || part == Part::kFused || contains(tensor.name, "attn_kv_b.weight")) {
      value_layers.insert(*layer);
    }
  }
  std::map<std::size_t, std::size_t> layer_index, value_index;  // by layer: how many are before it
  for (const std::size_t layer : layers) layer_index.emplace(layer, layer_index.size());
  for (const std::size_t layer : value_layers) value_index.emplace(layer, value_index.size());
  std::vector<DType> types;
  types.reserve(tensors.size());
  for (const TensorView& tensor : tensors) {
    if (!is_quantizable(tensor)) {
      types.push_back(tensor.dtype);
      continue;
    }
    if (type.is_float()) {
      types.push_back(type.dtype);
      continue;
    }
    const Part part = part_of(tensor.name, has_head);
    const auto layer = layer_of(tensor.name);
    Place place{.index = 0, .count = layers.size()};
    if (part == Part::kValue) {
      place = {layer ? value_index[*layer] : 0, value_layers.size()};
    } else if (layer) {
      place.index = layer_index[*layer];
    }
    const DType wanted = wanted_type(type, facts, part, place, tensor.columns());
    types.push_back(fallback(wanted, tensor.columns()));
  }
  return types;
}

}  // namespace quire
