#include "formats/words/hf_tokenizer.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/file.h"
#include "base/json.h"
#include "formats/config/config_ranges.h"
#include "formats/words/class_words.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

// Classes whose switches decide, with or without "Fast" behind them. Each adds BOS and no EOS where
// its file does not say.
constexpr std::string_view kSwitchedClasses[] = {"LlamaTokenizer", "CodeLlamaTokenizer",
                                                 "GemmaTokenizer", "CohereTokenizer"};

constexpr std::string_view kPostProcessor = "post_processor";

std::size_t string_end(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) at += text[at] == '\\' ? 1 : 0;
  return std::min(at + 1, text.size());
}

// Where the value of a key of the outermost object stands. A vocabulary is megabytes that nobody
// needs as values here.
std::optional<std::pair<std::size_t, std::size_t>> find_value(std::string_view json,
                                                              std::string_view key) {
  std::size_t begin = 0;  // of the wanted value, once its key was seen
  int depth = 0;
  for (std::size_t at = 0; at < json.size();) {
    const char c = json[at];
    if (c == '"') {
      const std::size_t end = string_end(json, at);
      const std::size_t next = json.find_first_not_of(" \t\r\n", end);
      const bool is_key = depth == 1 && begin == 0 && next != std::string_view::npos &&
                          json[next] == ':' && json.substr(at + 1, end - at - 2) == key;
      at = is_key ? next + 1 : end;
      if (is_key) begin = at;
      continue;
    }
    if (depth == 1 && begin != 0 && (c == ',' || c == '}')) return std::pair{begin, at};
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    ++at;
  }
  return std::nullopt;
}

Json value_of(std::string_view json, std::string_view key) {
  const auto place = find_value(json, key);
  if (!place) return Json();
  const Result<Json> value = parse_json(json.substr(place->first, place->second - place->first));
  return value.is_ok() ? *value : Json();
}

bool switch_of(const Json& words, std::string_view name, bool fallback) {
  const Json* value = words.find(name);
  return value != nullptr && value->is_bool() ? value->as_bool() : fallback;
}

// "bos_token": a string, or an object with "content".
std::string token_text(const Json& words, std::string_view key) {
  const Json* value = words.find(key);
  if (value != nullptr && value->is_object()) value = value->find("content");
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

Json special(const std::string& token, int type) {
  return Json::object(
      {{"SpecialToken", Json::object({{"id", token}, {"type_id", type}})}});
}

Json sequence(const char* id, int type) {
  return Json::object({{"Sequence", Json::object({{"id", id}, {"type_id", type}})}});
}

// What stands around one text and around two.
Json template_of(const std::string& bos, const std::string& eos, Json tokens) {
  Json single = Json::array(), pair = Json::array();
  const auto append = [&](Json& list, const char* id, int type) {
    if (!bos.empty()) list.push(special(bos, type));
    list.push(sequence(id, type));
    if (!eos.empty()) list.push(special(eos, type));
  };
  append(single, "A", 0);
  append(pair, "A", 0);
  append(pair, "B", 1);
  return Json::object({{"type", "TemplateProcessing"}, {"single", std::move(single)},
                       {"pair", std::move(pair)}, {"special_tokens", std::move(tokens)}});
}

std::optional<std::int64_t> added_id(const Json& added, const std::string& token) {
  if (!added.is_array()) return std::nullopt;
  for (const Json& item : added.items()) {
    const Json* id = item.find("id");
    if (token_text(item, "content") == token && id != nullptr && id->is_int()) return id->as_int();
  }
  return std::nullopt;
}

bool is_switched(std::string name) {
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  return std::find(std::begin(kSwitchedClasses), std::end(kSwitchedClasses), name) !=
         std::end(kSwitchedClasses);
}

// A processor may be one of several in a row.
bool begins_with(const Json& processor, std::string_view token) {
  const Json* inner = processor.find("processors");
  if (inner != nullptr && inner->is_array()) {
    return std::any_of(inner->items().begin(), inner->items().end(),
                       [&](const Json& one) { return begins_with(one, token); });
  }
  const Json* single = processor.find("single");
  if (single != nullptr && single->is_array() && !single->items().empty()) {
    const Json* first = single->items()[0].find("SpecialToken");
    return first != nullptr && token_text(*first, "id") == token;
  }
  const Json* cls = processor.find("cls");  // of BERT and RoBERTa
  return cls != nullptr && cls->is_array() && !cls->items().empty() &&
         cls->items()[0].is_string() && cls->items()[0].as_string() == token;
}

}  // namespace

Result<std::string> follow_tokenizer_class(std::string tokenizer_json,
                                           const std::string& directory) {
  const Json words = read_words(fs::path(directory) / "tokenizer_config.json");
  if (!is_switched(token_text(words, "tokenizer_class"))) return tokenizer_json;
  const auto place = find_value(tokenizer_json, kPostProcessor);
  if (!place) return tokenizer_json;
  const Json specials = read_words(fs::path(directory) / "special_tokens_map.json");
  const Json added = value_of(tokenizer_json, "added_tokens");
  Json tokens = Json::object();
  const auto wanted = [&](const char* key, bool is_on) {
    if (!is_on) return std::string();
    std::string token = token_text(words, key);
    if (token.empty()) token = token_text(specials, key);
    const auto id = added_id(added, token);
    if (!id) return std::string();
    tokens.set(token, Json::object({{"id", token}, {"ids", Json::array({*id})},
                                    {"tokens", Json::array({token})}}));
    return token;
  };
  const std::string bos = wanted("bos_token", switch_of(words, "add_bos_token", true));
  const std::string eos = wanted("eos_token", switch_of(words, "add_eos_token", false));
  const Json processor = template_of(bos, eos, std::move(tokens));
  tokenizer_json.replace(place->first, place->second - place->first, dump(processor));
  return tokenizer_json;
}

bool tokenizer_adds(std::string_view tokenizer_json, std::string_view token) {
  return !token.empty() && begins_with(value_of(tokenizer_json, kPostProcessor), token);
}

}  // namespace quire
