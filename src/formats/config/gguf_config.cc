#include "formats/config/gguf_config.h"

#include <algorithm>

#include "formats/config/config_ranges.h"

namespace quire {
namespace {

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";

constexpr std::string_view kNowhere = "in the metadata at offset 24";

// An array of up to kListMax numbers, flags or strings as a list; a longer one as a text that says
// what it is, which no reader wants.
Json array_of(const GgufFile& file, const GgufEntry& entry) {
  Json list = Json::array();
  if (entry.count <= kListMax) {
    if (const auto ints = file.int32s(entry.key); ints.is_ok()) {
      for (const std::int32_t value : *ints) list.push(value);
      return list;
    }
    if (const auto floats = file.floats(entry.key); floats.is_ok()) {
      for (const float value : *floats) list.push(double{value});
      return list;
    }
    if (const auto flags = file.booleans(entry.key); flags.is_ok()) {
      for (const bool value : *flags) list.push(value);
      return list;
    }
    if (const auto texts = file.strings(entry.key); texts.is_ok()) {
      for (const std::string& value : *texts) list.push(value);
      return list;
    }
  }
  return fmt::format("an array of {} {}", entry.count, gguf_type_name(entry.element_type));
}

Field field_of(const GgufFile& file, std::string_view key) {
  const GgufEntry* entry = file.find_entry(key);
  if (entry == nullptr) return {Json(), std::string(kNowhere)};
  Field field = {Json(), fmt::format("at offset {}", entry->offset)};
  switch (entry->type) {
    case GgufType::kBool:
      field.value = **file.boolean(key);
      break;
    case GgufType::kString:
      field.value = std::string(**file.string(key));
      break;
    case GgufType::kF32:
    case GgufType::kF64:
      field.value = **file.f64(key);
      break;
    case GgufType::kArray:
      field.value = array_of(file, *entry);
      break;
    default:
      if (const auto value = file.i64(key); value.is_ok()) {
        field.value = **value;
      } else {
        field.value = "an integer above 63 bits";
      }
  }
  return field;
}

ConfigFields fields_of(std::shared_ptr<const GgufFile> file, std::string prefix) {
  ConfigFields::Source source;
  source.naming = Naming::kGguf;
  source.prefix = std::move(prefix);
  source.find = [file](std::string_view key) { return field_of(*file, key); };
  source.names = [file] {
    std::vector<std::string> names;
    for (const GgufEntry& entry : file->entries()) names.emplace_back(entry.key);
    return names;
  };
  source.tensor = [file](std::string_view name) { return file->find_tensor(name); };
  source.place_of = [file](const TensorView& tensor) {
    return fmt::format("at offset {}", file->offset_of(tensor));
  };
  return ConfigFields(std::move(source));
}

// One id of the vocabulary; -1 if the key is absent.
TokenId token_id(const ConfigFields& fields, const char* key, int vocab) {
  return fields.has(key) ? fields.integer(key, 0, vocab - 1) : -1;
}

Status read_words(const GgufFile& file, const ConfigFields& fields, int vocab, Words& config) {
  QUIRE_ASSIGN_OR_RETURN(const GgufVocabulary vocabulary, read_gguf_vocabulary(file));
  config.bos_id = token_id(fields, "tokenizer.ggml.bos_token_id", vocab);
  // The end of a turn ends an answer as the end of a text does.
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                          "tokenizer.ggml.eom_token_id"}) {
    const TokenId id = token_id(fields, key, vocab);
    const bool is_new =
        std::find(config.eos_ids.begin(), config.eos_ids.end(), id) == config.eos_ids.end();
    if (id >= 0 && is_new) config.eos_ids.push_back(id);
  }
  config.chat_template = fields.string("tokenizer.chat_template", "");
  config.pooled.pair_text = fields.string("tokenizer.chat_template.rerank", "");
  if (config.pooled.pair_text.size() > kChatTemplateSizeMax) config.pooled.pair_text.clear();
  if (config.chat_template.size() > kChatTemplateSizeMax) {
    return error(StatusCode::kResourceExhausted,
                 "tokenizer.chat_template at offset {}: {} bytes, at most {} are read",
                 file.find_entry("tokenizer.chat_template")->offset, config.chat_template.size(),
                 kChatTemplateSizeMax);
  }
  QUIRE_RETURN_IF_ERROR(fields.status());
  config.add_bos = !vocabulary.tokens.empty() && adds_bos(vocabulary);
  config.add_eos = vocabulary.add_eos.value_or(false);
  config.is_of_gguf = true;
  config.warnings = vocabulary_warnings(vocabulary);
  if (vocabulary.tokens.empty()) return ok_status();
  if (config.bos_id >= 0) config.bos_text = vocabulary.tokens[config.bos_id];
  if (!config.eos_ids.empty()) config.eos_text = vocabulary.tokens[config.eos_ids[0]];
  return ok_status();
}

}  // namespace

