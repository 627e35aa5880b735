// ListedModel: what lists and /api/show say of a model, the same before it was loaded as after:
// of a model of the store, or of Ollama's, its size, age and digest are those of its manifest, and
// what it can do is read off its files. Files are read once for as long as they stay as they are,
// and their vocabularies, which takes far longer than the rest, only where one model is shown.
// Reads the disk: worker threads. Used by library.
#pragma once

#include <cstdint>
#include <string>

#include "serve/call.h"
#include "store/modelfile/model_dress.h"

namespace quire {

struct ListedModel {
  ModelInfo info;             // context_max 0: its files were not read
  store::ModelDress dress;    // what its Modelfile says; of one that is in memory, what it wears
  std::string chat_template;  // of its files; empty: none
  bool fills_gaps = false, thinks = false;
  Status problem;             // why it cannot be served
  bool is_listed = true;      // false: there is not even a manifest that can be read
};

enum class LookDepth : std::uint8_t { kHead, kVocabulary };

// kHead: `fills_gaps` as the template and the numbers of tokens in a file's head have it.
ListedModel listed_model(const DialectContext& context, const ModelRow& row,
                         LookDepth depth = LookDepth::kHead);

}  // namespace quire
