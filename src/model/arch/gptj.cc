// GPT-J (Wang and Komatsuzaki, 2021) and CodeGen (Nijkamp et al., 2022): attention and MLP side by
// side over one norm, a part of each head that turns in adjacent pairs, biases in the MLP and the
// head alone. CodeGen's queries, values and keys are one matrix, cut for the four machines that it
// was trained on. The rows are kGptJ and kCodeGen. Pure functions over PlainDecoder.
#include "formats/config/config_ranges.h"
#include "model/arch/plain_decoder.h"

namespace quire {
namespace {

constexpr std::size_t kMachines = 4;

PlainConfig read(const ConfigFields& fields, int vocab) {
  refuse_gguf(fields, "gptj");
  PlainConfig c = read_plain(fields, vocab,
                             {.layers = "n_layer", .d_model = "n_embd", .ffn = "n_inner",
                              .heads = "n_head", .kv_heads = nullptr, .context = "n_positions",
                              .eps = {"layer_norm_epsilon", ""},
                              .activation = "activation_function"});
  c.blocks = PlainConfig::Blocks::kBeside;
  c.has_mlp_bias = c.has_head_bias = true;
  c.has_tied_head = read_tied(fields, false);
  RopeConfig rope;
  rope.pairing = RopePairs::kAdjacent;
  const Key dims = {"rotary_dim", ""};
  rope.dims = fields.integer(dims, 2, kHeadDimMax, 64);
  if (rope.dims % 2 != 0 || rope.dims > c.head_dim) {
    fields.fail(error(StatusCode::kCorrupt, "{}: {} values of a head of {}", fields.name_of(dims),
                      rope.dims, c.head_dim));
  }
  c.rope = rope;
  if (!fields.boolean({"rotary", ""}, true)) fields.refuse_unless({"rotary", ""}, "true");
  if (!fields.boolean({"scale_attn_weights", ""}, true)) {
    fields.refuse_unless({"scale_attn_weights", ""}, "true");
  }
  fields.mark({"n_ctx", ""});  // the context once more
  return c;
}

PlainConfig read_codegen(const ConfigFields& fields, int vocab) {
  PlainConfig c = read(fields, vocab);
  if (c.heads % static_cast<int>(kMachines) != 0) {
    fields.fail(error(StatusCode::kUnsupported, "{}: {} heads for the {} parts of a matrix",
                      fields.name_of({"n_head", ""}), c.heads, kMachines));
  }
  return c;
}

PlainNames common_names() {
  PlainNames names;
  names.table = "transformer.wte";
  names.final_norm = "transformer.ln_f";
  names.head = "lm_head";
  names.layer = "transformer.h.{}.";
  names.attn_norm = "ln_1";
  names.o = "attn.out_proj";
  names.up = "mlp.fc_in";
  names.down = "mlp.fc_out";
  // Masks and angles.
  names.implied = {"*.attn.bias", "*.attn.masked_bias", "*.attn.causal_mask",
                   "*.attn.embed_positions"};
  return names;
}

TensorRules tensors(const PlainConfig& c) {
  PlainNames names = common_names();
  names.q = "attn.q_proj";
  names.k = "attn.k_proj";
  names.v = "attn.v_proj";
  return plain_tensors(c, names);
}

TensorRules tensors_of_codegen(const PlainConfig& c) {
  PlainNames names = common_names();
  const std::size_t part = c.q() / kMachines;
  std::size_t at = 0;
  for (Stored* one : {&names.q, &names.v, &names.k}) {
    *one = Stored("attn.qkv_proj").runs(at, part, 3 * part, 3 * c.q());
    at += part;
  }
  return plain_tensors(c, names);
}

}  // namespace

extern const Architecture kGptJ;
constexpr Architecture kGptJ = {
    "gptj",
    {"gptj"},
    {},
    design_of<read, tensors, plain_facts, PlainDecoder>,
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
    design_of<read_codegen, tensors_of_codegen, plain_facts, PlainDecoder>,
    {
     {"codegen-350m",
      R"({"n_embd":1024,"n_layer":20,"n_head":16,"n_positions":2048,"rotary_dim":32,
"vocab_size":51200})"},
     {"tiny-codegen",
      R"({"n_embd":96,"n_layer":2,"n_head":4,"n_positions":2048,"rotary_dim":8,
"vocab_size":331})"},
    }};

}  // namespace quire
