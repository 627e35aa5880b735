// Mamba (Gu and Dao, 2023), Falcon-Mamba (TII, 2024: the same, with norms of steps, keys and
// queries that have no weights) and Mamba-2 (Dao and Gu, 2024): nothing but recurrent layers. In
// GGUF the first two are one architecture, and a key tells whether there are norms.
// Pure functions.
#include "formats/config/config_ranges.h"
#include "model/arch/hybrid_decoder.h"

namespace quire {
namespace {

constexpr int kContext = 1 << 20;  // their files know of no bound

HybridConfig read_common(const ConfigFields& fields, int vocab, Mixer mixer, bool is_tied) {
  HybridConfig c = read_hybrid(
      fields, vocab, {.eps_name = "layer_norm_epsilon", .is_tied = is_tied, .context = kContext});
  for (HybridLayer& layer : c.layers) layer = {false, mixer, FeedForward::kNone};
  fields.refuse_unless({"hidden_act", ""}, "silu");
  fields.mark({"residual_in_fp32", ""});  // as always here
  // Of a start, and of training.
  for (const char* name : {"time_step_scale", "time_step_init_scheme", "time_step_min",
                           "time_step_max", "time_step_floor", "use_mambapy",
                           "use_falcon_mambapy", "use_associative_scan"}) {
    fields.mark({name, ""});
  }
  fields.mark({"", "feed_forward_length"});  // there is no such block
  fields.mark({"", "attention.head_count"});
  fields.mark({"layer_types", ""});  // all of one kind
  c.names.stem = "backbone.";
  c.names.embed = "embeddings.weight";
  c.names.final_norm = "norm_f.weight";
  c.names.mixer_norm = "norm.weight";
  c.names.mixer = "mixer.";
  return c;
}

template <bool is_falcon>
HybridConfig read(const ConfigFields& fields, int vocab) {
  HybridConfig c = read_common(fields, vocab, Mixer::kMamba, true);
  read_mamba(fields, {.inner = "intermediate_size"}, c);
  const bool has_norms = fields.is_gguf() ? fields.boolean("ssm.dt_b_c_rms", false) : is_falcon;
  if (has_norms) c.inner_norm = Norm::Kind::kRms;
  c.has_inner_norm_weights = false;
  c.inner_eps = fields.is_gguf()
                    ? c.eps
                    : static_cast<float>(fields.number("mixer_rms_eps", kRmsEpsMin, kRmsEpsMax,
                                                       1e-6));
  // What another library calls the same.
  for (const char* name : {"d_inner", "d_model", "n_layer", "fused_add_norm", "rms_norm",
                           "pad_vocab_size_multiple", "ssm_cfg"}) {
    fields.mark({name, ""});
  }
  return c;
}

HybridConfig read_second(const ConfigFields& fields, int vocab) {
  HybridConfig c = read_common(fields, vocab, Mixer::kMamba2, false);
  read_mamba2(fields, {.heads = "num_heads", .head_dim = "head_dim", .groups = "n_groups",
                       .state = "state_size", .width = "conv_kernel", .expand = "expand",
                       .conv_bias = "use_conv_bias", .in_bias = "use_bias",
                       .out_bias = "use_bias", .chunk = "chunk_size"}, c);
  fields.mark({"time_step_rank", ""});  // of the first Mamba
  fields.mark({"norm_before_gate", ""});
  fields.mark({"intermediate_size", ""});  // as heads and their size say
  fields.mark({"rms_norm", ""});
  fields.refuse_false({"rms_norm", ""});
  read_step_limit(fields, c);
  return c;
}

}  // namespace

extern const Architecture kMamba;
constexpr Architecture kMamba = {
    "mamba",
    {"mamba"},
    {},
    kHybridDesign<read<false>>,
    {
     {"mamba-130m",
      R"({"hidden_size":768,"num_hidden_layers":24,"state_size":16,"conv_kernel":4,"expand":2,
"time_step_rank":48,"vocab_size":50280,"layer_norm_epsilon":1e-5})"},
     {"tiny-mamba",
      R"({"hidden_size":160,"num_hidden_layers":3,"state_size":12,"conv_kernel":4,"expand":2,
"time_step_rank":32,"vocab_size":517,"layer_norm_epsilon":1e-5,"max_position_embeddings":2048})"},
    }};

extern const Architecture kFalconMamba;
constexpr Architecture kFalconMamba = {
    "falcon_mamba",
    {"falcon_mamba"},
    {},
    kHybridDesign<read<true>>,
    {
     {"tiny-falcon-mamba",
      R"({"hidden_size":160,"num_hidden_layers":3,"state_size":16,"conv_kernel":4,"expand":2,
"time_step_rank":32,"vocab_size":517,"layer_norm_epsilon":1e-5,"max_position_embeddings":2048})"},
    }};

extern const Architecture kMamba2;
constexpr Architecture kMamba2 = {
    "mamba2",
    {"mamba2"},
    {},
    kHybridDesign<read_second>,
    {
     {"mamba2-130m",
      R"({"hidden_size":768,"num_hidden_layers":24,"num_heads":24,"head_dim":64,"state_size":128,
"n_groups":1,"conv_kernel":4,"expand":2,"vocab_size":50288,"layer_norm_epsilon":1e-5,
"tie_word_embeddings":true})"},
     {"tiny-mamba2",
      R"({"hidden_size":192,"num_hidden_layers":3,"num_heads":12,"head_dim":32,"state_size":40,
"n_groups":2,"conv_kernel":4,"expand":2,"vocab_size":517,"layer_norm_epsilon":1e-5,
"max_position_embeddings":2048})"},
    }};

}  // namespace quire
