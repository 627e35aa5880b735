// Answers of models without an engine in the response cache (kept_answer has the rest): tokenizers
// and expressions are functions of what they are asked; an ensemble's answer depends on which
// models its steps mean, too, so that it begins anew when one of them is another.
// Any thread. Used by light_call and ensemble_run.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "host/repository/ensemble/light_model.h"
#include "serve/dialects/kserve/inference/kept_answer.h"

namespace quire {

// Nothing: its config does not ask for it, or the server has no cache.
std::optional<CacheQuestion> light_cache_question(const DialectContext& context,
                                                  const std::shared_ptr<const LightModel>& model,
                                                  const InferRequest& request,
                                                  const InferTerms& terms);

// Of an ensemble: who answers for its steps now, and for theirs, and since which load: its files
// may be others by then. Empty: it has none.
std::string steps_fingerprint(const House& house, const LightModel& model);

}  // namespace quire
