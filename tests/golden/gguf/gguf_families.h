// Families that are another thing in GGUF than their config.json with other names: their keys, the
// values that such a file implies, and what becomes of their tensors. Facts of the converter of
// llama.cpp, as in gguf_form and gguf_tensors, which use this.
// Pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "gguf_keys.h"
#include "gguf_tensors.h"
#include "tiny_fixture.h"

namespace quire::testing {

bool is_family(std::string_view architecture);  // by its name in GGUF, one of those here

void add_family_keys(Keys& keys, std::string_view architecture, const TinyFixture& fixture);

// The values of what GGUF has no key for, as whoever reads such a file takes them.
void imply_family(std::string_view architecture, Json& config);

// What a tensor becomes, under names that gguf_name knows; experts may still wait for others.
std::vector<StoredTensor> family_tensors(const Json& config, std::string_view architecture,
                                         StoredTensor tensor);

// Tensors that stand in such a file and in no other.
std::vector<StoredTensor> family_extras(const Json& config, std::string_view architecture);

}  // namespace quire::testing
