// GgufForm: how a tiny fixture looks as a GGUF file: its architecture's name there, its keys as the
// converter of llama.cpp writes them, and what of its configuration such a file cannot say. Where
// there is no form, it says why. Keys are facts of that converter, kept here apart from the readers
// under src/, which are tested by them. Plain values and pure functions. Used by gguf_test.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "tiny_fixture.h"

namespace quire::testing {

struct GgufForm {
  std::string architecture;  // general.architecture; empty: there is no such file
  std::string why_none;
  Json config;  // of Hugging Face, of the model that the file holds: what has no key is as implied
};

GgufForm gguf_form(const TinyFixture& fixture);

// A file of float32. REQUIRES: there is a form.
std::string gguf_bytes(const TinyFixture& fixture, const GgufForm& form);

}  // namespace quire::testing
