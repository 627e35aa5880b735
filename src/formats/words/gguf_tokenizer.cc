// From vocabulary to tokenizer.json: checks first, then one JSON per model. The vocabulary and the
// merges are written as text directly, because they are megabytes; the rest are JSON values.
#include "formats/words/gguf_tokenizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/json.h"
#include "base/text/utf8.h"
#include "formats/words/pre_tokenizers.h"
#include "formats/words/spm_merges.h"

namespace quire {
namespace {

constexpr std::string_view kSpaceMark = "\u2581";  // how SentencePiece writes a space
// Splits are tried at every character of every piece: this bounds the work for a hostile file.
constexpr std::size_t kSpmPieceSizeMax = 512;

struct IdKey {
  const char* key;
  const std::optional<std::uint64_t> GgufVocabulary::*member;
};

constexpr IdKey kIdKeys[] = {
    {"tokenizer.ggml.bos_token_id", &GgufVocabulary::bos},
    {"tokenizer.ggml.eos_token_id", &GgufVocabulary::eos},
    {"tokenizer.ggml.unknown_token_id", &GgufVocabulary::unknown},
    {"tokenizer.ggml.cls_token_id", &GgufVocabulary::cls},
    {"tokenizer.ggml.seperator_token_id", &GgufVocabulary::separator},
    {"tokenizer.ggml.padding_token_id", &GgufVocabulary::padding},
    {"tokenizer.ggml.mask_token_id", &GgufVocabulary::mask},
};

template <typename... Args>
Status corrupt(fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kCorrupt, format, std::forward<Args>(args)...);
}

GgufTokenType type_of(const GgufVocabulary& vocabulary, std::size_t id) {
  if (vocabulary.token_types.empty()) return GgufTokenType::kNormal;
  return static_cast<GgufTokenType>(vocabulary.token_types[id]);
}

bool is_byte_token(std::string_view token) {
  const auto is_hex = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
  };
  return token.size() == 6 && token.starts_with("<0x") && token.ends_with('>') &&
         is_hex(token[3]) && is_hex(token[4]);
}

Status check_tokens(const GgufVocabulary& vocabulary) {
  const std::size_t count = vocabulary.tokens.size();
  if (count == 0) return corrupt("tokenizer.ggml.tokens: the vocabulary is empty");
  std::unordered_map<std::string_view, std::size_t> seen;
  seen.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& token = vocabulary.tokens[i];
    if (const auto at = first_invalid_utf8(token)) {
      return corrupt("tokenizer.ggml.tokens[{}]: not valid UTF-8 at byte {}", i, *at);
    }
    const auto [first, is_new] = seen.emplace(token, i);
    if (!is_new) {
      return corrupt("tokenizer.ggml.tokens[{}]: '{}' is already token {}", i, token,
                     first->second);
    }
    if (type_of(vocabulary, i) == GgufTokenType::kByte && !is_byte_token(token)) {
      return corrupt("tokenizer.ggml.tokens[{}]: byte token '{}' is not of the form <0x0A>", i,
                     token);
    }
  }
  return ok_status();
}

Status check(const GgufVocabulary& vocabulary) {
  const std::size_t count = vocabulary.tokens.size();
  if (!vocabulary.scores.empty() && vocabulary.scores.size() != count) {
    return corrupt("tokenizer.ggml.scores: {} values for {} tokens", vocabulary.scores.size(),
                   count);
  }
  if (!vocabulary.token_types.empty() && vocabulary.token_types.size() != count) {
    return corrupt("tokenizer.ggml.token_type: {} values for {} tokens",
                   vocabulary.token_types.size(), count);
  }
  for (std::size_t i = 0; i < vocabulary.token_types.size(); ++i) {
    const std::int32_t type = vocabulary.token_types[i];
    if (type < 0 || type > 6) return corrupt("tokenizer.ggml.token_type[{}]: {}", i, type);
  }
  QUIRE_RETURN_IF_ERROR(check_tokens(vocabulary));
  for (const IdKey& row : kIdKeys) {
    const std::optional<std::uint64_t>& id = vocabulary.*row.member;
    if (id && *id >= count) {
      return corrupt("{}: {} is outside the vocabulary of {} tokens", row.key, *id, count);
    }
  }
  return ok_status();
}

// --- writing ---

