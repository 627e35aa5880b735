// OllamaStore: the models that Ollama has on this machine, read where they lie: manifests of layers
// under $OLLAMA_MODELS (or ~/.ollama/models) and blobs named by their checksums. Nothing in there
// is written, copied or locked; whatever is damaged is an error that names it.
// Any thread. Used by apps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/checksum.h"
#include "store/modelfile/model_dress.h"

namespace quire::store {

struct OllamaModel {
  std::string path;       // of the weights
  std::vector<std::string> adapters;  // likewise, in their order
  Checksum checksum;      // of the weights
  std::uint64_t bytes = 0;  // of all layers
  ModelDress dress;
};

// The layers of a manifest, whoever has it. `read` gets the text of a small layer.
struct OllamaLayer {
  std::string type;  // "model", "template": behind the vendor's prefix
  Checksum checksum;
  std::uint64_t size = 0;
};
inline constexpr std::size_t kOllamaManifestMax = std::size_t{1} << 20;  // bytes
Result<std::vector<OllamaLayer>> parse_ollama_manifest(std::string_view text);

// Adds what a layer that is a text says; nothing for one of weights.
Status take_ollama_layer(const OllamaLayer& layer, const std::string& text, ModelDress& dress);
bool is_text_layer(const OllamaLayer& layer);

// What a manifest says by itself, of a model that is there or is not.
struct OllamaListing {
  std::uint64_t bytes = 0;       // of all layers, and of what describes them
  std::int64_t modified_at = 0;  // seconds since 1970
  std::string digest;            // of the manifest, 64 hexadecimal digits
};

class OllamaStore {
 public:
  // Nothing: there is no such folder.
  static std::optional<OllamaStore> open();
  explicit OllamaStore(std::string folder) : folder_(std::move(folder)) {}

  // "model", "model:tag", "ns/model:tag", "host/ns/model:tag". kNotFound: it has none.
  Result<OllamaModel> find(const std::string& name) const;
  // Opens nothing but the manifest. kNotFound: as above; kCorrupt: it is none.
  Result<OllamaListing> listing(const std::string& name) const;
  std::vector<std::string> names() const;  // as find() takes them

 private:
  std::string folder_;
};

}  // namespace quire::store
