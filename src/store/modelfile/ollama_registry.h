// Ollama's registry: a model by its manifest and layers over HTTP: the layers of weights become
// blobs of the store, fetched in ranges that a later call goes on with and checked against their
// checksums; those of text become what the model wears.
// Blocks for as long as it takes. Any thread. Used by serve (/api/pull).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "net/message.h"
#include "store/local_store.h"
#include "store/pull.h"

namespace quire::store {

struct RegistryPull {
  std::string name;          // as the store will call it
  std::string host = "registry.ollama.ai";
  std::string space = "library", model, tag = "latest";
  bool is_insecure = false;  // http, which is also taken for this machine's own addresses
};

// What happens: a status, and of a layer its checksum in hexadecimal digits and how far it is.
using PullProgress = std::function<void(std::string status, std::string hex, std::uint64_t total,
                                        std::uint64_t completed)>;

// kNotFound: the registry has no such model.
Result<Manifest> pull_from_registry(const LocalStore& store, const RegistryPull& wanted,
                                    const ModelCheck& check, const net::Limits& limits,
                                    const PullProgress& progress);

}  // namespace quire::store
