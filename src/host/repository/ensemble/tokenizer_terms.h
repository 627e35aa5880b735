// The backend of tokenizers: a model of the repository that makes token ids of texts, or texts of
// ids, by the words of some model and without its weights. Which of both it does say the tensors of
// its config: a TYPE_STRING goes in and ids (TYPE_INT32 or TYPE_INT64, dims -1) come out, or the
// other way; beside the ids there may be how many they are (dims 1), since the texts of a batch are
// not all as long. Parameters: `model` or `tokenizer` names the words, `add_special_tokens`,
// `parse_special_tokens` (into ids), `skip_special_tokens` (into texts), `pad_id`.
// Immutable; any thread. Used by light_model; serve encodes and decodes by it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/status.h"
#include "host/model_catalog.h"
#include "host/repository/model_config.h"
#include "host/repository/version_folder.h"
#include "text/tokenizer.h"

namespace quire {

struct TokenizerTerms {
  std::shared_ptr<const Tokenizer> tokenizer;
  bool encodes = true;         // texts into ids; else ids into texts
  bool adds_special = true;    // those that stand around a text: BOS, EOS
  bool parses_special = true;  // "<|im_end|>" in a text becomes that token
  bool skips_special = true;   // in texts made of ids
  std::optional<TokenId> pad;  // behind the ids of shorter texts; none: they must be as long
  std::string text, ids;       // names of the tensors
  std::string length;          // empty: there is none
};

// kInvalidArgument names the field; kNotFound and others: why the words cannot be read.
Result<TokenizerTerms> read_tokenizer_terms(const ModelConfig& config, const VersionFolder& version,
                                            const ModelCatalog& catalog);

}  // namespace quire
