#include "formats/words/ranked_words.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "base/json.h"

namespace quire {
namespace {

constexpr std::size_t kRanksMax = std::size_t{1} << 20;
constexpr std::size_t kTokenSizeMax = 1024;  // every split of a token is tried

// --- bytes ---

std::optional<std::string> from_base64(std::string_view text) {
  static constexpr std::string_view kSymbols =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  while (text.ends_with('=')) text.remove_suffix(1);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t value = kSymbols.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xFF);
  }
  return bytes;
}

// The character by which GPT-2's alphabet writes each byte.
const std::array<std::string, 256>& byte_symbols() {
  static const std::array<std::string, 256> symbols = [] {
    std::array<std::string, 256> all;
    unsigned next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const bool is_printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) ||
                                byte >= 0xAE;
      const unsigned code = is_printable ? byte : next++;
      if (code < 0x80) {
        all[byte] = std::string(1, static_cast<char>(code));
      } else {
        all[byte] = {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
      }
    }
    return all;
  }();
  return symbols;
}

std::string symbols_of(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += byte_symbols()[static_cast<unsigned char>(c)];
  return text;
}

// --- from ranks to merges ---

using Ranks = std::unordered_map<std::string_view, std::size_t>;

// "left right" for every way to split a token in two, those of small ranks first.
void add_merges(std::string_view token, const Ranks& ranks, std::vector<std::string>& merges) {
  std::vector<std::array<std::size_t, 3>> splits;  // ranks of both parts, place
  for (std::size_t at = 1; at < token.size(); ++at) {
    const auto left = ranks.find(token.substr(0, at)), right = ranks.find(token.substr(at));
    if (left == ranks.end() || right == ranks.end()) continue;
    splits.push_back({left->second, right->second, at});
  }
  std::sort(splits.begin(), splits.end());
  for (const auto& split : splits) {
    merges.push_back(symbols_of(token.substr(0, split[2])) + " " +
                     symbols_of(token.substr(split[2])));
  }
}

// Tokens [first, first + tokens) of the vocabulary, whose bytes are given in order of rank.
Status add_ranked(const std::vector<std::string>& tokens, GgufVocabulary& vocabulary) {
  Ranks ranks;
  ranks.reserve(tokens.size());
  for (std::size_t rank = 0; rank < tokens.size(); ++rank) {
    if (tokens[rank].empty()) continue;  // a hole, which a special token fills
    if (tokens[rank].size() > kTokenSizeMax) {
      return error(StatusCode::kCorrupt, "rank {}: {} bytes, at most {} are allowed", rank,
                   tokens[rank].size(), kTokenSizeMax);
    }
    const auto [known, is_new] = ranks.emplace(tokens[rank], rank);
    if (!is_new) {
      return error(StatusCode::kCorrupt, "rank {}: the bytes of rank {} once more", rank,
                   known->second);
    }
  }
  for (const std::string& token : tokens) {
    vocabulary.tokens.push_back(symbols_of(token));
    vocabulary.token_types.push_back(static_cast<int>(GgufTokenType::kNormal));
    if (token.size() > 1) add_merges(token, ranks, vocabulary.merges);
  }
  return ok_status();
}

// A token that stands for no text of its own, at its id; holes before it get names of their own.
Status put_special(std::uint64_t id, const std::string& text, bool is_special,
                   GgufVocabulary& vocabulary) {
  if (id >= kRanksMax) {
    return error(StatusCode::kCorrupt, "token id {} is beyond {}", id, kRanksMax);
  }
  const auto control = static_cast<int>(GgufTokenType::kControl);
  while (vocabulary.tokens.size() <= id) {
    vocabulary.tokens.emplace_back();
    vocabulary.token_types.push_back(control);
  }
  if (!vocabulary.tokens[id].empty()) return ok_status();  // an ordinary one, said once more
  vocabulary.tokens[id] = text;
  vocabulary.token_types[id] =
      is_special ? control : static_cast<int>(GgufTokenType::kUserDefined);
  return ok_status();
}

void name_holes(GgufVocabulary& vocabulary) {
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (!vocabulary.tokens[id].empty()) continue;
    vocabulary.tokens[id] = fmt::format("<|unused_{}|>", id);
    vocabulary.token_types[id] = static_cast<int>(GgufTokenType::kControl);
  }
}

// --- tiktoken ---

using Specials = std::vector<std::pair<std::uint64_t, std::string>>;

Specials llama3_specials() {
  Specials specials;
  const std::array<const char*, 11> first = {
      "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>",
      "<|reserved_special_token_1|>", "<|finetune_right_pad_id|>", "<|reserved_special_token_2|>",
      "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"};
  for (const char* name : first) specials.emplace_back(128000 + specials.size(), name);
  for (int i = 3; specials.size() < 256; ++i) {
    specials.emplace_back(128000 + specials.size(),
                          fmt::format("<|reserved_special_token_{}|>", i));
  }
  return specials;
}

