// The recurrent families in GGUF: their keys and what becomes of their tensors when they are
// converted for llama.cpp. Facts of its converter, as in gguf_form and gguf_tensors, which use
// this.
// Pure functions.
#pragma once

#include <string_view>

#include "gguf_keys.h"
#include "gguf_tensors.h"

namespace quire::testing {

bool is_recurrent(std::string_view architecture);  // by its name in GGUF, one of those here
bool has_experts_of_nemotron(const Json& config);

void add_recurrent_keys(Keys& keys, std::string_view architecture);

// A tensor under a name that gguf_name knows.
StoredTensor recurrent_tensor(const Json& config, std::string_view architecture,
                              StoredTensor tensor);

}  // namespace quire::testing
