#include "formats/words/piece_classes.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

#include "formats/words/word_files.h"

namespace quire {
namespace {

constexpr std::string_view kMbartLanguages =
    "ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT "
    "lv_LV my_MM ne_NP nl_XX ro_RO ru_RU si_LK tr_TR vi_VN zh_CN";
constexpr std::string_view kMbart50Languages =
    "af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF "
    "pt_XX sv_SE sw_KE ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI";
constexpr std::string_view kM2mLanguages =
    "af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu "
    "ha he hi hr ht hu hy id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr ms "
    "my ne nl no ns oc or pa pl ps pt ro ru sd si sk sl so sq sr ss su sv sw ta th tl tn tr uk ur "
    "uz vi wo xh yi yo zh zu";

std::vector<std::string> words_in(std::string_view list) {
  std::vector<std::string> words;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(' '), list.size());
    words.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return words;
}

void append(GgufVocabulary& vocabulary, std::string text, GgufTokenType type, float score = 0) {
  vocabulary.tokens.push_back(std::move(text));
  vocabulary.scores.push_back(score);
  vocabulary.token_types.push_back(static_cast<int>(type));
}

// Special tokens that the vocabulary does not have yet.
void append_new(GgufVocabulary& vocabulary, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    if (!text.empty() && !id_of(vocabulary, text)) {
      append(vocabulary, text, GgufTokenType::kControl);
    }
  }
}

// The pieces of the file from `skipped` on, behind special tokens.
GgufVocabulary renumbered(const GgufVocabulary& pieces, const std::vector<std::string>& first,
                          std::size_t skipped) {
  GgufVocabulary vocabulary = pieces;
  vocabulary.tokens.clear();
  vocabulary.scores.clear();
  vocabulary.token_types.clear();
  vocabulary.bos = vocabulary.eos = vocabulary.unknown = vocabulary.padding = std::nullopt;
  for (const std::string& text : first) append(vocabulary, text, GgufTokenType::kControl);
  for (std::size_t i = skipped; i < pieces.tokens.size(); ++i) {
    append(vocabulary, pieces.tokens[i], static_cast<GgufTokenType>(pieces.token_types[i]),
           pieces.scores[i]);
  }
  return vocabulary;
}

// A text of the ids before and after it; absent ones are left out.
Surroundings around(const GgufVocabulary& vocabulary, const std::vector<std::string>& before,
                    const std::vector<std::string>& after) {
  Surroundings all;
  for (const std::string& text : before) {
    if (const auto id = id_of(vocabulary, text)) all.before.push_back(*id);
  }
  for (const std::string& text : after) {
    if (const auto id = id_of(vocabulary, text)) all.after.push_back(*id);
  }
  return all;
}

// Ids of added tokens that a file lists, and their names: as they follow each other.
Status append_added(const ClassWords& words, GgufVocabulary& vocabulary) {
  for (const AddedWord& word : words.added()) {
    if (id_of(vocabulary, word.text)) continue;
    if (word.id != vocabulary.tokens.size()) {
      return error(StatusCode::kCorrupt, "added token '{}': id {}, but {} is the next one",
                   word.text.substr(0, 64), word.id, vocabulary.tokens.size());
    }
    append(vocabulary, word.text, GgufTokenType::kControl);
  }
  return ok_status();
}

// --- classes ---

using Follow = Result<GgufVocabulary> (*)(const GgufVocabulary& pieces, const ClassWords& words,
                                          std::string_view vocab);

Result<GgufVocabulary> like_t5(const GgufVocabulary& pieces, const ClassWords& words,
                               std::string_view) {
  GgufVocabulary vocabulary = pieces;
  const std::int64_t extra = std::clamp<std::int64_t>(words.number("extra_ids", 100), 0, 1000);
  QUIRE_RETURN_IF_ERROR(append_added(words, vocabulary));
  const bool has_extra = id_of(vocabulary, "<extra_id_0>").has_value();
  for (std::int64_t i = extra - 1; !has_extra && i >= 0; --i) {
    append(vocabulary, fmt::format("<extra_id_{}>", i), GgufTokenType::kControl);
  }
  vocabulary.around = around(vocabulary, {}, {"</s>"});
  return vocabulary;
}