Specials qwen_specials() {
  Specials specials = {{151643, "<|endoftext|>"}, {151644, "<|im_start|>"}, {151645, "<|im_end|>"}};
  for (int i = 0; i < 205; ++i) specials.emplace_back(151646 + i, fmt::format("<|extra_{}|>", i));
  return specials;
}

Specials glm4_specials() {
  Specials specials;
  for (const char* name : {"<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>",
                           "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>",
                           "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>",
                           "<|end_of_video|>"}) {
    specials.emplace_back(151329 + specials.size(), name);
  }
  return specials;
}

Specials gpt2_specials() { return {{50256, "<|endoftext|>"}}; }
Specials cl100k_specials() {
  return {{100257, "<|endoftext|>"}, {100258, "<|fim_prefix|>"}, {100259, "<|fim_middle|>"},
          {100260, "<|fim_suffix|>"}, {100276, "<|endofprompt|>"}};
}
Specials o200k_specials() { return {{199999, "<|endoftext|>"}, {200018, "<|endofprompt|>"}}; }
Specials no_specials() { return {}; }

struct Published {
  std::size_t ranks;  // lines of the file
  std::string_view pre;
  Specials (*specials)();
  std::vector<std::string_view> before;  // what a text begins with
};

const std::vector<Published>& published() {
  static const std::vector<Published> all = {
      {50256, "gpt-2", gpt2_specials, {}},
      {50280, "gpt-2", gpt2_specials, {}},
      {100256, "dbrx", cl100k_specials, {}},
      {128000, "llama-bpe", llama3_specials, {"<|begin_of_text|>"}},
      {151329, "chatglm-bpe", glm4_specials, {"[gMASK]", "<sop>"}},
      {151643, "qwen2", qwen_specials, {}},
      {163584, "kimi-k2", no_specials, {}},
      {199998, "gpt-4o", o200k_specials, {}},
      {200000, "llama4", no_specials, {"<|begin_of_text|>"}},
  };
  return all;
}

struct Line {
  std::string bytes;
  std::size_t rank = 0;
};

std::optional<Line> parse_line(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  auto bytes = from_base64(text.substr(0, space));
  Line line;
  const std::string_view number = text.substr(space + 1);
  const auto end = std::from_chars(number.data(), number.data() + number.size(), line.rank);
  const bool is_number = end.ec == std::errc() && end.ptr == number.data() + number.size();
  if (!bytes || bytes->empty() || !is_number || line.rank >= kRanksMax) return std::nullopt;
  line.bytes = std::move(*bytes);
  return line;
}

Result<std::vector<std::string>> read_ranks(std::string_view file, std::size_t& lines) {
  std::vector<std::string> tokens;
  lines = 0;
  for (std::size_t number = 1; !file.empty(); ++number) {
    const std::size_t end = std::min(file.find('\n'), file.size());
    const std::string_view text = file.substr(0, end);
    file.remove_prefix(std::min(end + 1, file.size()));
    if (text.empty()) continue;
    auto line = parse_line(text);
    if (!line) {
      return error(StatusCode::kCorrupt, "line {}: not a token in base64 and its rank", number);
    }
    if (tokens.size() <= line->rank) tokens.resize(line->rank + 1);
    if (!tokens[line->rank].empty()) {
      return error(StatusCode::kCorrupt, "line {}: rank {} once more", number, line->rank);
    }
    tokens[line->rank] = std::move(line->bytes);
    ++lines;
  }
  return tokens;
}

}  // namespace

bool is_tiktoken(std::string_view file) {
  return parse_line(file.substr(0, std::min(file.find('\n'), file.size()))).has_value();
}

bool is_tekken(std::string_view file) {
  return file.substr(0, 4096).find("\"default_vocab_size\"") != std::string_view::npos;
}

Result<GgufVocabulary> read_tiktoken(std::string_view file, const ClassWords& words) {
  std::size_t lines = 0;
  QUIRE_ASSIGN_OR_RETURN(const std::vector<std::string> tokens, read_ranks(file, lines));
  const auto row = std::find_if(published().begin(), published().end(),
                                [&](const Published& one) { return one.ranks == lines; });
  if (row == published().end()) {
    return error(StatusCode::kUnsupported,
                 "a tiktoken file of {} tokens: how its text is cut is not known", lines);
  }
  GgufVocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = row->pre;
  QUIRE_RETURN_IF_ERROR(add_ranked(tokens, vocabulary));
  for (const AddedWord& word : words.added()) {
    QUIRE_RETURN_IF_ERROR(put_special(word.id, word.text, word.is_special, vocabulary));
  }
  for (const auto& [id, text] : row->specials()) {
    if (id_of(vocabulary, text)) continue;
    QUIRE_RETURN_IF_ERROR(put_special(id, text, true, vocabulary));
  }
  name_holes(vocabulary);
  Surroundings around;
  for (const std::string_view text : row->before) {
    if (const auto id = id_of(vocabulary, text)) around.before.push_back(*id);
  }
  vocabulary.around = std::move(around);
  vocabulary.takes_whole_pieces = true;
  return vocabulary;
}

