#include "formats/config/sentence_words.h"

#include <charconv>
#include <filesystem>

#include "base/file.h"
#include "formats/config/config_ranges.h"
#include "formats/config/fields.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPromptsMax = 64;
constexpr std::size_t kPromptSizeMax = 16 * 1024;  // bytes
constexpr std::size_t kLabelsMax = 1 << 16;
constexpr std::size_t kLabelSizeMax = 1024;  // bytes

// An empty object if the file is absent.
Result<Json> read_object(const std::string& directory, const char* name) {
  const Result<std::string> text = read_file(fs::path(directory) / name, kConfigFileSizeMax);
  if (!text.is_ok()) {
    if (text.status().code() == StatusCode::kNotFound) return Json::object();
    return text.status();
  }
  Result<Json> json = parse_json(*text);
  if (!json.is_ok()) {
    return error(StatusCode::kCorrupt, "'{}': {}", name, json.status().message());
  }
  if (!json->is_object()) {
    return error(StatusCode::kCorrupt, "'{}': it is {}, not an object", name,
                 kind_name(json->kind()));
  }
  return json;
}

Status read_length(const std::string& directory, Words& words) {
  QUIRE_ASSIGN_OR_RETURN(const Json json, read_object(directory, "sentence_bert_config.json"));
  const ConfigFields fields = ConfigFields::of_json(json, "in sentence_bert_config.json");
  words.pooled.tokens_max = fields.integer("max_seq_length", 1, kContextMax, 0);
  if (fields.boolean("do_lower_case", false)) {
    words.warnings.emplace_back("do_lower_case in sentence_bert_config.json: texts are tokenized "
                                "as they are, a client must write them in lower case");
  }
  return fields.status();
}

Status read_prompts(const std::string& directory, bool leaves_prompts_out, Words& words) {
  constexpr const char* kFile = "config_sentence_transformers.json";
  QUIRE_ASSIGN_OR_RETURN(const Json json, read_object(directory, kFile));
  const Json* prompts = json.find("prompts");
  if (prompts == nullptr || prompts->is_null()) return ok_status();
  if (!prompts->is_object() || prompts->members().size() > kPromptsMax) {
    return error(StatusCode::kCorrupt, "prompts in {}: not an object of up to {} texts", kFile,
                 kPromptsMax);
  }
  for (const auto& [name, text] : prompts->members()) {
    if (!text.is_string() || text.as_string().size() > kPromptSizeMax) {
      return error(StatusCode::kCorrupt, "prompts in {}: '{}' is no text of up to {} bytes", kFile,
                   name.substr(0, 64), kPromptSizeMax);
    }
    words.pooled.prompts.emplace_back(name, text.as_string());
  }
  if (leaves_prompts_out && !words.pooled.prompts.empty()) {
    words.pooled.prompts.clear();
    words.warnings.push_back(fmt::format("prompts in {}: they cannot be left out of the mean, as "
                                         "include_prompt asks, and are not offered", kFile));
    return ok_status();
  }
  const Json* chosen = json.find("default_prompt_name");
  if (chosen == nullptr || chosen->is_null()) return ok_status();
  if (!chosen->is_string() || prompts->find(chosen->as_string()) == nullptr) {
    return error(StatusCode::kCorrupt, "default_prompt_name in {}: there is no such prompt", kFile);
  }
  words.pooled.default_prompt = chosen->as_string();
  return ok_status();
}

// {"0": "LABEL_0", ...}; one that is not named is called as the library would.
Status read_labels(const Json& config, PooledWords& pooled) {
  const Json* names = config.find("id2label");
  if (names == nullptr || !names->is_object()) return ok_status();
  const std::size_t count = names->members().size();
  if (count > kLabelsMax) {
    return error(StatusCode::kUnsupported, "id2label in config.json: {} labels, at most {}", count,
                 kLabelsMax);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Json* name = names->find(fmt::format("{}", i));
    const bool is_named = name != nullptr && name->is_string();
    pooled.labels.push_back(is_named ? name->as_string().substr(0, kLabelSizeMax)
                                     : fmt::format("LABEL_{}", i));
  }
  return ok_status();
}

Status read_vectors(const Json& config, PooledWords& pooled) {
  const ConfigFields fields = ConfigFields::of_json(config, "in config.json");
  pooled.is_matryoshka = fields.boolean("is_matryoshka", false);
  pooled.dimensions = fields.integers("matryoshka_dimensions", 1, kModelWidthMax);
  if (!pooled.dimensions.empty()) pooled.is_matryoshka = true;
  pooled.problem = fields.string("problem_type", "");
  pooled.activation = fields.string("sbert_ce_default_activation_function", "");
  if (const auto newer = fields.object("sentence_transformers")) {
    pooled.activation = newer->string("activation_fn", pooled.activation);
  }
  return fields.status();
}

}  // namespace

Status read_sentence_words(const std::string& directory, const Json& config,
                           bool leaves_prompts_out, Words& words) {
  QUIRE_RETURN_IF_ERROR(read_length(directory, words));
  QUIRE_RETURN_IF_ERROR(read_prompts(directory, leaves_prompts_out, words));
  QUIRE_RETURN_IF_ERROR(read_labels(config, words.pooled));
  return read_vectors(config, words.pooled);
}

}  // namespace quire