Result<GgufConfig> read_gguf_config(std::shared_ptr<const GgufFile> shared) {
  const GgufFile& file = *shared;
  const ConfigFields keys = fields_of(shared, "");
  GgufConfig config;
  const std::string type = keys.string("general.type", "model");
  config.architecture = keys.string("general.architecture");
  config.name = keys.string("general.name", "");
  QUIRE_RETURN_IF_ERROR(keys.status());
  if (type != "model") {
    return error(StatusCode::kUnsupported, "general.type at offset {}: '{}' is not a model",
                 file.find_entry("general.type")->offset, type.substr(0, 64));
  }
  const GgufEntry* tokens = file.find_entry(kTokens);
  const std::string vocab_key = config.architecture + ".vocab_size";
  config.vocab = keys.integer(vocab_key.c_str(), 1, kVocabMax,
                              tokens ? std::optional<int>(1) : std::nullopt);
  QUIRE_RETURN_IF_ERROR(keys.status());
  if (tokens != nullptr) {
    if (tokens->type != GgufType::kArray || tokens->count < 1 || tokens->count > kVocabMax) {
      return error(StatusCode::kCorrupt, "{} at offset {}: not an array of 1 to {} tokens", kTokens,
                   tokens->offset, kVocabMax);
    }
    config.vocab = static_cast<int>(tokens->count);
    keys.refuse_unless(vocab_key.c_str(), config.vocab);
  }
  QUIRE_RETURN_IF_ERROR(read_words(file, keys, config.vocab, config.words));
  config.fields = fields_of(shared, config.architecture + ".");
  const TokenId start =
      token_id(keys, (config.architecture + ".decoder_start_token_id").c_str(), config.vocab);
  config.words.pooled.labels =
      keys.strings((config.architecture + ".classifier.output_labels").c_str());
  QUIRE_RETURN_IF_ERROR(keys.status());
  if (start >= 0) config.words.decoder_start = {start};
  return config;
}

Result<GgufVocabulary> read_gguf_vocabulary(const GgufFile& file) {
  GgufVocabulary vocabulary;
  const auto text = [&file](std::string_view key, std::string& target) -> Status {
    QUIRE_ASSIGN_OR_RETURN(const auto value, file.string(key));
    if (value) target = *value;
    return ok_status();
  };
  QUIRE_RETURN_IF_ERROR(text("tokenizer.ggml.model", vocabulary.model));
  QUIRE_RETURN_IF_ERROR(text("tokenizer.ggml.pre", vocabulary.pre));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.tokens, file.strings(kTokens));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.scores, file.floats("tokenizer.ggml.scores"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.token_types, file.int32s("tokenizer.ggml.token_type"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.merges, file.strings("tokenizer.ggml.merges"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.bos, file.u64("tokenizer.ggml.bos_token_id"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.eos, file.u64("tokenizer.ggml.eos_token_id"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.unknown, file.u64("tokenizer.ggml.unknown_token_id"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.cls, file.u64("tokenizer.ggml.cls_token_id"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.separator, file.u64("tokenizer.ggml.seperator_token_id"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.padding, file.u64("tokenizer.ggml.padding_token_id"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.mask, file.u64("tokenizer.ggml.mask_token_id"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.add_bos, file.boolean("tokenizer.ggml.add_bos_token"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.add_eos, file.boolean("tokenizer.ggml.add_eos_token"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.add_space_prefix,
                         file.boolean("tokenizer.ggml.add_space_prefix"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.character_map,
                         file.bytes("tokenizer.ggml.precompiled_charsmap"));
  QUIRE_ASSIGN_OR_RETURN(const auto removes_spaces,
                         file.boolean("tokenizer.ggml.remove_extra_whitespaces"));
  vocabulary.removes_extra_spaces = removes_spaces.value_or(false);
  return vocabulary;
}

Result<std::string> read_gguf_tokenizer(const GgufFile& file) {
  QUIRE_ASSIGN_OR_RETURN(const GgufVocabulary vocabulary, read_gguf_vocabulary(file));
  Result<std::string> json = gguf_tokenizer_json(vocabulary);
  if (json.is_ok()) return json;
  // The message begins with the key ("tokenizer.ggml.tokens[7]: ..."); only we know its offset.
  const std::string& message = json.status().message();
  const GgufEntry* entry = file.find_entry(message.substr(0, message.find_first_of("[: ")));
  return error(json.status().code(), "{} (the value is at offset {})", message,
               entry ? entry->offset : 0);
}

}  // namespace quire