std::string vocab_text(const std::vector<std::string>& tokens) {
  std::string text = "{";
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) text += ',';
    append_json_string(tokens[i], text);
    text += ':';
    text += std::to_string(i);
  }
  text += '}';
  return text;
}

std::string merges_text(const std::vector<MergePair>& merges) {
  std::string text = "[";
  for (const auto& [left, right] : merges) {
    text += text.size() > 1 ? ",[" : "[";
    append_json_string(left, text);
    text += ',';
    append_json_string(right, text);
    text += ']';
  }
  text += ']';
  return text;
}

// The parts of a tokenizer.json; `model` is finished text, the others are small.
struct TokenizerParts {
  Json added_tokens = Json::array();
  Json normalizer;
  Json pre_tokenizer;
  Json post_processor;
  Json decoder;
  std::string model;
};

std::string to_text(const TokenizerParts& parts) {
  std::string text = R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":)";
  text += dump(parts.added_tokens);
  text += R"(,"normalizer":)" + dump(parts.normalizer);
  text += R"(,"pre_tokenizer":)" + dump(parts.pre_tokenizer);
  text += R"(,"post_processor":)" + dump(parts.post_processor);
  text += R"(,"decoder":)" + dump(parts.decoder);
  text += R"(,"model":)" + parts.model + "}";
  return text;
}

Json added_tokens_of(const GgufVocabulary& vocabulary, const std::vector<std::string>& names) {
  Json added = Json::array();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const GgufTokenType type = type_of(vocabulary, i);
    const bool is_special = type == GgufTokenType::kControl || vocabulary.unknown == i;
    if (names[i].empty() || (!is_special && type != GgufTokenType::kUserDefined)) continue;
    added.push(Json::object({{"id", i},
                             {"content", names[i]},
                             {"single_word", false},
                             {"lstrip", false},
                             {"rstrip", false},
                             {"normalized", false},
                             {"special", is_special}}));
  }
  return added;
}

Json template_of(const std::vector<std::string>& names, const Surroundings& around) {
  if (around.before.empty() && around.after.empty()) return nullptr;
  Json single = Json::array();
  Json pair = Json::array();
  Json tokens = Json::object();
  const auto add = [](const char* kind, std::string_view name, Json& target, int type_id) {
    target.push(Json::object({{kind, Json::object({{"id", name}, {"type_id", type_id}})}}));
  };
  const auto add_all = [&](const std::vector<std::uint64_t>& ids, Json& target, int type_id) {
    for (const std::uint64_t id : ids) {
      const std::string& name = names[id];
      add("SpecialToken", name, target, type_id);
      tokens.set(name, Json::object({{"id", name},
                                     {"ids", Json::array({id})},
                                     {"tokens", Json::array({name})}}));
    }
  };
  for (Json* target : {&single, &pair}) {
    add_all(around.before, *target, 0);
    add("Sequence", "A", *target, 0);
    add_all(around.after, *target, 0);
  }
  add_all(around.between, pair, 0);
  add("Sequence", "B", pair, 1);
  add_all(around.after, pair, 1);
  return Json::object({{"type", "TemplateProcessing"},
                       {"single", single},
                       {"pair", pair},
                       {"special_tokens", tokens}});
}

// BOS or CLS before a text, EOS or SEP after it.
Surroundings surroundings_of(const GgufVocabulary& vocabulary) {
  if (vocabulary.around) return *vocabulary.around;
  const bool is_bert = vocabulary.model == "bert";
  const bool adds_eos = vocabulary.add_eos.value_or(is_bert || vocabulary.model == "t5");
  const auto first = [](std::optional<std::uint64_t> one, std::optional<std::uint64_t> other) {
    return one ? one : other;
  };
  const auto before = is_bert ? first(vocabulary.cls, vocabulary.bos) : vocabulary.bos;
  const auto after = is_bert ? first(vocabulary.separator, vocabulary.eos) : vocabulary.eos;
  Surroundings around;
  if (before && adds_bos(vocabulary)) around.before = {*before};
  if (after && adds_eos) around.after = {*after};
  return around;
}

Json bos_eos_template(const GgufVocabulary& vocabulary) {
  return template_of(vocabulary.tokens, surroundings_of(vocabulary));
}

// --- SentencePiece BPE ---

