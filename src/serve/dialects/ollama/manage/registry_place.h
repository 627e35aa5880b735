// Where a registry has, or is to have, the model of a name as Ollama's users write it, and what its
// lists show of a model.
// Pure; any thread. Used by transfers, push and by the command line.
#pragma once

#include <optional>
#include <string>

#include "host/hosted_model.h"
#include "store/registry/push.h"

namespace quire {

// Nothing: no model can be called so.
std::optional<store::RegistryPull> registry_place(const std::string& name, bool is_insecure);

// Why nothing can be pushed there, in Ollama's words where it has some; ok: it can.
Status check_pushable(const std::string& name, bool is_insecure);

store::PushFacts push_facts(const ModelCard& card);

}  // namespace quire