// --- tekken ---

namespace {

// Ids 0 to 19 of files that list no special tokens.
constexpr std::array<const char*, 20> kTekkenSpecials = {
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]",
    "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]"};

Result<std::size_t> whole(const Json& config, std::string_view key) {
  const Json* value = config.find(key);
  if (value == nullptr || !value->is_int() || value->as_int() < 0 ||
      value->as_uint() > kRanksMax) {
    return error(StatusCode::kCorrupt, "config.{}: not an integer up to {}", key, kRanksMax);
  }
  return static_cast<std::size_t>(value->as_uint());
}

Status add_tekken_specials(const Json& root, std::size_t count, GgufVocabulary& vocabulary) {
  const Json* listed = root.find("special_tokens");
  const bool is_listed = listed != nullptr && listed->is_array();
  for (std::size_t id = 0; !is_listed && id < std::min(count, kTekkenSpecials.size()); ++id) {
    QUIRE_RETURN_IF_ERROR(put_special(id, kTekkenSpecials[id], true, vocabulary));
  }
  for (std::size_t i = 0; is_listed && i < listed->items().size(); ++i) {
    const Json* text = listed->items()[i].find("token_str");
    const Json* rank = listed->items()[i].find("rank");
    const bool is_whole = text != nullptr && text->is_string() && rank != nullptr &&
                          rank->is_int() && rank->as_int() >= 0 && rank->as_uint() < count;
    if (!is_whole) {
      return error(StatusCode::kCorrupt, "special_tokens[{}]: not a token_str and a rank below {}",
                   i, count);
    }
    QUIRE_RETURN_IF_ERROR(put_special(rank->as_uint(), text->as_string(), true, vocabulary));
  }
  for (std::size_t id = 0; id < count; ++id) {
    QUIRE_RETURN_IF_ERROR(put_special(id, fmt::format("<SPECIAL_{}>", id), true, vocabulary));
  }
  return ok_status();
}

Result<std::vector<std::string>> tekken_ranks(const Json& root, std::size_t count) {
  const Json* vocab = root.find("vocab");
  if (vocab == nullptr || !vocab->is_array() || vocab->items().size() < count) {
    return error(StatusCode::kCorrupt, "vocab: not a list of {} tokens or more", count);
  }
  std::vector<std::string> tokens(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Json* text = vocab->items()[i].find("token_bytes");
    const Json* rank = vocab->items()[i].find("rank");
    const auto bytes =
        text != nullptr && text->is_string() ? from_base64(text->as_string()) : std::nullopt;
    const bool has_rank = rank != nullptr && rank->is_int() && rank->as_int() >= 0 &&
                          rank->as_uint() == i;
    if (!bytes || bytes->empty() || !has_rank) {
      return error(StatusCode::kCorrupt, "vocab[{}]: not token_bytes in base64 and its rank", i);
    }
    tokens[i] = *bytes;
  }
  return tokens;
}

}  // namespace

Result<GgufVocabulary> read_tekken(std::string_view file) {
  JsonLimits limits;
  limits.values_max = kRanksMax * 8;
  QUIRE_ASSIGN_OR_RETURN(const Json root, parse_json(file, limits));
  const Json* config = root.find("config");
  const Json* pattern = config == nullptr ? nullptr : config->find("pattern");
  if (pattern == nullptr || !pattern->is_string()) {
    return error(StatusCode::kCorrupt, "config.pattern: missing");
  }
  QUIRE_ASSIGN_OR_RETURN(const std::size_t all, whole(*config, "default_vocab_size"));
  QUIRE_ASSIGN_OR_RETURN(const std::size_t specials, whole(*config, "default_num_special_tokens"));
  if (specials >= all) {
    return error(StatusCode::kCorrupt, "config.default_num_special_tokens: {} of {} tokens",
                 specials, all);
  }
  GgufVocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pattern = pattern->as_string();
  vocabulary.takes_whole_pieces = true;
  QUIRE_RETURN_IF_ERROR(add_tekken_specials(root, specials, vocabulary));
  QUIRE_ASSIGN_OR_RETURN(const std::vector<std::string> tokens,
                         tekken_ranks(root, all - specials));
  QUIRE_RETURN_IF_ERROR(add_ranked(tokens, vocabulary));
  vocabulary.bos = id_of(vocabulary, "<s>");
  vocabulary.eos = id_of(vocabulary, "</s>");
  vocabulary.add_bos = true;
  return vocabulary;
}

}  // namespace quire
