#include "formats/config/hf_config.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/file.h"
#include "base/json.h"
#include "formats/config/config_ranges.h"
#include "formats/config/sentence_modules.h"
#include "formats/config/sentence_words.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

// Python writes a bound that there is not as a bare Infinity, which is no JSON: it becomes the
// object that transformers 5 writes for it.
std::string with_infinities(std::string_view text) {
  constexpr std::string_view kBare = "Infinity", kObject = R"({"__float__":"Infinity"})";
  std::string out;
  bool is_inside = false;  // of a string
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_inside && text[i] == '\\' && i + 1 < text.size()) {
      out += text[i++];
    } else if (text[i] == '"') {
      is_inside = !is_inside;
    } else if (!is_inside && text.substr(i, kBare.size()) == kBare && !out.ends_with('-')) {
      out += kObject;
      i += kBare.size() - 1;
      continue;
    }
    out += text[i];
  }
  return out;
}

// The JSON object in a file of the directory; an empty object if the file is absent.
Result<Json> read_object(const std::string& directory, const std::string& name) {
  const Result<std::string> text = read_file(fs::path(directory) / name, kConfigFileSizeMax);
  if (!text.is_ok()) {
    if (text.status().code() == StatusCode::kNotFound) return Json::object();
    return text.status();
  }
  JsonLimits limits;
  limits.huge_integers_are_doubles = true;
  limits.values_max = kConfigValuesMax;
  const bool is_plain = text->find("Infinity") == std::string::npos;
  Result<Json> json = parse_json(is_plain ? *text : with_infinities(*text), limits);
  if (!json.is_ok()) {
    return error(StatusCode::kCorrupt, "'{}': {}", name, json.status().message());
  }
  if (!json->is_object()) {
    return error(StatusCode::kCorrupt, "'{}': it is {}, not an object", name,
                 kind_name(json->kind()));
  }
  return json;
}

// `bos_token_id`: an id or null. `eos_token_id`: an id or a list of ids.
Status read_ids(const Json& root, std::string_view file, std::string_view key, int vocab,
                std::vector<TokenId>& ids) {
  const Json* value = root.find(key);
  if (value == nullptr || value->is_null()) return ok_status();
  const std::vector<Json> list = value->is_array() ? value->items() : std::vector<Json>{*value};
  for (const Json& item : list) {
    if (!item.is_int() || item.as_int() < 0 || item.as_int() >= vocab) {
      return error(StatusCode::kCorrupt, "{} in {}: {} is not an id below {}", key, file,
                   dump(item).substr(0, 64), vocab);
    }
    const auto id = static_cast<TokenId>(item.as_int());
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }
  return ok_status();
}

// The files in which a key of generation may stand; the first one that has it counts.
struct Place {
  const Json* object;
  std::string_view file;
};

std::vector<Place> generation_places(const HfConfig& config, const Json& generation) {
  std::vector<Place> places = {{&generation, "generation_config.json"}};
  if (config.text != nullptr) places.push_back({config.text, "config.json"});
  places.push_back({config.root.get(), "config.json"});
  return places;
}

bool says(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value != nullptr && !value->is_null() && !(value->is_bool() && !value->as_bool()) &&
         !(value->is_array() && value->items().empty());
}

// How a decoder's text begins, and what the reference would keep out of it, of which a sentence
// is all that we have: whoever makes a request bans tokens.
Status read_decoder_start(const HfConfig& config, const Json& generation, Words& words) {
  const std::vector<Place> places = generation_places(config, generation);
  const auto first_with = [&](std::string_view key) {
    return std::find_if(places.begin(), places.end(),
                        [&](const Place& place) { return says(*place.object, key); });
  };
  for (const char* key : {"decoder_start_token_id", "forced_bos_token_id"}) {
    const auto place = first_with(key);
    if (place == places.end()) continue;
    std::vector<TokenId> ids;
    QUIRE_RETURN_IF_ERROR(read_ids(*place->object, place->file, key, config.vocab, ids));
    words.decoder_start.insert(words.decoder_start.end(), ids.begin(), ids.end());
  }
  // As files said it before there was forced_bos_token_id.
  const bool is_forced = first_with("force_bos_token_to_be_generated") != places.end();
  if (is_forced && words.decoder_start.size() == 1 && words.bos_id >= 0) {
    words.decoder_start.push_back(words.bos_id);
  }
  for (const char* key : {"bad_words_ids", "suppress_tokens", "begin_suppress_tokens"}) {
    const auto place = first_with(key);
    if (place == places.end()) continue;
    words.warnings.push_back(fmt::format(
        "{} in {}: the tokens there are not banned unless a request does it", key, place->file));
  }
  return ok_status();
}