// Of the library that XLM-R came from: its four tokens stand before the pieces.
GgufVocabulary like_fairseq(const GgufVocabulary& pieces) {
  GgufVocabulary vocabulary = renumbered(pieces, {"<s>", "<pad>", "</s>", "<unk>"}, 3);
  vocabulary.bos = 0;
  vocabulary.padding = 1;
  vocabulary.eos = 2;
  vocabulary.unknown = 3;
  return vocabulary;
}

Result<GgufVocabulary> like_xlm_roberta(const GgufVocabulary& pieces, const ClassWords&,
                                        std::string_view) {
  GgufVocabulary vocabulary = like_fairseq(pieces);
  append_new(vocabulary, {"<mask>"});
  vocabulary.around = around(vocabulary, {"<s>"}, {"</s>"});
  vocabulary.around->between = {2};
  return vocabulary;
}

GgufVocabulary with_languages(const GgufVocabulary& pieces, const ClassWords& words,
                              const std::vector<std::string>& languages) {
  GgufVocabulary vocabulary = like_fairseq(pieces);
  append_new(vocabulary, languages);
  append_new(vocabulary, {"<mask>"});
  append_new(vocabulary, words.more());
  return vocabulary;
}

std::string source_of(const ClassWords& words, const char* fallback) {
  const std::string source = words.text("src_lang");
  return source.empty() ? fallback : source;
}

Result<GgufVocabulary> like_mbart(const GgufVocabulary& pieces, const ClassWords& words,
                                  std::string_view) {
  GgufVocabulary vocabulary = with_languages(pieces, words, words_in(kMbartLanguages));
  vocabulary.around = around(vocabulary, {}, {"</s>", source_of(words, "en_XX")});
  return vocabulary;
}

Result<GgufVocabulary> like_mbart50(const GgufVocabulary& pieces, const ClassWords& words,
                                    std::string_view) {
  std::vector<std::string> languages = words_in(kMbartLanguages);
  for (std::string& language : words_in(kMbart50Languages)) {
    languages.push_back(std::move(language));
  }
  GgufVocabulary vocabulary = with_languages(pieces, words, languages);
  vocabulary.around = around(vocabulary, {source_of(words, "en_XX")}, {"</s>"});
  return vocabulary;
}

// Two hundred languages, which its files list.
Result<GgufVocabulary> like_nllb(const GgufVocabulary& pieces, const ClassWords& words,
                                 std::string_view) {
  GgufVocabulary vocabulary = like_fairseq(pieces);
  QUIRE_RETURN_IF_ERROR(append_added(words, vocabulary));
  append_new(vocabulary, words.more());
  append_new(vocabulary, {"<mask>"});
  const std::string source = source_of(words, "eng_Latn");
  if (!id_of(vocabulary, source)) {
    return error(StatusCode::kUnsupported,
                 "additional_special_tokens in special_tokens_map.json: '{}' is not among them",
                 source.substr(0, 64));
  }
  vocabulary.around = around(vocabulary, {source}, {"</s>"});
  return vocabulary;
}

Result<GgufVocabulary> like_pegasus(const GgufVocabulary& pieces, const ClassWords&,
                                    std::string_view) {
  std::vector<std::string> first = {"<pad>", "</s>", "<mask_1>", "<mask_2>"};
  for (int i = 2; i < 103; ++i) first.push_back(fmt::format("<unk_{}>", i));
  GgufVocabulary vocabulary = renumbered(pieces, first, 2);
  vocabulary.unknown = id_of(vocabulary, "<unk>");
  vocabulary.eos = 1;
  vocabulary.around = around(vocabulary, {}, {"</s>"});
  return vocabulary;
}