std::string base64_of(std::string_view bytes) {
  static constexpr char kSymbols[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<std::uint8_t>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k <= bytes.size() ? kSymbols[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return text;
}

// One step of a normalizer or decoder: its type, then its fields.
Json step(const char* type, std::vector<Json::Member> fields = {}) {
  fields.emplace(fields.begin(), "type", type);
  return Json::object(std::move(fields));
}

Json replace(const char* pattern_kind, std::string_view pattern, std::string_view content) {
  return step("Replace", {{"pattern", Json::object({{pattern_kind, pattern}})},
                          {"content", content}});
}

Json spm_normalizer(const GgufVocabulary& vocabulary) {
  Json steps = Json::array();
  if (!vocabulary.character_map.empty()) {
    steps.push(
        step("Precompiled", {{"precompiled_charsmap", base64_of(vocabulary.character_map)}}));
  }
  if (vocabulary.removes_extra_spaces) {
    steps.push(replace("Regex", "^ +| +$", ""));  // spaces only: line ends stay
    steps.push(replace("Regex", " {2,}", " "));
  }
  if (vocabulary.add_space_prefix.value_or(true)) {
    steps.push(step("Prepend", {{"prepend", kSpaceMark}}));
  }
  steps.push(replace("String", " ", kSpaceMark));
  return step("Sequence", {{"normalizers", steps}});
}

Json spm_decoder(const GgufVocabulary& vocabulary) {
  Json steps = Json::array();
  steps.push(replace("String", kSpaceMark, " "));
  steps.push(step("ByteFallback"));
  steps.push(step("Fuse"));
  if (vocabulary.add_space_prefix.value_or(true)) {
    steps.push(step("Strip", {{"content", " "}, {"start", 1}, {"stop", 0}}));
  }
  return step("Sequence", {{"decoders", steps}});
}

std::string spm_text(const GgufVocabulary& vocabulary, const std::vector<MergePair>& merges) {
  const auto byte_tokens = std::count_if(vocabulary.tokens.begin(), vocabulary.tokens.end(),
                                         [](const std::string& it) { return is_byte_token(it); });
  const Json unknown =
      vocabulary.unknown ? Json(vocabulary.tokens[*vocabulary.unknown]) : Json(nullptr);
  TokenizerParts parts;
  parts.added_tokens = added_tokens_of(vocabulary, vocabulary.tokens);
  parts.normalizer = spm_normalizer(vocabulary);
  parts.post_processor = bos_eos_template(vocabulary);
  parts.decoder = spm_decoder(vocabulary);
  parts.model = R"({"type":"BPE","dropout":null,"unk_token":)" + dump(unknown) +
                R"(,"continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":true)" +
                R"(,"byte_fallback":)" + (byte_tokens == 256 ? "true" : "false") + R"(,"vocab":)" +
                vocab_text(vocabulary.tokens) + R"(,"merges":)" + merges_text(merges) + "}";
  return to_text(parts);
}

Result<std::string> spm_json(const GgufVocabulary& vocabulary) {
  const std::size_t count = vocabulary.tokens.size();
  if (vocabulary.scores.empty()) {
    return corrupt("tokenizer.ggml.scores: missing, but model 'llama' merges by score");
  }
  std::vector<bool> is_mergeable(count, true);
  for (std::size_t i = 0; i < count; ++i) {
    const GgufTokenType type = type_of(vocabulary, i);
    is_mergeable[i] = type != GgufTokenType::kControl && type != GgufTokenType::kUnknown &&
                      type != GgufTokenType::kByte && type != GgufTokenType::kUnused &&
                      !vocabulary.tokens[i].empty();
    if (is_mergeable[i] && vocabulary.tokens[i].size() > kSpmPieceSizeMax) {
      return corrupt("tokenizer.ggml.tokens[{}]: {} bytes, at most {} are allowed", i,
                     vocabulary.tokens[i].size(), kSpmPieceSizeMax);
    }
  }
  return spm_text(vocabulary, spm_merges(vocabulary.tokens, vocabulary.scores, is_mergeable));
}

// --- SentencePiece unigram ---

// In front of a piece that text never becomes: no space is left when pieces are looked for.
constexpr std::string_view kNeverFound = " ";

// [[piece, score], ...]. What stands for one byte must not be found as letters: it gets the least
// score of all.
Result<std::string> scored_pieces(const GgufVocabulary& vocabulary) {
  float least = std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    if (!std::isfinite(vocabulary.scores[i])) {
      return corrupt("tokenizer.ggml.scores[{}]: {} is not finite", i, vocabulary.scores[i]);
    }
    if (type_of(vocabulary, i) == GgufTokenType::kNormal) {
      least = std::min(least, vocabulary.scores[i]);
    }
  }
  if (std::isinf(least)) return corrupt("tokenizer.ggml.token_type: no token is a piece of text");
  std::string text = "[";
  for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    const std::string& token = vocabulary.tokens[i];
    const GgufTokenType type = type_of(vocabulary, i);
    const bool is_hidden = type == GgufTokenType::kUnused;
    const float score =
        type == GgufTokenType::kByte || is_hidden ? least : vocabulary.scores[i];
    text += i == 0 ? "[" : ",[";
    append_json_string(is_hidden ? std::string(kNeverFound) + token : token, text);
    text += fmt::format(",{:.9e}]", static_cast<double>(score));
  }
  return text + "]";
}

