// Token ids to logits: `input_ids` [batch, tokens] is answered with `logits` [batch, tokens,
// vocabulary], FP32: for each position the raw row that the engine computed behind it, bit for bit,
// as it would draw the next token from. What such answers hold at once is bounded, in bytes, for
// one of them and for all; beyond, a request is refused.
// Worker threads; the answer on the I/O thread, but for the copying of its end. Used by infer_call.
#pragma once

#include <memory>

#include "serve/dialects/kserve/inference/infer_call.h"

namespace quire {

inline constexpr std::size_t kLogitsBytesMax = std::size_t{256} << 20;     // of one answer
inline constexpr std::size_t kLogitsHeldMax = std::size_t{512} << 20;      // of all that are made

Parsed<Call> make_logits_call(const DialectContext& context, const ModelLease& model,
                              InferRequest request, std::unique_ptr<InferFormat> format);

}  // namespace quire
