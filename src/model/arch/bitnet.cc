// BitNet b1.58 (Ma et al., 2024; Microsoft's models of 2025): a Llama with squared ReLU, a norm of
// what attention gives and one of what a block's gate gives, each before the way back. Published
// files have float weights or packed ternary ones (formats/quant/integers/bitnet). GGUF means SiLU
// where it names no other activation. The row is kBitNet.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

DecoderConfig read(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.activation = "relu2",
                                                 .rope = {.theta = 500000}});
  c.has_inner_norms = true;
  if (!fields.is_gguf()) return c;
  const std::string name = fields.string("hidden_act", "silu");
  const auto activation = find_activation(name);
  c.activation = activation.value_or(Activation::kSilu);
  if (!activation) {
    fields.fail(error(StatusCode::kUnsupported, "{}: '{}' is not supported",
                      fields.name_of("hidden_act"), name.substr(0, 64)));
  }
  return c;
}

}  // namespace

extern const Architecture kBitNet;
constexpr Architecture kBitNet = {
    "bitnet",
    {"bitnet"},
    {},
    kDecoderDesign<read>,
    {
     {"tiny-bitnet",
      R"({"hidden_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":160,"vocab_size":331,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

}  // namespace quire