Json trimming_normalizer(const GgufVocabulary& vocabulary) {
  Json steps = Json::array();
  if (!vocabulary.character_map.empty()) {
    steps.push(
        step("Precompiled", {{"precompiled_charsmap", base64_of(vocabulary.character_map)}}));
  }
  steps.push(replace("Regex", " +$", ""));
  steps.push(replace("Regex", " {2,}", " "));
  return step("Sequence", {{"normalizers", steps}});
}

// Whether pieces lie inside words, so that each word can be cut by itself.
bool has_pieces_of_words(const GgufVocabulary& vocabulary) {
  bool has_space = false;
  for (const std::string& token : vocabulary.tokens) {
    has_space |= token == kSpaceMark;
    if (token.find(kSpaceMark, 1) != std::string::npos) return false;
  }
  return has_space;
}

Result<std::string> unigram_json(const GgufVocabulary& vocabulary) {
  if (vocabulary.scores.empty()) {
    return corrupt("tokenizer.ggml.scores: missing, but model 't5' cuts by score");
  }
  QUIRE_ASSIGN_OR_RETURN(const std::string pieces, scored_pieces(vocabulary));
  std::size_t byte_tokens = 0;
  for (const std::string& token : vocabulary.tokens) byte_tokens += is_byte_token(token) ? 1 : 0;
  const Json decoders = *spm_decoder(vocabulary).find("decoders");
  std::vector<Json> steps = {replace("String", kNeverFound, "")};
  steps.insert(steps.end(), decoders.items().begin(), decoders.items().end());
  TokenizerParts parts;
  parts.added_tokens = added_tokens_of(vocabulary, vocabulary.tokens);
  // Where spaces at the beginning are one mark anyway, no text behind a special token gets another.
  const bool marks_first =
      vocabulary.removes_extra_spaces && vocabulary.add_space_prefix.value_or(true);
  parts.normalizer = marks_first ? trimming_normalizer(vocabulary) : spm_normalizer(vocabulary);
  parts.pre_tokenizer = step("Metaspace", {{"replacement", kSpaceMark},
                                           {"prepend_scheme", marks_first ? "first" : "never"},
                                           {"split", has_pieces_of_words(vocabulary)}});
  parts.post_processor = bos_eos_template(vocabulary);
  parts.decoder = step("Sequence", {{"decoders", Json::array(std::move(steps))}});
  parts.model = fmt::format(
      R"({{"type":"Unigram","unk_id":{},"byte_fallback":{},"vocab":{}}})",
      vocabulary.unknown ? std::to_string(*vocabulary.unknown) : "null", byte_tokens == 256,
      pieces);
  return to_text(parts);
}

// --- byte-level BPE ---

