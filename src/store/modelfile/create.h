// create: a new model of the store: the files of another or of this machine, and what a Modelfile
// says beside them. Files of this machine are copied into the store's blobs and named by their
// checksums; what is there already takes no room again.
// Any thread; blocks while it reads. Used by apps (quire create) and serve (/api/create).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "store/local_store.h"
#include "store/modelfile/model_dress.h"
#include "store/modelfile/modelfile.h"
#include "store/modelfile/quantize.h"
#include "store/pull.h"

namespace quire::store {

// Where the weights come from.
struct Weights {
  std::vector<StoredFile> files;  // whose blobs are there
  ModelDress dress;               // what they wear already
  std::string source;             // for people
  std::vector<StoredAdapter> adapters;  // what is added to them, in this order
};

// Of a file (GGUF), or of a folder with safetensors and what belongs to them; quantized instead of
// copied where `how` is not null, which only GGUF files are. The store is held.
Result<Weights> import_weights(const LocalStore& store, const std::string& path,
                               const Quantization* how = nullptr);

// The same weights with fewer bits. The store is held.
Result<Weights> quantize_weights(const LocalStore& store, Weights weights,
                                 const Quantization& how);

// One file as a blob, under that name. The store is held.
Result<StoredFile> import_file(const LocalStore& store, const std::string& path,
                               const std::string& name);

// What `over` says in place of what `base` says: texts and turns replace, parameters are replaced
// one by one, licences are added.
ModelDress dress_over(const ModelDress& base, const ModelDress& over);

// Adds it, in place of what had that name. `check` is asked whether the files open; null: they are
// those of a model that is there. kInvalidArgument: more adapters than a model may have. The store
// is held.
Result<Manifest> create_model(const LocalStore& store, const std::string& name,
                              const Weights& weights, const ModelDress& over,
                              const ModelCheck& check);

// Whether the GGUF files among those names are one model at most, in one part or several.
bool is_one_gguf(const std::vector<std::string>& names);

// The name of the store for a name as Ollama's users write it: without a tag "latest".
std::string store_name_of(std::string_view name);

}  // namespace quire::store
