// Decoders of which some layers know no positions. SmolLM3 (Hugging Face, 2025): a Llama with three
// layers that turn their heads and one that does not. EXAONE 4 (LG, 2025): norms of what the blocks
// add, norms of the heads, windows on three layers of four, and the others do not turn; without
// windows all turn. The rows are kSmolLm3 and kExaone4.
// Pure functions. Called by the registry.
#include "formats/config/config_ranges.h"
#include "model/arch/decoder.h"
#include "model/layers/config_checks.h"

namespace quire {
namespace {

DecoderConfig read_smollm3(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab, {.eps = 1e-6, .rope = {.theta = 2e6},
                                                 .is_woven_in_gguf = true});
  const int every = fields.integer({"no_rope_layer_interval", ""}, 1, kLayersMax, 4);
  const Key key = {"no_rope_layers", ""};
  const std::vector<int> turns = fields.integers(key, 0, 1);
  for (std::size_t i = 0; i < c.turns.size(); ++i) {
    c.turns[i] = i < turns.size() ? turns[i] != 0 : static_cast<int>(i + 1) % every != 0;
  }
  if (!turns.empty() && turns.size() < c.turns.size()) {
    fields.fail(error(StatusCode::kCorrupt, "{}: {} layers of {}", fields.name_of(key),
                      turns.size(), c.layers));
  }
  fields.refuse({"use_sliding_window", ""});
  for (const char* name : {"sliding_window", "max_window_layers"}) {
    fields.mark({name, ""});  // they mean something with the switch only
  }
  check_layer_types(fields, "full_attention");
  return c;
}

DecoderConfig read_exaone4(const ConfigFields& fields, int vocab) {
  DecoderConfig c = read_decoder(fields, vocab);
  c.has_norms_before = false;
  c.has_norms_after = true;
  c.head_norms = QueryNorms::kEach;
  const Key window = {"sliding_window", "attention.sliding_window"};
  const bool has_windows = fields.has(window);
  if (has_windows) {
    read_layer_windows(fields, 4, c);
  } else {
    for (const char* name : {"sliding_window_pattern", "layer_types"}) fields.mark({name, ""});
    fields.mark({"", "attention.sliding_window_pattern"});
  }
  for (std::size_t i = 0; i < c.turns.size(); ++i) c.turns[i] = !has_windows || c.windows[i] > 0;
  return c;
}

}  // namespace

extern const Architecture kSmolLm3;
constexpr Architecture kSmolLm3 = {
    "smollm3",
    {"smollm3"},
    {},
    kDecoderDesign<read_smollm3>,
    {
     {"tiny-smollm3",
      R"({"hidden_size":128,"num_hidden_layers":4,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":160,"vocab_size":331,"no_rope_layer_interval":2,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

extern const Architecture kExaone4;
constexpr Architecture kExaone4 = {
    "exaone4",
    {"exaone4"},
    {},
    kDecoderDesign<read_exaone4>,
    {
     {"tiny-exaone4",
      R"({"hidden_size":128,"num_hidden_layers":4,"num_attention_heads":4,
"num_key_value_heads":2,"intermediate_size":160,"vocab_size":331,"sliding_window":40,
"max_position_embeddings":2048,"tie_word_embeddings":false,"rope_theta":10000})"},
    }};

}  // namespace quire
