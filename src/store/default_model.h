// The default model: one entry of the store, "smollm2": SmolLM2-135M-Instruct (Apache-2.0), a row
// of packaged_model. A file that tools/fetch_model.sh of older versions left in models/smollm2 is
// taken over without a network.
// Any thread. Called by pull and, through it, by every command without a MODEL.
#pragma once

#include "store/local_store.h"

namespace quire::store {

inline constexpr const char* kDefaultModelEntry = "smollm2";              // in the store
inline constexpr const char* kDefaultModelName = "SmolLM2-135M-Instruct";  // as clients know it

// Takes over the file of an older version, if there is one and it is whole.
Result<Manifest> adopt_default_model(const LocalStore& store);

}  // namespace quire::store
