// GPT-J (Wang and Komatsuzaki, 2021) and CodeGen (Nijkamp et al., 2022): attention and MLP side by
// side over one norm, a part of each head that turns in adjacent pairs, biases in the MLP and the
// head alone. CodeGen's queries, values and keys are one matrix, cut for the four machines that it
// was trained on. The rows are kGptJ and kCodeGen.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/gpt2.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

constexpr std::size_t kMachines = 4;

void read_turns(const ConfigFields& fields, DecoderConfig& c) {
  const Key dims = {"rotary_dim", ""};
  c.rope.dims = c.window_rope.dims = fields.integer(dims, 2, kHeadDimMax, 64);
  if (c.rope.dims % 2 != 0 || c.rope.dims > c.head_dim) {
    fields.fail(error(StatusCode::kCorrupt, "{}: {} values of a head of {}", fields.name_of(dims),
                      c.rope.dims, c.head_dim));
  }
  for (const char* name : {"rotary", "scale_attn_weights"}) {
    if (!fields.boolean({name, ""}, true)) fields.refuse_unless({name, ""}, "true");
  }
}

DecoderConfig read(const ConfigFields& fields, int vocab) {
  refuse_gguf(fields, "gptj");
  DecoderConfig c = read_decoder(fields, vocab, {.keys = kGptKeys, .sizes = {.ffn_widths = 4},
                                                 .eps_name = "layer_norm_epsilon",
                                                 .norm = Norm::Kind::kLayer,
                                                 .activation_name = "activation_function",
                                                 .activation = "gelu_new",
                                                 .is_interleaved = true, .is_tied = false,
                                                 .has_own_rope = true, .has_own_biases = true});
  c.is_parallel = true;
  c.is_gated = false;
  c.has_norm_biases = c.has_mlp_bias = c.has_head_bias = true;
  read_turns(fields, c);
  fields.mark({"n_ctx", ""});  // the context once more
  set_gpt_names(c.names);
  c.names.prefix = "";
  c.names.q = "attn.q_proj";
  c.names.k = "attn.k_proj";
  c.names.v = "attn.v_proj";
  c.names.o = "attn.out_proj";
  c.names.mlp_up = "mlp.fc_in";
  c.names.mlp_down = "mlp.fc_out";
  // Masks and angles.
  c.names.implied = {"*.attn.bias", "*.attn.masked_bias", "*.attn.causal_mask",
                     "*.attn.embed_positions"};
  return c;
}

DecoderConfig read_codegen(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read(fields, vocab);
  if (c.heads % static_cast<int>(kMachines) != 0) {
    fields.fail(error(StatusCode::kUnsupported, "{}: {} heads for the {} parts of a matrix",
                      fields.name_of({"n_head", ""}), c.heads, kMachines));
  }
  const std::size_t q = static_cast<std::size_t>(c.heads) * static_cast<std::size_t>(c.head_dim);
  const std::size_t part = q / kMachines;
  std::size_t at = 0;
  for (Stored* one : {&c.names.q, &c.names.v, &c.names.k}) {
    *one = Stored("attn.qkv_proj").runs(at, part, 3 * part, 3 * q);
    at += part;
  }
  return c;
}

}  // namespace

extern const Architecture kGptJ;
constexpr Architecture kGptJ = {
    "gptj",
    {"gptj"},
    {},
    kDecoderDesign<read>,
    {
     {"gpt-j-6b",
      R"({"n_embd":4096,"n_layer":28,"n_head":16,"n_positions":2048,"vocab_size":50400})"},
     {"tiny-gptj",
      R"({"n_embd":96,"n_layer":2,"n_head":6,"n_positions":2048,"rotary_dim":8,
"vocab_size":331})"},
    }};

extern const Architecture kCodeGen;
constexpr Architecture kCodeGen = {
    "codegen",
    {"codegen"},
    {},
    kDecoderDesign<read_codegen>,
    {
     {"codegen-350m",
      R"({"n_embd":1024,"n_layer":20,"n_head":16,"n_positions":2048,"rotary_dim":32,
"vocab_size":51200})"},
     {"tiny-codegen",
      R"({"n_embd":96,"n_layer":2,"n_head":4,"n_positions":2048,"rotary_dim":8,
"vocab_size":331})"},
    }};

}  // namespace quire
