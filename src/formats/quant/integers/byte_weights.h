// int8 weights of writers other than those of codes_beside: EETQ, whose matrices are [in, out], and
// torchao, whose codes are parts of a tensor that was a class. Of torchao also 4 bits, two to a
// byte, with float zeros. What only one kind of accelerator reads is refused by its name.
// Pure functions; any thread. Rows of quant_methods.
#pragma once

#include "base/json.h"
#include "formats/quant/quantization.h"

namespace quire {

Result<Quantization> read_eetq(const Json& quantization_config);
Result<Quantization> read_torchao(const Json& quantization_config);

}  // namespace quire
