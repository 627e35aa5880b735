// How tiny fixtures that are pooled look as GGUF files: the architecture's name, its keys as the
// converter of llama.cpp writes them, and why there is none where there is none. Facts of that
// converter, as in gguf_form. Plain values and pure functions. Used by gguf_form.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tiny_fixture.h"

namespace quire::testing {

struct EncoderGguf {
  std::string architecture;  // empty: there is no such file
  std::string why_none;
};
// REQUIRES: an encoder.
EncoderGguf encoder_gguf(const TinyFixture& fixture);

// Behind the architecture's name; beside what all files say.
struct EncoderKeys {
  std::vector<std::pair<std::string, std::uint32_t>> wholes;
  std::vector<std::pair<std::string, float>> reals;
  bool is_causal = false;
  int segments = 0;  // of the tokenizer
};
EncoderKeys encoder_keys(const TinyFixture& fixture);

}  // namespace quire::testing
