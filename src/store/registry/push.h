// push_to_registry: a model of the store to a registry of Ollama's kind: its weights and what it
// wears as layers, what lists show of it as the config, then the manifest that names them. What the
// registry has already is not sent. Nothing of the store changes; while it lasts nothing of the
// store is collected.
// Blocks for as long as it takes. Any thread. Used by serve (/api/push) and apps (quire push).
#pragma once

#include <string>

#include "store/local_store.h"
#include "store/modelfile/ollama_registry.h"

namespace quire::store {

// What lists of a registry show of a model; empty: not known.
struct PushFacts {
  std::string family;        // "llama"
  std::string parameters;    // "134.5M"
  std::string quantization;  // "Q8_0"
};

struct RegistryPush {
  std::string name;          // in the store
  RegistryPull place;        // where it goes; its name is not read
  PushFacts facts;
  std::uint64_t part_bytes_min = 100'000'000, part_bytes_max = 1'000'000'000;
};

// Of limits for a push: a registry may be silent for minutes while it looks at what it got.
net::Limits push_limits();

// kNotFound: the store has no such model, or the registry no such repository. kUnsupported: the
// model is not of one GGUF file, or the registry does not let us.
Status push_to_registry(const LocalStore& store, const RegistryPush& wanted,
                        const net::Limits& limits, const PullProgress& progress);

}  // namespace quire::store
