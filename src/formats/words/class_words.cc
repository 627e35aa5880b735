#include "formats/words/class_words.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/file.h"
#include "formats/config/config_ranges.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

struct ModelClass {
  std::string_view model_type, name;
};

// The class of a model type, where no file names one.
constexpr ModelClass kModelClasses[] = {
    {"t5", "T5Tokenizer"},           {"mt5", "T5Tokenizer"},
    {"umt5", "T5Tokenizer"},         {"xlm-roberta", "XLMRobertaTokenizer"},
    {"mbart", "MBartTokenizer"},     {"m2m_100", "M2M100Tokenizer"},
    {"marian", "MarianTokenizer"},   {"pegasus", "PegasusTokenizer"},
    {"qwen", "QWenTokenizer"},       {"gpt2", "GPT2Tokenizer"},
    {"gpt_neo", "GPT2Tokenizer"},    {"gptj", "GPT2Tokenizer"},
    {"opt", "GPT2Tokenizer"},        {"roberta", "RobertaTokenizer"},
    {"bart", "BartTokenizer"},       {"codegen", "CodeGenTokenizer"},
    {"phi", "CodeGenTokenizer"},     {"qwen2", "Qwen2Tokenizer"},
    {"qwen3", "Qwen2Tokenizer"},     {"bert", "BertTokenizer"},
    {"distilbert", "DistilBertTokenizer"}, {"clip", "CLIPTokenizer"},
    {"deberta", "DebertaTokenizer"}, {"deberta-v2", "DebertaV2Tokenizer"},
};

constexpr std::string_view kRoles[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                       "pad_token", "cls_token", "mask_token"};

// A string, or an object with "content".
std::string text_of(const Json* value) {
  if (value != nullptr && value->is_object()) value = value->find("content");
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

std::vector<AddedWord> added_words(const Json& words, const Json& file) {
  std::vector<AddedWord> added;
  const auto add = [&](std::uint64_t id, std::string text, bool is_special) {
    const bool is_known = std::any_of(added.begin(), added.end(),
                                      [&](const AddedWord& word) { return word.id == id; });
    if (!is_known && !text.empty()) added.push_back({id, std::move(text), is_special});
  };
  const Json* decoder = words.find("added_tokens_decoder");
  if (decoder != nullptr && decoder->is_object()) {
    for (const auto& [key, value] : decoder->members()) {
      std::uint64_t id = 0;
      const auto end = std::from_chars(key.data(), key.data() + key.size(), id);
      if (end.ec != std::errc() || end.ptr != key.data() + key.size()) continue;
      const Json* special = value.find("special");
      add(id, text_of(&value), special != nullptr && special->is_bool() && special->as_bool());
    }
  }
  for (const auto& [text, id] : file.members()) {
    if (id.is_int() && id.as_int() >= 0) add(id.as_uint(), text, true);
  }
  std::sort(added.begin(), added.end(),
            [](const AddedWord& one, const AddedWord& other) { return one.id < other.id; });
  return added;
}

}  // namespace

Json read_words(const fs::path& path) {
  const Result<std::string> text = read_file(path.string(), kConfigFileSizeMax);
  if (!text.is_ok()) return Json::object();
  JsonLimits limits;
  limits.huge_integers_are_doubles = true;
  const Result<Json> json = parse_json(*text, limits);
  return json.is_ok() && json->is_object() ? *json : Json::object();  // its own reader complains
}

ClassWords ClassWords::read(const std::string& directory) {
  const fs::path folder = directory;
  ClassWords words;
  words.words_ = read_words(folder / "tokenizer_config.json");
  words.specials_ = read_words(folder / "special_tokens_map.json");
  const Json config = read_words(folder / "config.json");
  words.name_ = text_of(words.words_.find("tokenizer_class"));
  if (words.name_.empty()) words.name_ = text_of(config.find("tokenizer_class"));
  const std::string type = text_of(config.find("model_type"));
  for (const ModelClass& row : kModelClasses) {
    if (words.name_.empty() && row.model_type == type) words.name_ = row.name;
  }
  if (words.name_.ends_with("Fast")) words.name_.resize(words.name_.size() - 4);
  words.added_ = added_words(words.words_, read_words(folder / "added_tokens.json"));
  for (const Json* file : {&words.words_, &words.specials_}) {
    const Json* list = file->find("additional_special_tokens");
    if (!words.more_.empty() || list == nullptr || !list->is_array()) continue;
    for (const Json& item : list->items()) words.more_.push_back(text_of(&item));
  }
  return words;
}

std::string ClassWords::text(std::string_view key) const {
  const std::string first = text_of(words_.find(key));
  return first.empty() ? text_of(specials_.find(key)) : first;
}

bool ClassWords::has(std::string_view key) const {
  const Json* value = words_.find(key);
  return value != nullptr && !value->is_null();
}

bool ClassWords::flag(std::string_view key, bool fallback) const {
  const Json* value = words_.find(key);
  return value != nullptr && value->is_bool() ? value->as_bool() : fallback;
}

std::int64_t ClassWords::number(std::string_view key, std::int64_t fallback) const {
  const Json* value = words_.find(key);
  return value != nullptr && value->is_int() ? value->as_int() : fallback;
}

std::vector<std::string> ClassWords::special_texts() const {
  std::vector<std::string> texts;
  for (const std::string_view role : kRoles) {
    if (std::string token = text(role); !token.empty()) texts.push_back(std::move(token));
  }
  texts.insert(texts.end(), more_.begin(), more_.end());
  return texts;
}

}  // namespace quire
