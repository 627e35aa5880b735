#include "host/repository/ensemble/tokenizer_terms.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <utility>

#include "base/file.h"

namespace quire {
namespace {

constexpr std::size_t kTokenizerBytesMax = std::size_t{256} << 20;

template <typename... Args>
Status wrong(fmt::format_string<Args...> format, Args&&... args) {
  return Status(StatusCode::kInvalidArgument, fmt::format(format, std::forward<Args>(args)...));
}

bool is_text(const ModelTensor& tensor) {
  return tensor.data_type == "TYPE_STRING" && tensor.dims == std::vector<std::int64_t>{1};
}

bool is_integer(const ModelTensor& tensor, std::int64_t dim) {
  const bool is_good = tensor.data_type == "TYPE_INT32" || tensor.data_type == "TYPE_INT64";
  return is_good && tensor.dims == std::vector<std::int64_t>{dim};
}

// The side with the ids: those, and maybe how many they are.
Status read_ids(const std::vector<ModelTensor>& tensors, const char* field, TokenizerTerms& terms) {
  for (const ModelTensor& tensor : tensors) {
    std::string* name = is_integer(tensor, -1)  ? &terms.ids
                        : is_integer(tensor, 1) ? &terms.length
                                                : nullptr;
    if (name == nullptr || !name->empty()) {
      return wrong("'{}' '{}' of a tokenizer must be the ids (TYPE_INT32 or TYPE_INT64, dims -1) "
                   "or how many they are (dims 1), each once", field, tensor.name);
    }
    *name = tensor.name;
  }
  if (!terms.ids.empty()) return ok_status();
  return wrong("'{}' of a tokenizer has no ids: TYPE_INT32 or TYPE_INT64, dims -1", field);
}

Status read_text(const std::vector<ModelTensor>& tensors, const char* field,
                 TokenizerTerms& terms) {
  if (tensors.size() != 1 || !is_text(tensors.front())) {
    return wrong("'{}' of a tokenizer must be one text (TYPE_STRING, dims 1)", field);
  }
  terms.text = tensors.front().name;
  return ok_status();
}

Status read_parameter(const std::string& name, const std::string& value, TokenizerTerms& terms) {
  const std::pair<const char*, std::pair<bool, bool*>> flags[] = {  // of which direction
      {"add_special_tokens", {true, &terms.adds_special}},
      {"parse_special_tokens", {true, &terms.parses_special}},
      {"skip_special_tokens", {false, &terms.skips_special}}};
  for (const auto& [known, place] : flags) {
    if (name != known) continue;
    if (place.first != terms.encodes) {
      return wrong("'parameters[{}]' is not for a tokenizer that makes {}", name,
                   terms.encodes ? "ids of texts" : "texts of ids");
    }
    if (value != "true" && value != "false") {
      return wrong("'parameters[{}]' must be true or false, not '{}'", name, value.substr(0, 64));
    }
    *place.second = value == "true";
    return ok_status();
  }
  if (name != "pad_id") return wrong("'parameters[{}]' is not known", name.substr(0, 64));
  if (!terms.encodes) {
    return wrong("'parameters[pad_id]' is not for a tokenizer that makes texts of ids: an input of "
                 "dims 1 says how many of them count");
  }
  TokenId pad = 0;
  const char* end = value.data() + value.size();
  const auto read = std::from_chars(value.data(), end, pad);
  if (read.ec != std::errc() || read.ptr != end || pad < 0) {
    return wrong("'parameters[pad_id]' must be a token id, not '{}'", value.substr(0, 64));
  }
  terms.pad = pad;
  return ok_status();
}

Result<std::shared_ptr<const Tokenizer>> read_words(const ModelConfig& config,
                                                    const VersionFolder& version,
                                                    const ModelCatalog& catalog) {
  const std::filesystem::path own = std::filesystem::path(version.path) / "tokenizer.json";
  std::error_code failure;
  const bool names_none = config.source.empty() && config.overrides.tokenizer.empty();
  std::string file = config.overrides.tokenizer, source;
  if (names_none && config.file.empty() && std::filesystem::exists(own, failure)) {
    file = own.string();
  } else if (!config.source.empty() || file.empty()) {
    QUIRE_ASSIGN_OR_RETURN(const VersionSource found, find_source(version, config));
    source = found.source;
    file = found.overrides.tokenizer;
  } else if (std::filesystem::exists(std::filesystem::path(version.path) / file, failure)) {
    file = (std::filesystem::path(version.path) / file).string();
  }
  if (file.empty() && source.ends_with(".json")) std::swap(file, source);
  if (!source.empty()) return catalog.tokenizer(source, file);
  QUIRE_ASSIGN_OR_RETURN(const std::string json, read_file(file, kTokenizerBytesMax));
  auto words = Tokenizer::from_json(json);
  if (words.is_ok()) return words;
  return wrong("'{}': {}", file, words.status().message());
}

}  // namespace

Result<TokenizerTerms> read_tokenizer_terms(const ModelConfig& config, const VersionFolder& version,
                                            const ModelCatalog& catalog) {
  TokenizerTerms terms;
  if (config.inputs.empty() || config.outputs.empty()) {
    return wrong("'{}' is missing: a tokenizer's tensors say whether it makes ids of texts or "
                 "texts of ids", config.inputs.empty() ? "input" : "output");
  }
  for (const ModelTensor& input : config.inputs) {
    if (input.data_type == "TYPE_STRING") continue;
    terms.encodes = false;
  }
  if (terms.encodes) {
    QUIRE_RETURN_IF_ERROR(read_text(config.inputs, "input", terms));
    QUIRE_RETURN_IF_ERROR(read_ids(config.outputs, "output", terms));
  } else {
    QUIRE_RETURN_IF_ERROR(read_ids(config.inputs, "input", terms));
    QUIRE_RETURN_IF_ERROR(read_text(config.outputs, "output", terms));
  }
  for (const auto& [name, value] : config.own_parameters) {
    QUIRE_RETURN_IF_ERROR(read_parameter(name, value, terms));
  }
  QUIRE_ASSIGN_OR_RETURN(terms.tokenizer, read_words(config, version, catalog));
  return terms;
}

}  // namespace quire