// The generation file speaks last: a chat model adds its end of turn there.
Status read_generation(const HfConfig& config, const Json& generation, Words& words) {
  std::vector<TokenId> bos;
  const auto read_both = [&](const Json& object, std::string_view file) -> Status {
    QUIRE_RETURN_IF_ERROR(read_ids(object, file, "bos_token_id", config.vocab, bos));
    return read_ids(object, file, "eos_token_id", config.vocab, words.eos_ids);
  };
  QUIRE_RETURN_IF_ERROR(read_both(generation, "generation_config.json"));
  if (config.text != nullptr) QUIRE_RETURN_IF_ERROR(read_both(*config.text, "config.json"));
  QUIRE_RETURN_IF_ERROR(read_both(*config.root, "config.json"));
  if (!bos.empty()) words.bos_id = bos[0];
  QUIRE_RETURN_IF_ERROR(read_decoder_start(config, generation, words));
  const ConfigFields fields = ConfigFields::of_json(generation, "in generation_config.json");
  GenerationDefaults& defaults = words.generation;
  defaults.temperature = static_cast<float>(fields.number("temperature", 0, 100, -1.0));
  defaults.top_p = static_cast<float>(fields.number("top_p", 0, 1, -1.0));
  defaults.top_k = fields.integer("top_k", 0, kVocabMax, -1);
  defaults.repetition_penalty =
      static_cast<float>(fields.number("repetition_penalty", 0, 100, -1.0));
  return fields.status();
}

// "bos_token": a string, or an object with "content".
std::string token_text(const Json& root, std::string_view key) {
  const Json* value = root.find(key);
  if (value != nullptr && value->is_object()) value = value->find("content");
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

// A string, or a list of named templates of which "default" is ours.
std::string template_of(const Json& root) {
  const Json* value = root.find("chat_template");
  if (value == nullptr) return {};
  if (value->is_string()) return value->as_string();
  if (!value->is_array()) return {};
  for (const Json& item : value->items()) {
    if (token_text(item, "name") == "default") return token_text(item, "template");
  }
  return {};
}

Status read_words(const std::string& directory, Words& config) {
  QUIRE_ASSIGN_OR_RETURN(const Json words, read_object(directory, "tokenizer_config.json"));
  QUIRE_ASSIGN_OR_RETURN(const Json specials, read_object(directory, "special_tokens_map.json"));
  const auto text = [&](std::string_view key) {
    const std::string first = token_text(words, key);
    return first.empty() ? token_text(specials, key) : first;
  };
  config.bos_text = text("bos_token");
  config.eos_text = text("eos_token");
  const ConfigFields fields = ConfigFields::of_json(words, "in tokenizer_config.json");
  config.add_bos = fields.boolean("add_bos_token", false);
  config.add_eos = fields.boolean("add_eos_token", false);
  QUIRE_RETURN_IF_ERROR(fields.status());
  const Result<std::string> file =
      read_file(fs::path(directory) / "chat_template.jinja", kChatTemplateSizeMax);
  if (!file.is_ok() && file.status().code() != StatusCode::kNotFound) return file.status();
  config.chat_template = file.is_ok() ? *file : template_of(words);
  if (config.chat_template.size() > kChatTemplateSizeMax) {
    return error(StatusCode::kResourceExhausted,
                 "chat_template in tokenizer_config.json: {} bytes, at most {} are read",
                 config.chat_template.size(), kChatTemplateSizeMax);
  }
  return ok_status();
}

std::string name_of(const std::string& directory) {
  const fs::path path = fs::path(directory).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename();
}

}  // namespace

ConfigFields config_fields(std::shared_ptr<const Json> root, const Json* text, Naming naming,
                     std::function<const TensorView*(std::string_view)> tensor) {
  ConfigFields::Source source;
  source.naming = naming;
  source.tensor = std::move(tensor);
  source.find = [root, text](std::string_view name) {
    const Json* inner = text == nullptr ? nullptr : text->find(name);
    if (inner != nullptr) return Field{*inner, "of text_config in config.json"};
    const Json* value = root->find(name);
    return Field{value == nullptr ? Json() : *value, "in config.json"};
  };
  source.names = [root, text] {
    std::vector<std::string> names;
    if (text == nullptr) {
      for (const auto& [name, value] : root->members()) names.push_back(name);
      return names;
    }
    // Around a text model stand the options of what else there is, which is left out.
    for (const auto& [name, value] : text->members()) names.push_back(name);
    return names;
  };
  return ConfigFields(std::move(source));
}

ConfigFields HfConfig::fields(std::function<const TensorView*(std::string_view)> tensor) const {
  return config_fields(root, text, Naming::kHuggingFace, std::move(tensor));
}

Result<HfConfig> read_hf_config(const std::string& directory) {
  QUIRE_ASSIGN_OR_RETURN(Json root, read_object(directory, "config.json"));
  QUIRE_ASSIGN_OR_RETURN(const Json generation, read_object(directory, "generation_config.json"));
  QUIRE_ASSIGN_OR_RETURN(Json modules, read_sentence_modules(directory));
  HfConfig config;
  config.dense_folders = dense_folders(modules);
  const bool leaves_prompts_out = modules.find(kLeavesPromptsOut) != nullptr;
  if (!modules.is_null()) root.set(kModulesField, std::move(modules));
  config.root = std::make_shared<const Json>(std::move(root));
  const Json* text = config.root->find("text_config");
  if (text != nullptr && text->is_object()) config.text = text;
  config.name = name_of(directory);
  const ConfigFields fields = config.fields(nullptr);
  config.architecture = fields.string("model_type");
  config.classes = fields.strings("architectures");
  config.vocab = fields.integer("vocab_size", 1, kVocabMax);
  QUIRE_RETURN_IF_ERROR(fields.status());
  QUIRE_RETURN_IF_ERROR(read_generation(config, generation, config.words));
  QUIRE_RETURN_IF_ERROR(read_words(directory, config.words));
  QUIRE_RETURN_IF_ERROR(
      read_sentence_words(directory, *config.root, leaves_prompts_out, config.words));
  return config;
}

}  // namespace quire