Result<std::vector<MergePair>> parsed_merges(const GgufVocabulary& vocabulary) {
  std::unordered_set<std::string_view> known(vocabulary.tokens.begin(), vocabulary.tokens.end());
  std::vector<MergePair> merges;
  merges.reserve(vocabulary.merges.size());
  for (std::size_t i = 0; i < vocabulary.merges.size(); ++i) {
    const std::string_view line = vocabulary.merges[i];
    if (const auto at = first_invalid_utf8(line)) {
      return corrupt("tokenizer.ggml.merges[{}]: not valid UTF-8 at byte {}", i, *at);
    }
    const std::size_t space = line.find(' ');
    const bool is_pair = space != std::string_view::npos && space > 0 && space + 1 < line.size() &&
                         line.find(' ', space + 1) == std::string_view::npos;
    if (!is_pair) {
      return corrupt("tokenizer.ggml.merges[{}]: '{}' is not two parts and one space", i, line);
    }
    const std::string_view left = line.substr(0, space);
    const std::string_view right = line.substr(space + 1);
    const std::string joined = std::string(left) + std::string(right);
    if (!known.contains(left) || !known.contains(right) || !known.contains(joined)) {
      return corrupt("tokenizer.ggml.merges[{}]: '{}' names a token that does not exist", i, line);
    }
    merges.emplace_back(left, right);
  }
  return merges;
}

// Gemma 4: pieces as of SentencePiece, and the merges beside them; nothing is cut before.
Result<std::string> merged_spm_json(const GgufVocabulary& vocabulary) {
  QUIRE_ASSIGN_OR_RETURN(const std::vector<MergePair> merges, parsed_merges(vocabulary));
  return spm_text(vocabulary, merges);
}

std::string_view pre_name(const GgufVocabulary& vocabulary) {
  return vocabulary.pre.empty() ? std::string_view("default") : vocabulary.pre;
}

// A space in front is one of the whole text, before it is cut.
Json cutter(const PreTokenizer& pre, bool adds_space) {
  const Result<PreTokenizer> gpt2 = find_pre_tokenizer("gpt-2");
  const bool is_gpt2 = gpt2.is_ok() && pre.patterns.size() == 1 &&
                       pre.patterns.front() == gpt2->patterns.front();
  const auto byte_level = [](bool has_space, bool cuts) {
    return step("ByteLevel",
                {{"add_prefix_space", has_space}, {"trim_offsets", true}, {"use_regex", cuts}});
  };
  if (adds_space && is_gpt2) return byte_level(true, true);  // which has that pattern built in
  Json steps = Json::array();
  for (const std::string_view pattern : pre.patterns) {
    steps.push(step("Split", {{"pattern", Json::object({{"Regex", pattern}})},
                              {"behavior", "Isolated"},
                              {"invert", false}}));
  }
  steps.push(byte_level(adds_space, false));
  return step("Sequence", {{"pretokenizers", steps}});
}

Result<std::string> byte_level_json(const GgufVocabulary& vocabulary) {
  const std::string_view own[] = {vocabulary.pattern};
  PreTokenizer pre = {"", own};
  if (vocabulary.pattern.empty()) {
    QUIRE_ASSIGN_OR_RETURN(pre, find_pre_tokenizer(pre_name(vocabulary)));
  }
  pre.ignores_merges |= vocabulary.takes_whole_pieces;
  QUIRE_ASSIGN_OR_RETURN(const std::vector<MergePair> merges, parsed_merges(vocabulary));
  const Json byte_level = step("ByteLevel", {{"add_prefix_space", false},
                                             {"trim_offsets", true},
                                             {"use_regex", false}});
  TokenizerParts parts;
  parts.added_tokens = added_tokens_of(vocabulary, vocabulary.tokens);
  if (pre.normalizes_nfc) parts.normalizer = step("NFC");
  parts.pre_tokenizer = cutter(pre, vocabulary.add_space_prefix.value_or(false));
  parts.post_processor = bos_eos_template(vocabulary);
  parts.decoder = byte_level;
  parts.model = R"({"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null)"
                R"(,"end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false)"
                R"(,"ignore_merges":)" +
                std::string(pre.ignores_merges ? "true" : "false") + R"(,"vocab":)" +
                vocab_text(vocabulary.tokens) + R"(,"merges":)" + merges_text(merges) + "}";
  return to_text(parts);
}

// --- WordPiece ---

// GGUF marks the beginning of a word where BERT marks its continuation.
std::vector<std::string> word_piece_names(const GgufVocabulary& vocabulary) {
  std::vector<std::string> names = vocabulary.tokens;
  if (vocabulary.has_bert_names) return names;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string& name = names[i];
    const bool is_bracketed = name.starts_with('[') && name.ends_with(']');
    if (type_of(vocabulary, i) != GgufTokenType::kNormal || is_bracketed) continue;
    name = name.starts_with(kSpaceMark) ? name.substr(kSpaceMark.size()) : "##" + name;
  }
  return names;
}

