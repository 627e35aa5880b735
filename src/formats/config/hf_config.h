// What a Hugging Face directory says about its model: config.json (with a text model nested in it,
// if there is one), generation_config.json, tokenizer_config.json, chat_template.jinja, and
// modules.json (sentence_modules.h), which becomes a field of the root.
// Pure function of the directory; any thread. Used by checkpoint.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/config/fields.h"
#include "formats/words/words.h"

namespace quire {

struct HfConfig {
  std::shared_ptr<const Json> root;  // config.json
  // The text model inside, or null: its members stand before those of the root.
  const Json* text = nullptr;
  // Whether this is a model that also sees, in which the text model is a part.
  bool is_part() const { return text != nullptr || root->find("vision_config") != nullptr; }
  std::string name;
  std::string architecture;          // model_type of the text model
  std::vector<std::string> classes;  // `architectures`
  int vocab = 0;
  Words words;
  std::vector<std::string> dense_folders;  // of sentence-transformers, with weights of their own

  // The fields of the model; `tensor` finds those of the file.
  ConfigFields fields(std::function<const TensorView*(std::string_view)> tensor) const;
};

Result<HfConfig> read_hf_config(const std::string& directory);

// The fields of a config.json in memory, `text` before `root`.
ConfigFields config_fields(std::shared_ptr<const Json> root, const Json* text, Naming naming,
                     std::function<const TensorView*(std::string_view)> tensor);

}  // namespace quire
