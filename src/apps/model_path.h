// find_model: from a MODEL argument to a path that can be opened: nothing (the default model), a
// name of the local store, a name of the hub (fetched if it is not here), a file or folder, or a
// name of Ollama's store, whose files are read where they lie. A
// name of the store goes before a file of the same name; ./NAME is always the file. What is
// mistyped gets a suggestion. Any thread; blocks while it fetches. Called by every command that
// takes a MODEL.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/adapter_choice.h"
#include "store/local_store.h"

namespace quire {

struct FoundModel {
  std::string path;
  std::optional<store::Manifest> manifest;  // of a model of the store
  store::ModelDress dress;                  // what a Modelfile says of it; mostly nothing
  std::vector<AdapterChoice> adapters;      // likewise
};

Result<FoundModel> find_model(const std::string& argument);

// What clients call it if the user names nothing: the name of a model of the store or the hub, of
// a file or folder its own. Fetches nothing.
std::string model_name(const std::string& argument);

// The local store, with the default model of an older version's set-up taken over.
Result<store::LocalStore> open_store();

// Whether it opens as a model that can be served: what a pull checks.
Status check_opens(const std::string& path, const std::vector<std::string>& adapters);

// `problem` with the name of the store that was probably meant, if it is about an unknown name.
Status with_suggestion(const store::LocalStore& store, const std::string& name,
                       const Status& problem);

}  // namespace quire
