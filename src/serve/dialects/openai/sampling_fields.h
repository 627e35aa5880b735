// Sampling fields: how tokens are drawn and where an answer ends, as OpenAI and vLLM spell it:
// temperature to logit_bias, stops, allowed and bad words, loops.
// Pure; worker threads. Used by generation.
#pragma once

#include "host/hosted_model.h"
#include "serve/intake/fields.h"

namespace quire {

// `model` may be null: then ids are checked against nothing. Mistakes go to `fields`.
void read_sampling(Fields& fields, const HostedModel* model, SamplingParams& params);

// Once `logprobs` is read: tokens named by logprob_token_ids want them.
void need_logprobs(Fields& fields, const SamplingParams& params);

}  // namespace quire
