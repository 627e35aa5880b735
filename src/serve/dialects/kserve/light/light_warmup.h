// The first requests of a model without an engine, which nobody sent: what its config's
// `model_warmup` describes is computed before the model takes the names over. Each entry is one
// request, `count` times, its inputs `batch_size` times behind each other where there is a batch
// (else so many requests): zeros, numbers that look drawn and are always the same, or a file of the
// model's folder "warmup" as Triton has it (raw elements; of texts each with its length before it,
// or one text as it is). An entry with batch_size 0 is passed over, as Triton does.
// Bounds: kWarmupRunsMax requests of an entry, kWarmupBytesMax of an input.
// Reads files; any thread. Used by folder_repository, to whom it is given; of ensembles there are
// none.
#pragma once

#include <cstddef>
#include <string>

#include "base/status.h"
#include "host/repository/ensemble/light_model.h"

namespace quire {

inline constexpr std::size_t kWarmupRunsMax = 1000;
inline constexpr std::size_t kWarmupBytesMax = std::size_t{64} << 20;

// `folder`: of the model. An error names the entry and why it could not be answered.
Status warm_light_model(const LightModel& model, const std::string& folder);

}  // namespace quire
