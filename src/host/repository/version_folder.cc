#include "host/repository/version_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "host/repository/files/model_bounds.h"
#include "host/repository/files/model_folders.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kModelJsonMax = std::size_t{1} << 20;
constexpr int kFoldersMax = 4;

// 0: it is no version.
std::uint64_t version_of(const std::string& name) {
  std::uint64_t version = 0;
  const char* end = name.data() + name.size();
  const auto read = std::from_chars(name.data(), end, version);
  const bool is_number = read.ec == std::errc() && read.ptr == end && !name.starts_with('0');
  return is_number ? version : 0;
}

struct FileFacts {
  std::string name;
  std::uint64_t size = 0;
  std::int64_t changed = 0;
};

void collect(const fs::path& folder, const std::string& prefix, int depth,
             std::vector<FileFacts>& files) {
  std::error_code failure;
  for (fs::directory_iterator it(folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    if (files.size() >= kFilesMax) return;
    std::error_code problem;
    const std::string name = prefix + it->path().filename().string();
    if (it->is_directory(problem)) {
      if (depth < kFoldersMax) collect(it->path(), name + "/", depth + 1, files);
      continue;
    }
    FileFacts facts{.name = name};
    facts.size = it->file_size(problem);
    facts.changed = it->last_write_time(problem).time_since_epoch().count();
    files.push_back(std::move(facts));
  }
}

bool is_model_file(const fs::path& path) {
  return path.extension() == ".gguf" || path.extension() == ".bin";
}

// Those of vLLM's engine arguments that have no meaning of their own here.
constexpr std::array kToldArguments = {
    "disable_log_requests", "disable_log_stats", "dtype",           "enforce_eager",
    "gpu_memory_utilization", "max_parallel_loading_workers",       "swap_space",
    "trust_remote_code",    "tokenizer_mode",    "distributed_executor_backend"};

Status wrong_folder(const std::string& path, std::string_view what) {
  return error(StatusCode::kInvalidArgument, "'{}': {}", path, what);
}

Status read_argument(const std::string& path, const std::string& name, const Json& value,
                     VersionSource& found) {
  const std::pair<std::string_view, std::uint32_t*> numbers[] = {
      {"max_model_len", &found.overrides.context_max},
      {"max_num_seqs", &found.overrides.rows_max},
      {"max_num_batched_tokens", &found.overrides.tokens_max},
      {"data_parallel_size", &found.overrides.instances}};
  const std::pair<std::string_view, std::string*> texts[] = {
      {"model", &found.source},
      {"tokenizer", &found.overrides.tokenizer},
      {"kv_cache_dtype", &found.overrides.kv_cache_dtype}};
  for (const auto& [known, number] : numbers) {
    if (name != known) continue;
    const std::uint32_t max = model_bound(known);
    if (!value.is_int() || value.as_int() < 1 || value.as_int() > max) {
      return wrong_folder(path, fmt::format("'{}' must be an integer from 1 to {}", name, max));
    }
    *number = static_cast<std::uint32_t>(value.as_int());
    return ok_status();
  }
  for (const auto& [known, text] : texts) {
    if (name != known) continue;
    if (!value.is_string()) return wrong_folder(path, fmt::format("'{}' must be a string", name));
    *text = value.as_string();
    return ok_status();
  }
  if (std::find(kToldArguments.begin(), kToldArguments.end(), name) != kToldArguments.end()) {
    found.warnings.push_back(fmt::format("'{}' of model.json does nothing here", name));
    return ok_status();
  }
  return wrong_folder(path, fmt::format("'{}' is not known", name.substr(0, 64)));
}

Status read_model_json(const std::string& path, VersionSource& found) {
  QUIRE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kModelJsonMax));
  const Result<Json> json = parse_json(text);
  if (!json.is_ok()) return wrong_folder(path, json.status().message());
  if (!json->is_object()) return wrong_folder(path, "expected an object");
  for (const auto& [name, value] : json->members()) {
    QUIRE_RETURN_IF_ERROR(read_argument(path, name, value, found));
  }
  return found.source.empty() ? wrong_folder(path, "it names no 'model'") : ok_status();
}

// From the folder on, where there is such a thing.
void begin_at(const fs::path& folder, std::string& path) {
  std::error_code failure;
  if (path.empty() || fs::path(path).is_absolute()) return;
  if (fs::exists(folder / path, failure)) path = (folder / path).string();
}