Result<std::string> word_piece_json(const GgufVocabulary& vocabulary) {
  const std::vector<std::string> names = word_piece_names(vocabulary);
  if (!vocabulary.unknown) {
    return corrupt("tokenizer.ggml.unknown_token_id: missing, but model 'bert' needs it");
  }
  TokenizerParts parts;
  parts.added_tokens = added_tokens_of(vocabulary, names);
  const Json strips_accents =
      vocabulary.strips_accents ? Json(*vocabulary.strips_accents) : Json();
  parts.normalizer = step("BertNormalizer", {{"clean_text", true},
                                             {"handle_chinese_chars", vocabulary.splits_chinese},
                                             {"strip_accents", strips_accents},
                                             {"lowercase", vocabulary.lowercases}});
  parts.pre_tokenizer = step("BertPreTokenizer");
  parts.post_processor = template_of(names, surroundings_of(vocabulary));
  parts.decoder = step("WordPiece", {{"prefix", "##"}, {"cleanup", true}});
  parts.model = R"({"type":"WordPiece","unk_token":)" + dump(Json(names[*vocabulary.unknown])) +
                R"(,"continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":)" +
                vocab_text(names) + "}";
  return to_text(parts);
}

}  // namespace

std::optional<std::uint64_t> id_of(const GgufVocabulary& vocabulary, std::string_view text) {
  const auto at = std::find(vocabulary.tokens.begin(), vocabulary.tokens.end(), text);
  if (text.empty() || at == vocabulary.tokens.end()) return std::nullopt;
  return static_cast<std::uint64_t>(at - vocabulary.tokens.begin());
}

bool adds_bos(const GgufVocabulary& vocabulary) {
  if (vocabulary.add_bos) return *vocabulary.add_bos;
  if (vocabulary.model == "t5") return false;
  if (vocabulary.model != "gpt2") return true;
  const Result<PreTokenizer> pre = find_pre_tokenizer(pre_name(vocabulary));
  return pre.is_ok() && pre->adds_bos;
}

std::vector<std::string> vocabulary_warnings(const GgufVocabulary& vocabulary) {
  std::vector<std::string> warnings;
  if (vocabulary.tokens.empty()) return warnings;
  const auto warn = [&](std::string text) { warnings.push_back(std::move(text)); };
  const bool is_bpe = vocabulary.model == "gpt2";
  if (is_bpe && (vocabulary.pre.empty() || vocabulary.pre == "default")) {
    warn(fmt::format("tokenizer.ggml.pre is {}: text is cut as by '{}', and token ids may differ "
                     "from those that the model was trained with",
                     vocabulary.pre.empty() ? "missing" : "'default'", pre_name(vocabulary)));
  }
  if (vocabulary.token_types.empty()) {
    warn("tokenizer.ggml.token_type is missing: no token is known to be a control token, so that a "
         "chat template's tokens are read as letters");
  }
  if (adds_bos(vocabulary) && !vocabulary.bos && vocabulary.model != "bert") {
    warn("tokenizer.ggml.bos_token_id is missing although prompts should begin with BOS: none is "
         "added");
  }
  if (is_bpe && vocabulary.merges.empty()) {
    warn("tokenizer.ggml.merges is missing: every text becomes single characters");
  }
  return warnings;
}

Result<std::string> gguf_tokenizer_json(const GgufVocabulary& vocabulary) {
  QUIRE_RETURN_IF_ERROR(check(vocabulary));
  if (vocabulary.model == "llama") return spm_json(vocabulary);
  if (vocabulary.model == "gemma4") return merged_spm_json(vocabulary);
  if (vocabulary.model == "t5") return unigram_json(vocabulary);
  if (vocabulary.model == "gpt2") return byte_level_json(vocabulary);
  if (vocabulary.model == "bert") return word_piece_json(vocabulary);
  return error(StatusCode::kUnsupported,
               "tokenizer.ggml.model: '{}' is not known; known are llama, gemma4, t5, gpt2, bert",
               vocabulary.model);
}

}  // namespace quire
