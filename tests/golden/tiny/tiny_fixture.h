// TinyFixture: what transformers answers for a tiny model, as tools/golden wrote it to
// tests/golden/tiny/NAME.json: the configuration, names and shapes of the tensors, a prompt, and
// log-probabilities and greedy ids in float32. The weights are not in it: tiny_checkpoint makes
// them. Plain values; one thread. Used by golden tests.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/json.h"

namespace quire::testing {

struct GoldenTensor {
  std::string name;
  std::vector<std::size_t> shape;
  float mean = 0, scale = 0;
};

// A config.json, and prefixes by which the names of the tensors differ: the first that fits.
struct TinySpelling {
  Json config;
  std::vector<std::pair<std::string, std::string>> rename;
};

// A few whole rows of log-probabilities.
struct GoldenRow {
  std::size_t position = 0;
  std::vector<float> values;  // [vocab]
};

struct TinyFixture {
  std::string name;
  std::string kind;  // "decoder", "encoder_decoder" or "encoder"
  std::vector<TinySpelling> spellings;  // the first is the library's own
  std::uint64_t seed = 0;
  std::vector<GoldenTensor> tensors;
  std::vector<TokenId> prompt;  // what a decoder or an encoder reads

  // Of a decoder. The text is `decoded` then `greedy`; positions count from the text's begin.
  std::vector<TokenId> decoded;      // before the first greedy id: the prompt, or a start token
  std::vector<TokenId> greedy;
  std::vector<float> margins;        // [greedy] from the likeliest logit to the next
  std::vector<float> next_logprobs;  // [text - 1] of the token that follows
  std::vector<GoldenRow> rows;       // log-probabilities at a few positions

  // Of an encoder.
  std::vector<std::int32_t> token_types;                           // [prompt]
  std::vector<std::pair<std::string, std::vector<float>>> pooled;  // "cls", "mean", "last";
                                                                   // "logits" or "embedding"
  std::vector<std::pair<std::string, Json>> files;  // beside config.json, by their paths

  std::vector<TokenId> text() const;
  // What an encoder reads beside a decoder; else empty.
  std::vector<TokenId> encoder_input() const {
    return kind == "encoder_decoder" ? prompt : std::vector<TokenId>();
  }
};

// The names of the fixtures in the repository, sorted.
std::vector<std::string> tiny_names();

TinyFixture read_tiny(const std::string& name);

}  // namespace quire::testing
