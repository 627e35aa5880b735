#include "formats/words/word_files.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/json.h"

namespace quire {
namespace {

constexpr std::size_t kIdsMax = std::size_t{1} << 20;

struct BpeClass {
  std::string_view name;
  std::string_view pre;
  bool is_roberta = false;        // <s> A </s>, and </s> B </s>
  const char* specials[5] = {};   // where no file names them
};

constexpr BpeClass kBpeClasses[] = {
    {"GPT2Tokenizer", "gpt-2", false, {"<|endoftext|>"}},
    {"CodeGenTokenizer", "gpt-2", false, {"<|endoftext|>"}},
    {"RobertaTokenizer", "gpt-2", true, {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}},
    {"BartTokenizer", "gpt-2", true, {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}},
    {"Qwen2Tokenizer", "qwen2", false, {"<|endoftext|>"}},
    {"DebertaTokenizer", "gpt-2", false, {"[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"}},
};

constexpr std::string_view kListClasses[] = {"BertTokenizer", "DistilBertTokenizer",
                                             "ElectraTokenizer", "MobileBertTokenizer"};

// Tokens that the files of a class name as special or as added; new ones go to the end.
Status add_words(const ClassWords& words, GgufVocabulary& vocabulary) {
  const auto mark = [&](std::uint64_t id, bool is_special) {
    vocabulary.token_types[id] = static_cast<int>(is_special ? GgufTokenType::kControl
                                                             : GgufTokenType::kUserDefined);
  };
  for (const AddedWord& word : words.added()) {
    if (const auto known = id_of(vocabulary, word.text)) {
      if (*known == word.id) mark(*known, word.is_special);
      continue;
    }
    if (word.id != vocabulary.tokens.size()) {
      return error(StatusCode::kCorrupt, "added token '{}': id {}, but {} is the next one",
                   word.text.substr(0, 64), word.id, vocabulary.tokens.size());
    }
    vocabulary.tokens.push_back(word.text);
    vocabulary.token_types.push_back(0);
    mark(word.id, word.is_special);
  }
  for (const std::string& text : words.special_texts()) {
    if (const auto id = id_of(vocabulary, text)) mark(*id, true);
  }
  return ok_status();
}

std::string text_or(const std::string& text, const char* fallback) {
  return text.empty() ? fallback : text;
}

std::vector<std::string> lines_of(std::string_view file) {
  std::vector<std::string> lines;
  while (!file.empty()) {
    const std::size_t end = std::min(file.find('\n'), file.size());
    std::string_view line = file.substr(0, end);
    file.remove_prefix(std::min(end + 1, file.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
  }
  return lines;
}

Result<BpeClass> find_class(const std::string& name) {
  std::string known;
  for (const BpeClass& row : kBpeClasses) {
    if (row.name == name) return row;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  return error(StatusCode::kUnsupported,
               "tokenizer_class '{}' of a vocab.json is not known; known are {}",
               name.substr(0, 64), known);
}

void surround(const BpeClass& row, const ClassWords& words, GgufVocabulary& vocabulary) {
  vocabulary.bos = id_of(vocabulary, words.text("bos_token"));
  vocabulary.eos = id_of(vocabulary, words.text("eos_token"));
  Surroundings around;
  if (row.is_roberta) {
    const auto before = id_of(vocabulary, text_or(words.text("cls_token"), "<s>"));
    const auto after = id_of(vocabulary, text_or(words.text("sep_token"), "</s>"));
    if (before) around.before = {*before};
    if (after) around.after = around.between = {*after};
  } else if (row.name == "DebertaTokenizer") {  // as BERT: one [SEP] between two texts
    const auto before = id_of(vocabulary, text_or(words.text("cls_token"), "[CLS]"));
    const auto after = id_of(vocabulary, text_or(words.text("sep_token"), "[SEP]"));
    if (before) around.before = {*before};
    if (after) around.after = {*after};
  } else if (words.flag("add_bos_token", false) && vocabulary.bos) {
    around.before = {*vocabulary.bos};
  }
  vocabulary.around = std::move(around);
}

}  // namespace

Result<std::vector<std::string>> read_vocab_json(std::string_view vocab) {
  JsonLimits limits;
  limits.values_max = kIdsMax * 4;
  QUIRE_ASSIGN_OR_RETURN(const Json json, parse_json(vocab, limits));
  if (!json.is_object()) {
    return error(StatusCode::kCorrupt, "vocab.json is {}, not an object", kind_name(json.kind()));
  }
  std::vector<std::string> tokens;
  for (const auto& [text, id] : json.members()) {
    if (!id.is_int() || id.as_int() < 0 || id.as_uint() >= kIdsMax) {
      return error(StatusCode::kCorrupt, "'{}': {} is not an id below {}", text.substr(0, 64),
                   dump(id).substr(0, 64), kIdsMax);
    }
    const auto at = static_cast<std::size_t>(id.as_uint());
    if (tokens.size() <= at) tokens.resize(at + 1);
    if (!tokens[at].empty()) {
      return error(StatusCode::kCorrupt, "'{}': {} is the id of '{}' as well", text.substr(0, 64),
                   at, tokens[at].substr(0, 64));
    }
    tokens[at] = text;
  }
  return tokens;
}

Result<GgufVocabulary> read_vocab_and_merges(std::string_view vocab, std::string_view merges,
                                             const ClassWords& words) {
  QUIRE_ASSIGN_OR_RETURN(const BpeClass row, find_class(words.name()));
  GgufVocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = row.pre;
  QUIRE_ASSIGN_OR_RETURN(vocabulary.tokens, read_vocab_json(vocab));
  vocabulary.token_types.assign(vocabulary.tokens.size(),
                                static_cast<int>(GgufTokenType::kNormal));
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (!vocabulary.tokens[id].empty()) continue;
    return error(StatusCode::kCorrupt, "vocab.json: no token has the id {}", id);
  }
  for (std::string& line : lines_of(merges)) {
    if (line.empty() || line.starts_with("#version")) continue;
    vocabulary.merges.push_back(std::move(line));
  }
  for (const char* text : row.specials) {
    const auto id = text == nullptr ? std::nullopt : id_of(vocabulary, text);
    if (id) vocabulary.token_types[*id] = static_cast<int>(GgufTokenType::kControl);
  }
  QUIRE_RETURN_IF_ERROR(add_words(words, vocabulary));
  vocabulary.add_space_prefix = words.flag("add_prefix_space", false);
  surround(row, words, vocabulary);
  return vocabulary;
}

Result<GgufVocabulary> read_vocab_list(std::string_view list, const ClassWords& words) {
  const bool is_known = words.name().empty() ||
                        std::find(std::begin(kListClasses), std::end(kListClasses),
                                  words.name()) != std::end(kListClasses);
  if (!is_known) {
    return error(StatusCode::kUnsupported,
                 "tokenizer_class '{}' of a vocab.txt is not known; known is BertTokenizer",
                 words.name().substr(0, 64));
  }
  GgufVocabulary vocabulary;
  vocabulary.model = "bert";
  vocabulary.has_bert_names = true;
  vocabulary.tokens = lines_of(list);
  vocabulary.token_types.assign(vocabulary.tokens.size(),
                                static_cast<int>(GgufTokenType::kNormal));
  for (const char* text : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    const auto id = id_of(vocabulary, text);
    if (id) vocabulary.token_types[*id] = static_cast<int>(GgufTokenType::kControl);
  }
  QUIRE_RETURN_IF_ERROR(add_words(words, vocabulary));
  vocabulary.unknown = id_of(vocabulary, text_or(words.text("unk_token"), "[UNK]"));
  vocabulary.cls = id_of(vocabulary, text_or(words.text("cls_token"), "[CLS]"));
  vocabulary.separator = id_of(vocabulary, text_or(words.text("sep_token"), "[SEP]"));
  vocabulary.lowercases = words.flag("do_lower_case", true);
  vocabulary.splits_chinese = words.flag("tokenize_chinese_chars", true);
  if (words.has("strip_accents")) {
    vocabulary.strips_accents = words.flag("strip_accents", vocabulary.lowercases);
  }
  return vocabulary;
}

}  // namespace quire