Status find_file(const fs::path& folder, std::string& source) {
  std::error_code failure;
  if (fs::exists(folder / "config.json", failure)) {
    source = folder.string();
    return ok_status();
  }
  std::vector<std::string> files;
  for (fs::directory_iterator it(folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    if (is_model_file(it->path())) files.push_back(it->path().string());
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    return error(StatusCode::kNotFound,
                 "there is no model in '{}': neither a model file, nor a config.json, nor a "
                 "model.json", folder.string());
  }
  // A model in parts is opened by its first.
  const bool is_split = files.front().find("-00001-of-") != std::string::npos;
  if (files.size() > 1 && !is_split) {
    return error(StatusCode::kInvalidArgument,
                 "there are {} model files in '{}': 'default_model_filename' may name one",
                 files.size(), folder.string());
  }
  source = files.front();
  return ok_status();
}

bool is_inside(const fs::path& folder, const std::string& path) {
  std::error_code failure;
  const fs::path from = fs::canonical(folder, failure);
  const fs::path to = failure ? fs::path() : fs::canonical(folder / path, failure);
  if (failure) return false;
  const fs::path way = to.lexically_relative(from);
  return !way.empty() && *way.begin() != "..";
}

}  // namespace

Result<std::vector<VersionFolder>> find_versions(const std::string& model_folder) {
  std::vector<VersionFolder> versions;
  std::error_code failure;
  for (fs::directory_iterator it(model_folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    const std::uint64_t version = version_of(it->path().filename().string());
    std::error_code problem;
    if (version == 0) continue;
    if (!it->is_directory(problem) &&
        why_unseen(model_folder, it->path().filename().string()).empty()) {
      continue;
    }
    if (versions.size() == kVersionsMax) {
      return error(StatusCode::kInvalidArgument, "'{}' has over {} versions", model_folder,
                   kVersionsMax);
    }
    versions.push_back({version, it->path().string(), 0});
  }
  if (failure) {
    return error(StatusCode::kUnavailable, "'{}' cannot be read: {}", model_folder,
                 failure.message());
  }
  std::sort(versions.begin(), versions.end(),
            [](const auto& a, const auto& b) { return a.version < b.version; });
  for (VersionFolder& version : versions) version.stamp = stamp_of(version.path);
  return versions;
}

std::uint64_t stamp_of(const std::string& folder) {
  std::vector<FileFacts> files;
  collect(folder, "", 0, files);
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  std::uint64_t stamp = 0;
  for (const FileFacts& file : files) {
    const std::string line = fmt::format("{} {} {}", file.name, file.size, file.changed);
    stamp = hash_bytes(line.data(), line.size(), stamp);
  }
  return stamp;
}

Result<VersionSource> find_source(const VersionFolder& version, const ModelConfig& config) {
  VersionSource found;
  const fs::path folder = version.path;
  std::error_code failure;
  if (!config.source.empty()) {
    found.source = config.source;
  } else if (!config.file.empty() && config.file != "model.json") {
    if (config.file.find('/') != std::string::npos || !fs::exists(folder / config.file, failure)) {
      return error(StatusCode::kNotFound, "'default_model_filename': there is no '{}' in '{}'",
                   config.file, version.path);
    }
    found.source = (folder / config.file).string();
  } else if (is_file((folder / "model.json").string())) {
    QUIRE_RETURN_IF_ERROR(read_model_json((folder / "model.json").string(), found));
  } else {
    QUIRE_RETURN_IF_ERROR(find_file(folder, found.source));
  }
  const ModelOverrides& above = config.overrides;  // it goes before what model.json says
  ModelOverrides overrides = above;
  if (overrides.context_max == 0) overrides.context_max = found.overrides.context_max;
  if (overrides.rows_max == 0) overrides.rows_max = found.overrides.rows_max;
  if (overrides.tokens_max == 0) overrides.tokens_max = found.overrides.tokens_max;
  if (overrides.instances == 0) overrides.instances = found.overrides.instances;
  if (overrides.tokenizer.empty()) overrides.tokenizer = found.overrides.tokenizer;
  if (overrides.kv_cache_dtype.empty()) overrides.kv_cache_dtype = found.overrides.kv_cache_dtype;
  found.overrides = std::move(overrides);
  begin_at(folder, found.source);
  begin_at(folder, found.overrides.tokenizer);
  begin_at(folder, found.overrides.chat_template);
  return found;
}

Status check_asked_files(const VersionFolder& version, const ModelConfig& config,
                         const ModelConfig& own) {
  const std::pair<std::string_view, std::string ModelOverrides::*> files[] = {
      {"tokenizer", &ModelOverrides::tokenizer}, {"chat_template", &ModelOverrides::chat_template}};
  for (const auto& [name, member] : files) {
    const std::string& path = config.overrides.*member;
    if (path.empty() || path == own.overrides.*member || is_inside(version.path, path)) continue;
    return error(StatusCode::kInvalidArgument,
                 "parameter '{}' of a config that comes with a request must be a file in '{}'",
                 name, version.path);
  }
  const std::string& source = config.source;
  std::error_code failure;
  const bool is_stored = source.starts_with("hf:") ||
                         (source.find('/') == std::string::npos && !fs::exists(source, failure));
  if (source.empty() || source == own.source || is_stored || is_inside(version.path, source)) {
    return ok_status();
  }
  return error(StatusCode::kInvalidArgument,
               "parameter 'model' of a config that comes with a request must be a model of the "
               "store or a file in '{}'", version.path);
}

}  // namespace quire
