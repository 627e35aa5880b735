// What the files of a model that makes vectors of texts say to whoever asks it for some: how long a
// text may be (sentence_bert_config.json), what stands before a question or a document
// (config_sentence_transformers.json), where a vector may be cut, and of a classifier the names of
// its labels and what is made of its scores (config.json).
// Pure functions of the directory; any thread. Used by hf_config.
#pragma once

#include <string>

#include "base/json.h"
#include "base/status.h"
#include "formats/words/words.h"

namespace quire {

// `config`: of config.json. `leaves_prompts_out`: its pooling does so, which we do not.
// Warnings go to `words`; errors name file and field.
Status read_sentence_words(const std::string& directory, const Json& config,
                           bool leaves_prompts_out, Words& words);

}  // namespace quire
