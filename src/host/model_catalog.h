// ModelCatalog: by which something on the disk becomes a model of ModelHost: a name of the local
// store or a path in, a recipe out. Nothing is fetched from a hub for it, and nothing is opened
// before the recipe is. Implemented by apps, which know how files become models; where there is
// none, models are those that the process began with.
// Any thread. Used by serve's dialects and by host/repository.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/batching.h"
#include "host/model_host.h"

namespace quire {

class Tokenizer;

// How one model differs from what the operator said of all; 0 or empty: it does not.
struct ModelOverrides {
  std::uint32_t context_max = 0;  // positions of a sequence
  std::uint32_t rows_max = 0;     // sequences of a batch
  std::uint32_t tokens_max = 0;   // of a step
  std::uint32_t queue_max = 0;    // requests that wait
  std::uint32_t instances = 0;    // copies of it, each with a batch of its own
  DynamicBatching batching;       // none acts: nobody waits
  std::string kv_cache_dtype, kv_cache_memory, quantize;  // as the flags of those names
  std::string tokenizer, chat_template;                   // files
  std::string tool_call_parser, reasoning_parser;
  std::vector<std::string> adapters;  // files and folders, added to those that it has of itself
};

// What the files of a model say while nothing of it is loaded: of its info the card, what it can do
// and the positions that it would have.
struct ModelLook {
  ModelInfo info;
  std::string chat_template;  // empty: none
};

class ModelCatalog {
 public:
  virtual ~ModelCatalog() = default;

  // `source`: a name of the store, which goes first, or a path. `names`: what it is to be called,
  // its own name first; none: as the source. kNotFound: there is no such thing on the disk.
  // kInvalidArgument: an override makes no sense.
  virtual Result<ModelRecipe> recipe(const std::string& source, std::vector<std::string> names,
                                     const ModelOverrides& overrides) const = 0;

  // The words of such a model alone: nothing else of it comes into memory. `file`: a tokenizer
  // file, for a source that carries none; or empty. kNotFound: as above.
  virtual Result<std::shared_ptr<const Tokenizer>> tokenizer(const std::string& source,
                                                             const std::string&) const {
    return error(StatusCode::kUnsupported, "'{}' has no words here", source);
  }

  // Reads heads of files, some milliseconds. kNotFound: as above.
  virtual Result<ModelLook> look(const std::string& source) const {
    return error(StatusCode::kUnsupported, "'{}' has no files here", source);
  }

  virtual bool has(const std::string& name) const = 0;    // in the local store
  virtual std::vector<std::string> names() const = 0;     // of the local store

  // Whether a request may name whatever the store has: it is added to ModelHost then.
  virtual bool is_on_demand() const = 0;
};

}  // namespace quire
