// Checks that configurations of several architectures share. Errors go to the fields, in sentences
// with the numbers.
// Pure functions; any thread. Called by the readers of model/arch.
#pragma once

#include <optional>
#include <string_view>

#include "backend/program.h"
#include "formats/config/fields.h"

namespace quire {

// Query heads share key-value heads evenly; a head has an even number of values; all of them
// together stay in range.
void check_heads(const ConfigFields& fields, int heads, int kv_heads, int head_dim);

// Heads share the width of the model evenly, where a file gives no size of a head.
void check_width(const ConfigFields& fields, Key heads_key, int heads, int width);

// Refuses a file of GGUF: nobody who writes such files has said how this one's would look.
void refuse_gguf(const ConfigFields& fields, std::string_view architecture);

// Every layer that layer_types lists is of this type, the only one that is computed.
void check_layer_types(const ConfigFields& fields, std::string_view wanted);

// Products of the heads of a latent read whole groups of 32 where GGUF's weights of that layer are
// quantized.
void check_latent_heads(const ConfigFields& fields, int layer, int head_dim, int rank);

// By the name that files use.
std::optional<Activation> find_activation(std::string_view name);

// The activation function that a config.json names; GGUF names none.
Activation read_activation(const ConfigFields& fields, const char* name,
                           const std::string& fallback);

}  // namespace quire
