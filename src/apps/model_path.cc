#include "apps/model_path.h"

#include <algorithm>
#include <filesystem>

#include "apps/fetch_progress.h"
#include "model/model_files.h"
#include "store/default_model.h"
#include "store/model_name.h"
#include "store/modelfile/ollama_store.h"
#include "store/packaged_model.h"
#include "store/pull.h"
#include "terminal/nearest_word.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

std::string name_of_file(const std::string& argument) {
  std::error_code failure;
  fs::path path = fs::path(argument).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return fs::is_directory(argument, failure) ? path.filename().string() : path.stem().string();
}

std::vector<AdapterChoice> choices_of(const std::vector<std::string>& paths) {
  std::vector<AdapterChoice> choices;
  for (const std::string& path : paths) choices.push_back({.path = path, .scale = 1});
  return choices;
}

Result<FoundModel> found_in_store(const store::LocalStore& store, const store::Manifest& manifest) {
  FoundModel found;
  QUIRE_ASSIGN_OR_RETURN(found.path, store.path_of(manifest));
  found.manifest = manifest;
  found.dress = manifest.dress;
  found.adapters = choices_of(store.adapter_paths(manifest));
  return found;
}

// OWNER/NAME without a file of that name: the user knows other programs.
bool looks_like_hub_name(const std::string& argument) {
  return std::count(argument.begin(), argument.end(), '/') == 1 &&
         store::ModelName::parse("hf:" + argument).is_ok() &&
         fs::path(argument).extension() != ".gguf";
}

Status nothing_found(const store::LocalStore& store, const std::string& argument) {
  if (looks_like_hub_name(argument)) {
    return error(StatusCode::kNotFound,
                 "there is no file '{}'. Did you mean the model of the hub, 'hf:{}'?", argument,
                 argument);
  }
  return with_suggestion(
      store, argument,
      error(StatusCode::kNotFound, "there is no file and no model of the store called '{}'",
            argument));
}

}  // namespace

Result<store::LocalStore> open_store() {
  QUIRE_ASSIGN_OR_RETURN(store::LocalStore store, store::LocalStore::open());
  if (store.find(store::kDefaultModelEntry).status().code() == StatusCode::kNotFound) {
    // Nothing to take over is the usual case, and a damaged file is fetched anew when it is needed.
    static_cast<void>(store::adopt_default_model(store).is_ok());
  }
  return store;
}

Status check_opens(const std::string& path, const std::vector<std::string>& adapters) {
  return open_model(path, {}, choices_of(adapters)).status();
}

Status with_suggestion(const store::LocalStore& store, const std::string& name,
                       const Status& problem) {
  if (problem.code() != StatusCode::kNotFound) return problem;
  std::vector<std::string> names;
  for (const std::string_view known : store::packaged_model_names()) names.emplace_back(known);
  for (const store::Manifest& manifest : store.list().models) names.push_back(manifest.name);
  const std::string near = nearest_word(name, names);
  if (near.empty() || near == name) return problem;
  return error(problem.code(), "{}. Did you mean '{}'?", problem.message(), near);
}

std::string model_name(const std::string& argument) {
  if (argument.empty()) return store::kDefaultModelName;
  if (store::can_pull(argument)) return argument;
  const auto store = store::LocalStore::open();
  const bool is_stored = store.is_ok() && store->find(argument).is_ok();
  std::error_code failure;
  if (is_stored || fs::exists(argument, failure)) {
    return is_stored ? argument : name_of_file(argument);
  }
  const auto theirs = store::OllamaStore::open();
  return theirs && theirs->find(argument).is_ok() ? argument : name_of_file(argument);
}

Result<FoundModel> find_model(const std::string& argument) {
  const std::string name = argument.empty() ? store::kDefaultModelEntry : argument;
  const bool is_name = store::ModelName::parse(name).is_ok();
  if (is_name || store::is_remote_name(name)) {
    QUIRE_RETURN_IF_ERROR(store::ModelName::parse(name).status());
    QUIRE_ASSIGN_OR_RETURN(const store::LocalStore store, open_store());
    FetchProgress progress;
    const auto manifest = store::find_or_pull(store, name, progress, check_opens);
    if (manifest.is_ok()) return found_in_store(store, *manifest);
    if (manifest.status().code() != StatusCode::kNotFound || store::can_pull(name)) {
      return manifest.status();
    }
  }
  std::error_code failure;
  if (fs::exists(argument, failure)) return FoundModel{argument, {}, {}, {}};
  const auto theirs = is_name ? store::OllamaStore::open() : std::nullopt;
  if (theirs) {
    auto model = theirs->find(name);
    if (model.is_ok()) {
      return FoundModel{model->path, {}, model->dress, choices_of(model->adapters)};
    }
    if (model.status().code() != StatusCode::kNotFound) return model.status();
  }
  QUIRE_ASSIGN_OR_RETURN(const store::LocalStore store, open_store());
  return nothing_found(store, argument);
}

}  // namespace quire
