// What the configurations of hybrid decoders have in common, from config.json or GGUF.
// Pure functions. Called by the readers of the architectures.
#include <algorithm>

#include "formats/config/config_ranges.h"
#include "model/arch/hybrid_decoder.h"
#include "model/layers/config_checks.h"

namespace quire {

HybridConfig read_hybrid(const ConfigFields& fields, int vocab, const HybridDefaults& defaults) {
  const auto default_of = [](int value) {
    return value > 0 ? std::optional<int>(value) : std::nullopt;
  };
  HybridConfig c;
  c.vocab = vocab;
  c.layers.resize(static_cast<std::size_t>(fields.integer(
      {"num_hidden_layers", "block_count"}, 1, kLayersMax, default_of(defaults.layers))));
  c.d_model = fields.integer({"hidden_size", "embedding_length"}, 1, kModelWidthMax);
  c.context_max = fields.integer({"max_position_embeddings", "context_length"}, 1, kContextMax,
                                 default_of(defaults.context));
  c.eps = static_cast<float>(fields.number({defaults.eps_name, "attention.layer_norm_rms_epsilon"},
                                           kRmsEpsMin, kRmsEpsMax, defaults.eps));
  const bool has_head = fields.tensor({"lm_head.weight", "output.weight"}) != nullptr;
  c.has_tied_head = fields.boolean({"tie_word_embeddings", ""},
                                   fields.is_gguf() ? !has_head : defaults.is_tied);
  return c;
}

std::vector<bool> read_hybrid_heads(const ConfigFields& fields, HybridConfig& c) {
  std::vector<bool> attends;
  c.heads = fields.integer({"num_attention_heads", "attention.head_count"}, 1, kHeadsMax);
  const Key kv_heads = {"num_key_value_heads", "attention.head_count_kv"};
  if (fields.is_gguf()) {
    const auto layers = static_cast<int>(c.layers.size());
    for (const int heads : fields.integers_per_layer(kv_heads, layers, 0, kHeadsMax)) {
      attends.push_back(heads > 0);
      c.kv_heads = std::max(c.kv_heads, heads);
    }
  } else {
    c.kv_heads = fields.integer(kv_heads, 1, kHeadsMax, c.heads);
  }
  if (c.kv_heads == 0) c.kv_heads = c.heads;
  c.head_dim = fields.integer({"head_dim", "attention.key_length"}, 2, kHeadDimMax,
                              std::max(2, c.d_model / c.heads));
  fields.refuse_unless({"", "attention.value_length"}, c.head_dim);
  check_heads(fields, c.heads, c.kv_heads, c.head_dim);
  return attends;
}

std::vector<bool> read_layer_words(const ConfigFields& fields, const char* key, int layers,
                                   std::initializer_list<std::string_view> words,
                                   std::initializer_list<std::string_view> known) {
  std::vector<bool> are_so;
  const auto is_in = [](std::initializer_list<std::string_view> list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
  };
  const std::vector<std::string> types = fields.strings({key, ""});
  for (const std::string& type : types) {
    are_so.push_back(is_in(words, type));
    if (are_so.back() || is_in(known, type)) continue;
    fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported",
                      fields.name_of({key, ""}), type.substr(0, 64)));
  }
  if (types.empty() || types.size() == static_cast<std::size_t>(layers)) return are_so;
  fields.fail(error(StatusCode::kCorrupt, "{}: {} layers of {}", fields.name_of({key, ""}),
                    types.size(), layers));
  are_so.resize(static_cast<std::size_t>(layers));
  return are_so;
}

// --- mixers ---

void read_mamba2(const ConfigFields& fields, const Mamba2Keys& keys, HybridConfig& c) {
  Mamba2Shape& m = c.mamba2;
  m.heads = fields.integer({keys.heads, "ssm.time_step_rank"}, 1, kHeadsMax);
  m.groups = fields.integer({keys.groups, "ssm.group_count"}, 1, kHeadsMax, 1);
  m.state = fields.integer({keys.state, "ssm.state_size"}, 1, kHeadDimMax);
  m.width = fields.integer({keys.width, "ssm.conv_kernel"}, 2, kConvWidthMax);
  const Key said = {keys.inner, "ssm.inner_size"}, expand = {keys.expand, ""};
  fields.mark(expand);
  int inner = c.d_model * 2;
  if (fields.has(said) || fields.is_gguf()) {
    inner = fields.integer(said, 1, kHeadsWidthMax);
  } else if (fields.has(expand)) {
    inner = c.d_model * fields.integer(expand, 1, 64);
  }
  const Key head_dim = {keys.head_dim, ""};
  const bool is_auto = fields.is_text(head_dim);
  if (is_auto) fields.refuse_unless(head_dim, "auto");
  m.head_dim = inner / m.heads;
  if (!is_auto && fields.has(head_dim)) m.head_dim = fields.integer(head_dim, 1, kHeadDimMax);
  if ((m.inner() != inner && !keys.is_free) || m.heads % m.groups != 0 || m.head_dim == 0 ||
      m.inner() > kHeadsWidthMax) {
    fields.fail(error(StatusCode::kCorrupt, "{} state heads of {} in {} groups for {} channels",
                      m.heads, m.head_dim, m.groups, inner));
    m.heads = m.groups = m.head_dim = 1;
  }
  c.has_conv_bias = fields.boolean({keys.conv_bias, ""}, true);
  c.has_in_bias = fields.boolean({keys.in_bias, ""}, false);
  c.has_out_bias = fields.boolean({keys.out_bias, ""}, false);
  fields.mark({keys.chunk, ""});  // how another program cuts the recurrence
}

void read_step_limit(const ConfigFields& fields, HybridConfig& c) {
  constexpr double kUnbounded = std::numeric_limits<double>::infinity();
  const Key key = {"time_step_limit", ""};
  const std::vector<double> bounds = fields.numbers(key, 0, kUnbounded);
  if (bounds.empty()) return;
  if (bounds.size() != 2 || bounds[0] > bounds[1]) {
    return fields.fail(error(StatusCode::kCorrupt, "{}: not two bounds", fields.name_of(key)));
  }
  c.step_min = static_cast<float>(bounds[0]);
  c.step_max = static_cast<float>(bounds[1]);
}

void read_mamba(const ConfigFields& fields, const MambaKeys& keys, HybridConfig& c) {
  MambaShape& m = c.mamba;
  m.rows = fields.integer({keys.state, "ssm.state_size"}, 1, kHeadDimMax, 16);
  m.width = fields.integer({keys.width, "ssm.conv_kernel"}, 2, kConvWidthMax, 4);
  const Key inner = {keys.inner, "ssm.inner_size"};
  m.channels = c.d_model * fields.integer({keys.expand, ""}, 1, 64, 2);
  if (fields.is_gguf() || fields.has(inner)) m.channels = fields.integer(inner, 1, kHeadsWidthMax);
  const Key rank = {keys.rank, "ssm.time_step_rank"};
  const bool is_auto = fields.is_text(rank);
  if (is_auto) fields.refuse_unless(rank, "auto");
  m.rank = (c.d_model + 15) / 16;
  if (!is_auto) m.rank = fields.integer(rank, 1, kModelWidthMax, m.rank);
  c.has_conv_bias = fields.boolean({keys.conv_bias, ""}, true);
  c.has_in_bias = c.has_out_bias = fields.boolean({keys.bias, ""}, false);
}

}  // namespace quire
