// Adapters as a Modelfile, a client or Ollama's store names them: a GGUF file, a folder as PEFT
// writes it (adapter_config.json and adapter_model.safetensors), or the .safetensors file of such a
// folder. They become files of the store. What an adapter does to weights is not known here; what
// looks like none is refused by its name.
// Any thread; blocks while it reads. Used by apps and serve, beside create.
#pragma once

#include <string>
#include <vector>

#include "store/local_store.h"

namespace quire::store {

// Copies the files into the blobs. The store is held.
Result<StoredAdapter> import_adapter(const LocalStore& store, const std::string& path);

// Of files whose blobs are there: those of one adapter, by the names that a client gave them, and
// perhaps other .json files, which are left out. kInvalidArgument: they are no adapter, or several.
Result<StoredAdapter> adapter_of_blobs(const LocalStore& store,
                                       const std::vector<StoredFile>& files);

// Whether a file says of itself that it is an adapter in GGUF's form.
bool is_gguf_adapter(const std::string& path);

}  // namespace quire::store
