#include "formats/config/sentence_modules.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/file.h"
#include "formats/config/config_ranges.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kModulesMax = 16;

Result<Json> read_json(const std::string& directory, const std::string& name) {
  QUIRE_ASSIGN_OR_RETURN(const std::string text,
                         read_file(fs::path(directory) / name, kConfigFileSizeMax));
  Result<Json> json = parse_json(text);
  if (json.is_ok()) return json;
  return error(StatusCode::kCorrupt, "'{}': {}", name, json.status().message());
}

// A folder beside the model: one plain name, so that no file can lead elsewhere.
bool is_plain_folder(const std::string& name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= 64 && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), fits);
}

std::string text_of(const Json& object, std::string_view key) {
  const Json* value = object.is_object() ? object.find(key) : nullptr;
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

struct Mode {
  std::string_view field, name;
};
constexpr Mode kModes[] = {
    {"pooling_mode_cls_token", "cls"},
    {"pooling_mode_mean_tokens", "mean"},
    {"pooling_mode_lasttoken", "lasttoken"},
    {"pooling_mode_max_tokens", "max"},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
    {"pooling_mode_weightedmean_tokens", "weightedmean"},
};

// The older files have a flag for each way, the newer ones its name.
Status read_pooling(const std::string& directory, const std::string& folder, Json& modules) {
  const std::string file = folder + "/config.json";
  QUIRE_ASSIGN_OR_RETURN(const Json config, read_json(directory, file));
  std::vector<std::string> asked;
  if (const std::string mode = text_of(config, "pooling_mode"); !mode.empty()) {
    asked.push_back(mode);
  }
  for (const Mode& mode : kModes) {
    const Json* flag = config.is_object() ? config.find(mode.field) : nullptr;
    if (flag != nullptr && flag->is_bool() && flag->as_bool()) asked.emplace_back(mode.name);
  }
  if (asked.size() != 1) {
    return error(StatusCode::kUnsupported, "'{}': {} ways of pooling are asked for, not one", file,
                 asked.size());
  }
  if (asked[0] != "cls" && asked[0] != "mean" && asked[0] != "lasttoken") {
    return error(StatusCode::kUnsupported,
                 "'{}': pooling by '{}' is not supported; known are cls, mean, lasttoken", file,
                 asked[0].substr(0, 64));
  }
  modules.set("pooling", asked[0]);
  const Json* includes = config.find("include_prompt");
  if (includes != nullptr && includes->is_bool() && !includes->as_bool()) {
    modules.set(kLeavesPromptsOut, true);
  }
  return ok_status();
}

Status read_dense(const std::string& directory, const std::string& folder, Json& modules) {
  const std::string file = folder + "/config.json";
  QUIRE_ASSIGN_OR_RETURN(Json config, read_json(directory, file));
  if (!config.is_object()) {
    return error(StatusCode::kCorrupt, "'{}': it is {}, not an object", file,
                 kind_name(config.kind()));
  }
  config.set("folder", folder);
  modules.set(fmt::format("dense_{}", dense_folders(modules).size()), std::move(config));
  return ok_status();
}

Status read_module(const std::string& directory, const Json& module, Json& modules) {
  const std::string type = text_of(module, "type"), folder = text_of(module, "path");
  const std::string kind = type.substr(type.rfind('.') + 1);
  if (kind == "Transformer" && folder.empty()) return ok_status();
  if (kind == "Normalize") {
    modules.set("is_normalised", true);
    return ok_status();
  }
  if (kind != "Pooling" && kind != "Dense") {
    return error(StatusCode::kUnsupported,
                 "'modules.json': a module '{}' in '{}' is not supported; known are Transformer, "
                 "Pooling, Dense, Normalize", type.substr(0, 96), folder.substr(0, 64));
  }
  if (!is_plain_folder(folder)) {
    return error(StatusCode::kCorrupt, "'modules.json': path '{}' is no name of a folder here",
                 folder.substr(0, 64));
  }
  return kind == "Pooling" ? read_pooling(directory, folder, modules)
                           : read_dense(directory, folder, modules);
}

}  // namespace

Result<Json> read_sentence_modules(const std::string& directory) {
  if (!fs::exists(fs::path(directory) / kModulesField)) return Json();
  QUIRE_ASSIGN_OR_RETURN(const Json list, read_json(directory, kModulesField));
  if (!list.is_array() || list.items().size() > kModulesMax) {
    return error(StatusCode::kCorrupt, "'modules.json': it is no list of up to {} modules",
                 kModulesMax);
  }
  Json modules = Json::object();
  for (const Json& module : list.items()) {
    QUIRE_RETURN_IF_ERROR(read_module(directory, module, modules));
  }
  return modules;
}

std::vector<std::string> dense_folders(const Json& modules) {
  std::vector<std::string> folders;
  if (!modules.is_object()) return folders;
  for (const auto& [name, value] : modules.members()) {
    if (name.starts_with("dense_")) folders.push_back(text_of(value, "folder"));
  }
  return folders;
}

}  // namespace quire
