// Checks that configurations of several architectures share. Errors go to the fields, in sentences
// with the numbers.
// Pure functions; any thread. Called by the readers of model/arch.
#pragma once

#include "formats/config/fields.h"

namespace quire {

// Query heads share key-value heads evenly; a head has an even number of values; all of them
// together stay in range.
void check_heads(const ConfigFields& fields, int heads, int kv_heads, int head_dim);

}  // namespace quire
