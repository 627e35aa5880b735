// Names as Ollama's clients write them, [host/][namespace/]model[:tag], and the models of this
// server that they mean: the tag "latest" may be said or not, letters are the same in both cases,
// the registry's own host and namespace add nothing, and "hf.co/OWNER/NAME:CHOICE" is what
// our store calls hf:OWNER/NAME:CHOICE. Lists that have "smollm2:latest" are read by programs that
// ask with other protocols, too.
// Pure; any thread. Used by model_lease and the Ollama dialect.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/model_host.h"

namespace quire {

struct ModelSource;  // intake/model_lease.h

struct OllamaName {
  std::string host, space, model, tag;  // without what is meant anyway: empty
};

// Nothing: no model can be called so.
std::optional<OllamaName> parse_ollama_name(std::string_view text);

// As lists show it: "smollm2:latest", "hf.co/owner/name:Q8_0".
std::string shown_name(std::string_view name);

// Whether two names mean one model.
bool is_same_model(std::string_view a, std::string_view b);

// The host's own name of the model that a client means: that very name, or one that means the same;
// nothing: it has none.
std::optional<std::string> served_name(const ModelHost& host, std::string_view name);

// The same of the store, too, where whatever it has is served on demand; what was written, where
// nothing is meant. Reads the store.
std::string meant_model(const ModelSource& source, std::string_view written);

}  // namespace quire
