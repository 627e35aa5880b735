// The protocol of Hugging Face's Text Generation Inference as a value: /generate and its kin, and
// the routes of OpenAI's protocol, which its users have too. /tokenize and /invocations are vLLM's
// paths as well: vLLM's dialect has the rows, and a body with `inputs` is answered as TGI does.
// A constant. Used by dialects/all.
#pragma once

#include "serve/route.h"

namespace quire {

extern const Dialect kTgiDialect;

}  // namespace quire
