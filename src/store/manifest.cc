#include "store/manifest.h"

#include <algorithm>
#include <set>

#include "base/json.h"
#include "store/model_name.h"

namespace quire::store {
namespace {

constexpr int kSchema = 1, kSchemaOfAdapters = 2;
constexpr std::size_t kFilesMax = 4096;
constexpr std::size_t kFileNameMax = 200;
constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 46;

Result<std::string> string_field(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  if (value == nullptr || !value->is_string()) {
    return error(StatusCode::kCorrupt, "'{}' is not a string", key);
  }
  return value->as_string();
}

Result<std::int64_t> count_field(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  if (value == nullptr || !value->is_int() || value->as_int() < 0) {
    return error(StatusCode::kCorrupt, "'{}' is not a count", key);
  }
  return value->as_int();
}

Result<StoredFile> parse_file(const Json& item) {
  StoredFile file;
  QUIRE_ASSIGN_OR_RETURN(file.name, string_field(item, "name"));
  if (!is_stored_name(file.name)) return error(StatusCode::kCorrupt, "'name' is no file name");
  QUIRE_ASSIGN_OR_RETURN(const std::int64_t size, count_field(item, "size"));
  file.size = static_cast<std::uint64_t>(size);
  if (file.size > kFileBytesMax) return error(StatusCode::kCorrupt, "'size' is {}", file.size);
  QUIRE_ASSIGN_OR_RETURN(const std::string checksum, string_field(item, "checksum"));
  QUIRE_ASSIGN_OR_RETURN(file.checksum, Checksum::parse(checksum));
  return file;
}

Json files_json(const std::vector<StoredFile>& files) {
  Json list = Json::array();
  for (const StoredFile& file : files) {
    list.push(Json::object({{"name", file.name},
                            {"size", file.size},
                            {"checksum", file.checksum.text()}}));
  }
  return list;
}

Status parse_adapters(const Json& root, std::int64_t schema, Manifest& manifest) {
  const Json* adapters = root.find("adapters");
  if (adapters == nullptr && schema == kSchema) return ok_status();
  if (adapters == nullptr || schema == kSchema || !adapters->is_array() ||
      adapters->items().empty() || adapters->items().size() > StoredAdapter::kMax) {
    return error(StatusCode::kCorrupt, "schema {}: 'adapters' is not a list of 1 to {}",
                 kSchemaOfAdapters, StoredAdapter::kMax);
  }
  for (const Json& item : adapters->items()) {
    StoredAdapter& adapter = manifest.adapters.emplace_back();
    if (!item.is_array() || item.items().size() > 2) {
      return error(StatusCode::kCorrupt, "an adapter is not a list of its files");
    }
    for (const Json& each : item.items()) {
      QUIRE_ASSIGN_OR_RETURN(StoredFile file, parse_file(each));
      adapter.files.push_back(std::move(file));
    }
    if (!is_whole(adapter)) {
      return error(StatusCode::kCorrupt, "an adapter is neither one GGUF file nor {} and {}",
                   StoredAdapter::kConfig, StoredAdapter::kWeights);
    }
  }
  return ok_status();
}

}  // namespace

bool is_whole(const StoredAdapter& adapter) {
  const std::vector<StoredFile>& files = adapter.files;
  if (files.size() == 1) {
    return is_file_name(files[0].name) && files[0].name.ends_with(".gguf");
  }
  const auto has = [&](std::string_view name) {
    return std::any_of(files.begin(), files.end(),
                       [&](const StoredFile& file) { return file.name == name; });
  };
  return files.size() == 2 && has(StoredAdapter::kConfig) && has(StoredAdapter::kWeights);
}

std::vector<StoredFile> Manifest::all_files() const {
  std::vector<StoredFile> all = files;
  for (const StoredAdapter& adapter : adapters) {
    all.insert(all.end(), adapter.files.begin(), adapter.files.end());
  }
  return all;
}

std::uint64_t Manifest::bytes() const {
  std::uint64_t sum = 0;
  for (const StoredFile& file : all_files()) sum += file.size;
  return sum;
}

bool is_file_name(std::string_view name) {
  return !name.empty() && name.size() <= kFileNameMax && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return c >= 0x20 && c != 0x7F && c != '/' && c != '\\';
         });
}

bool is_stored_name(std::string_view name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return is_file_name(name);
  return is_file_name(name.substr(0, slash)) && is_file_name(name.substr(slash + 1));
}

std::string dump_manifest(const Manifest& manifest) {
  Json all = Json::object({{"schema", manifest.adapters.empty() ? kSchema : kSchemaOfAdapters},
                           {"name", manifest.name},
                           {"source", manifest.source},
                           {"revision", manifest.revision},
                           {"fetched_at", manifest.fetched_at},
                           {"files", files_json(manifest.files)}});
  if (!manifest.dress.is_empty()) all.set("modelfile", dress_json(manifest.dress));
  if (!manifest.adapters.empty()) {
    Json adapters = Json::array();
    for (const StoredAdapter& adapter : manifest.adapters) adapters.push(files_json(adapter.files));
    all.set("adapters", std::move(adapters));
  }
  return dump(all) + "\n";
}

Result<Manifest> parse_manifest(std::string_view text) {
  QUIRE_ASSIGN_OR_RETURN(const Json root, parse_json(text));
  QUIRE_ASSIGN_OR_RETURN(const std::int64_t schema, count_field(root, "schema"));
  if (schema != kSchema && schema != kSchemaOfAdapters) {
    return error(StatusCode::kUnsupported, "schema {} is not one that this program knows, {} or {}",
                 schema, kSchema, kSchemaOfAdapters);
  }
  Manifest manifest;
  QUIRE_ASSIGN_OR_RETURN(manifest.name, string_field(root, "name"));
  QUIRE_RETURN_IF_ERROR(ModelName::parse(manifest.name).status());
  QUIRE_ASSIGN_OR_RETURN(manifest.source, string_field(root, "source"));
  QUIRE_ASSIGN_OR_RETURN(manifest.revision, string_field(root, "revision"));
  QUIRE_ASSIGN_OR_RETURN(manifest.fetched_at, count_field(root, "fetched_at"));
  if (const Json* dress = root.find("modelfile"); dress != nullptr) {
    QUIRE_ASSIGN_OR_RETURN(manifest.dress, parse_dress(*dress));
  }
  QUIRE_RETURN_IF_ERROR(parse_adapters(root, schema, manifest));
  const Json* files = root.find("files");
  if (files == nullptr || !files->is_array() || files->items().empty() ||
      files->items().size() > kFilesMax) {
    return error(StatusCode::kCorrupt, "'files' is not a list of 1 to {} files", kFilesMax);
  }
  std::set<std::string_view> names;
  for (const Json& item : files->items()) {
    QUIRE_ASSIGN_OR_RETURN(StoredFile file, parse_file(item));
    manifest.files.push_back(std::move(file));
  }
  for (const StoredFile& file : manifest.files) {
    if (!names.insert(file.name).second) {
      return error(StatusCode::kCorrupt, "the file '{}' is listed twice", file.name);
    }
  }
  return manifest;
}

}  // namespace quire::store