// Ids by vocab.json. Tokens that are no piece of the file are never found in a text.
Result<GgufVocabulary> numbered_by(std::string_view vocab, const GgufVocabulary& pieces) {
  if (vocab.empty()) {
    return error(StatusCode::kNotFound, "there is no vocab.json beside the SentencePiece file");
  }
  QUIRE_ASSIGN_OR_RETURN(const std::vector<std::string> tokens, read_vocab_json(vocab));
  std::unordered_map<std::string_view, std::size_t> known;
  for (std::size_t i = 0; i < pieces.tokens.size(); ++i) known.emplace(pieces.tokens[i], i);
  GgufVocabulary vocabulary = renumbered(pieces, {}, pieces.tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty()) {
      return error(StatusCode::kCorrupt, "vocab.json: no token has the id {}", id);
    }
    const auto piece = known.find(tokens[id]);
    const bool is_code = tokens[id].starts_with(">>") && tokens[id].ends_with("<<");
    const bool is_special = tokens[id] == "<pad>" || tokens[id] == "<s>" || is_code;
    if (piece == known.end() || is_special) {
      append(vocabulary, tokens[id],
             is_special ? GgufTokenType::kControl : GgufTokenType::kUnused);
    } else {
      append(vocabulary, tokens[id], static_cast<GgufTokenType>(pieces.token_types[piece->second]),
             pieces.scores[piece->second]);
    }
  }
  vocabulary.unknown = id_of(vocabulary, "<unk>");
  vocabulary.eos = id_of(vocabulary, "</s>");
  vocabulary.padding = id_of(vocabulary, "<pad>");
  return vocabulary;
}

Result<GgufVocabulary> like_marian(const GgufVocabulary& pieces, const ClassWords&,
                                   std::string_view vocab) {
  QUIRE_ASSIGN_OR_RETURN(GgufVocabulary vocabulary, numbered_by(vocab, pieces));
  vocabulary.around = around(vocabulary, {}, {"</s>"});
  return vocabulary;
}

Result<GgufVocabulary> like_m2m(const GgufVocabulary& pieces, const ClassWords& words,
                                std::string_view vocab) {
  QUIRE_ASSIGN_OR_RETURN(GgufVocabulary vocabulary, numbered_by(vocab, pieces));
  std::vector<std::string> languages;
  for (const std::string& name : words_in(kM2mLanguages)) languages.push_back("__" + name + "__");
  append_new(vocabulary, languages);
  vocabulary.add_bos = false;
  vocabulary.around = around(vocabulary, {"__" + source_of(words, "en") + "__"}, {"</s>"});
  return vocabulary;
}

// DeBERTa's second and third version: a BERT's tokens around pieces that are numbered as they are.
Result<GgufVocabulary> like_deberta(const GgufVocabulary& pieces, const ClassWords& words,
                                    std::string_view) {
  for (const char* key : {"do_lower_case", "split_by_punct"}) {
    if (!words.flag(key, false)) continue;
    return error(StatusCode::kUnsupported, "{} in tokenizer_config.json: true is not supported",
                 key);
  }
  GgufVocabulary vocabulary = pieces;
  QUIRE_RETURN_IF_ERROR(append_added(words, vocabulary));
  append_new(vocabulary, {"[MASK]"});
  vocabulary.around = around(vocabulary, {"[CLS]"}, {"[SEP]"});
  return vocabulary;
}

struct PieceClass {
  std::string_view name;
  Follow follow;  // null: as the file has it
};

constexpr PieceClass kClasses[] = {
    {"", nullptr},
    {"LlamaTokenizer", nullptr},
    {"CodeLlamaTokenizer", nullptr},
    {"GemmaTokenizer", nullptr},
    {"BaichuanTokenizer", nullptr},
    {"InternLM2Tokenizer", nullptr},
    {"YiTokenizer", nullptr},
    {"T5Tokenizer", like_t5},
    {"XLMRobertaTokenizer", like_xlm_roberta},
    {"MBartTokenizer", like_mbart},
    {"MBart50Tokenizer", like_mbart50},
    {"NllbTokenizer", like_nllb},
    {"PegasusTokenizer", like_pegasus},
    {"MarianTokenizer", like_marian},
    {"M2M100Tokenizer", like_m2m},
    {"DebertaV2Tokenizer", like_deberta},
};

}  // namespace

Result<GgufVocabulary> follow_piece_class(GgufVocabulary pieces, const ClassWords& words,
                                          std::string_view vocab) {
  std::string known;
  for (const PieceClass& row : kClasses) {
    if (row.name == words.name()) {
      return row.follow == nullptr ? pieces : row.follow(pieces, words, vocab);
    }
    if (!row.name.empty()) known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  // BPE files were always taken as they are, whatever their class.
  if (pieces.model == "llama") return pieces;
  return error(StatusCode::kUnsupported,
               "tokenizer_class '{}' of a SentencePiece file is not known; known are {}",
               words.name().substr(0, 64), known);
}

}  // namespace quire
