#include "apps/model_words.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "text/end_of_turn.h"

namespace quire {
namespace {

constexpr std::size_t kTemplateSizeMax = std::size_t{1} << 20;

void compile_template(const std::string& source, ModelWords& words) {
  if (source.empty()) return;
  auto compiled = ChatTemplate::compile(source);
  if (compiled.is_ok()) {
    words.chat_template = std::move(compiled).value();
    return;
  }
  words.chat_problem = compiled.status().message();
  words.warnings.push_back(fmt::format("this model cannot chat, only complete: {}",
                                       words.chat_problem));
}

// A ranker reads two texts as one.
void read_pairs(const ModelFacts& facts, const std::string& json, ModelWords& words) {
  if (!facts.can_pool || facts.pooled.labels != 1) return;
  const std::string& text = facts.words.pooled.pair_text;
  auto made = text.empty() ? PairTemplate::from_json(json)
                           : PairTemplate::from_text(text, *words.tokenizer);
  if (made.is_ok()) {
    words.pair_template = std::make_shared<const PairTemplate>(std::move(made).value());
  } else {
    words.warnings.push_back(
        fmt::format("this model cannot score pairs of texts: {}", made.status().message()));
  }
}

// A GGUF file has room for three ends, and often names the base model's alone. In a directory the
// lists of config.json and generation_config.json are meant; there a token counts that the template
// writes.
void collect_ends(const Words& config, int vocab, const std::string& source, ModelWords& words) {
  words.eos_ids = config.eos_ids;
  for (const TokenId id : config.is_of_gguf ? end_of_turn_ids(*words.tokenizer)
                                            : end_of_turn_ids(*words.tokenizer, source)) {
    const bool is_new =
        std::find(words.eos_ids.begin(), words.eos_ids.end(), id) == words.eos_ids.end();
    if (is_new && id < vocab) words.eos_ids.push_back(id);
  }
}

}  // namespace

Result<ModelWords> load_words(const ModelFiles& files, const std::string& template_path) {
  const Words& config = files.facts().words;
  ModelWords words;
  words.warnings = config.warnings;
  QUIRE_ASSIGN_OR_RETURN(const std::string json, files.tokenizer_json());
  QUIRE_ASSIGN_OR_RETURN(words.tokenizer, Tokenizer::from_json(json));
  std::string source = config.chat_template;
  if (!template_path.empty()) {
    QUIRE_ASSIGN_OR_RETURN(source, read_file(template_path, kTemplateSizeMax));
  }
  compile_template(source, words);
  read_pairs(files.facts(), json, words);
  words.chat = {.bos_text = config.bos_text,
                .eos_text = config.eos_text,
                .bos_id = config.bos_id,
                .adds_bos = config.is_of_gguf && config.add_bos};
  collect_ends(config, files.facts().vocab, source, words);
  return words;
}

}  // namespace quire
