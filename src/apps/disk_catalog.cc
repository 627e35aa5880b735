#include "apps/disk_catalog.h"

#include <algorithm>
#include <filesystem>

#include "apps/load.h"
#include "apps/random_files.h"
#include "serve/answer/formats/format.h"
#include "store/local_store.h"
#include "store/model_name.h"
#include "store/modelfile/ollama_store.h"

namespace quire {
namespace {

template <typename T>
void override_with(const T& value, T& argument) {
  if (value != T()) argument = value;
}

// What would be refused when the model is opened is refused now.
Status check(const ModelArguments& arguments) {
  QUIRE_RETURN_IF_ERROR(parse_kv_types(arguments.kv_cache_dtype).status());
  QUIRE_RETURN_IF_ERROR(weight_scheme(arguments).status());
  if (!arguments.kv_cache_memory.empty()) {
    QUIRE_ASSIGN_OR_RETURN(const std::uint64_t bytes, parse_bytes(arguments.kv_cache_memory));
    if (bytes == 0) {
      return error(StatusCode::kInvalidArgument, "kv_cache_memory '{}' is room for nothing",
                   arguments.kv_cache_memory);
    }
  }
  const std::string& calls = arguments.tool_call_parser;
  if (!calls.empty() && find_call_format(calls) == nullptr) {
    return error(StatusCode::kInvalidArgument, "tool_call_parser '{}' is not known", calls);
  }
  const std::string& thoughts = arguments.reasoning_parser;
  if (!thoughts.empty() && thoughts != "none" && find_thought_format(thoughts) == nullptr) {
    return error(StatusCode::kInvalidArgument, "reasoning_parser '{}' is not known", thoughts);
  }
  return ok_status();
}

}  // namespace

Result<ModelRecipe> DiskCatalog::recipe(const std::string& source, std::vector<std::string> names,
                                        const ModelOverrides& overrides) const {
  std::error_code failure;
  const bool is_there =
      is_random_model(source) || has(source) || std::filesystem::exists(source, failure);
  if (source.empty() || !is_there) {
    return error(StatusCode::kNotFound, "there is no file and no model of the store called '{}'",
                 source);
  }
  NamedModel model;
  ModelArguments& arguments = model.arguments = options_.common;
  arguments.model = source;
  override_with(overrides.context_max, arguments.max_model_len);
  override_with(overrides.rows_max, arguments.max_num_seqs);
  override_with(overrides.tokens_max, arguments.max_num_batched_tokens);
  override_with(overrides.queue_max, arguments.max_queue);
  override_with(overrides.instances, arguments.instances);
  arguments.batching = overrides.batching;
  override_with(overrides.kv_cache_dtype, arguments.kv_cache_dtype);
  override_with(overrides.kv_cache_memory, arguments.kv_cache_memory);
  override_with(overrides.quantize, arguments.quantize);
  override_with(overrides.tokenizer, arguments.tokenizer);
  override_with(overrides.chat_template, arguments.chat_template);
  override_with(overrides.tool_call_parser, arguments.tool_call_parser);
  override_with(overrides.reasoning_parser, arguments.reasoning_parser);
  override_with(overrides.adapters, arguments.adapters);
  QUIRE_RETURN_IF_ERROR(check(arguments));
  model.names = std::move(names);
  if (model.names.empty()) model.names = {default_name(arguments)};
  return make_recipe(model, options_.device, options_.limit, options_.report);
}

Result<std::shared_ptr<const Tokenizer>> DiskCatalog::tokenizer(const std::string& source,
                                                                const std::string& file) const {
  ModelArguments arguments = options_.common;
  arguments.model = source;
  override_with(file, arguments.tokenizer);
  QUIRE_ASSIGN_OR_RETURN(const OpenedFiles opened, open_files(arguments));
  return load_tokenizer(*opened.files);
}

Result<ModelLook> DiskCatalog::look(const std::string& source) const {
  ModelArguments arguments = options_.common;
  arguments.model = source;
  return look_at(arguments);
}

bool DiskCatalog::has(const std::string& name) const {
  if (!store::ModelName::parse(name).is_ok()) return false;
  const auto store = store::LocalStore::open();
  if (store.is_ok() && store->find(name).is_ok()) return true;
  const auto theirs = store::OllamaStore::open();
  return theirs && theirs->find(name).is_ok();
}

std::vector<std::string> DiskCatalog::names() const {
  std::vector<std::string> names;
  const auto store = store::LocalStore::open();
  if (store.is_ok()) {
    for (const store::Manifest& manifest : store->list().models) names.push_back(manifest.name);
  }
  const auto theirs = store::OllamaStore::open();
  for (std::string& name : theirs ? theirs->names() : std::vector<std::string>()) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

}  // namespace quire
