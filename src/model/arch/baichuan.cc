// Baichuan 1 and 2 (Yang et al., 2023): a Llama whose queries, keys and values are one matrix. The
// models of 13B parameters do not turn their heads but have linear biases. Of the second
// generation's head only the directions of the rows count; its files say what weighed a loss of
// theirs. GGUF says neither: a model of 40 layers has biases, and a head is as it is. The row is
// kBaichuan.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"

namespace quire {
namespace {

void scale_head(const DecoderConfig& /*config*/, TensorRules& rules) {
  rule_of(rules, "head").hf.convert = Convert::kUnitRows;
}

DecoderConfig read(const ConfigFields& fields, int vocab) {
  constexpr int kLayersOfLarge = 40;
  // The larger ones say their context so.
  const bool is_large = fields.is_gguf()
                            ? fields.integer("block_count", 1, kLayersMax) == kLayersOfLarge
                            : fields.has({"model_max_length", ""}) &&
                                  !fields.has({"max_position_embeddings", ""});
  DecoderConfig c = read_decoder(
      fields, vocab,
      {.keys = {.context = is_large ? "model_max_length" : "max_position_embeddings"},
       .eps = 1e-6, .is_woven_in_gguf = true, .is_tied = false, .has_rope = !is_large});
  if (is_large) {
    c.slopes = alibi_slopes(c.heads);
    fields.mark({"", "rope.dimension_count"});  // in every file
  }
  fuse_heads("self_attn.W_pack", c);
  const Key of_second = {"z_loss_weight", ""};
  fields.mark(of_second);
  if (fields.has_name(of_second)) c.rename = scale_head;
  return c;
}

}  // namespace

extern const Architecture kBaichuan;
constexpr Architecture kBaichuan = {
    "baichuan",
    {"baichuan"},
    {"BaichuanForCausalLM", "BaiChuanForCausalLM"},
    kDecoderDesign<read>,
    {
     {"tiny-baichuan",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,"intermediate_size":160,
"max_position_embeddings":2048,"vocab_size":331})"},
     {"tiny-baichuan-biases",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,"intermediate_size":160,
"model_max_length":2048,"vocab_size":331})"},
    }};

}  // namespace quire
