// Checkpoints of HQQ, as transformers and the library itself write them to safetensors: of each
// module W_q, codes of 8, 4, 3, 2 or 1 bits, with scale, zero and numbers of their own that say the
// layout. Values are (code - zero) * scale. Groups run along the rows of a matrix (axis 1), and
// where they are whole blocks with whole zeros they become tiles that keep the codes; groups across
// rows (axis 0), and zeros that the search left between whole numbers, are held in BF16.
// Pure functions; any thread. A row of quant_methods.
#pragma once

#include "base/json.h"
#include "formats/quant/quantization.h"

namespace quire {

Result<Quantization> read_hqq(const Json& quantization_config);

}  // namespace quire
