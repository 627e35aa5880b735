// Checkpoints of BitNet b1.58, as transformers writes and reads them: ternary weights, four to a
// byte, quarter by quarter of the rows, with one scale for a matrix (offline); or float weights
// that are rounded to ternary ones where they are read (online). They become tiles that keep the
// codes. Activations are asked to be int8 with one scale a token; they are int8 in groups of 32.
// Pure functions; any thread. A row of quant_methods.
#pragma once

#include "base/json.h"
#include "formats/quant/quantization.h"

namespace quire {

Result<Quantization> read_bitnet(const Json& quantization_config);

}  // namespace quire
