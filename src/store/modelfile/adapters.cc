#include "store/modelfile/adapters.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "formats/containers/gguf.h"
#include "store/modelfile/create.h"

namespace quire::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kGguf = ".gguf", kSafetensors = ".safetensors";

template <typename... Args>
Status refuse(fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kInvalidArgument, format, std::forward<Args>(args)...);
}

// What a GGUF file says that it is; nothing: it is no GGUF file.
std::optional<std::string> gguf_type(const std::string& path) {
  const auto file = GgufFile::open(path);
  if (!file.is_ok()) return std::nullopt;
  const auto type = file->string("general.type");
  return type.is_ok() && *type ? std::string(**type) : std::string("model");
}

// `path` as the user wrote it, `file` where it lies.
Status check_gguf(const std::string& path, const std::string& file) {
  const std::optional<std::string> type = gguf_type(file);
  if (!type) return refuse("ADAPTER '{}': supplied file was not in GGUF format", path);
  if (*type == "adapter") return ok_status();
  return refuse("ADAPTER '{}': general.type is '{}' and not 'adapter'", path, type->substr(0, 64));
}

std::vector<std::string> names_in(const std::string& folder) {
  constexpr std::size_t kNamesMax = 4096;
  std::vector<std::string> names;
  std::error_code failure;
  for (fs::directory_iterator it(folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    if (names.size() < kNamesMax) names.push_back(it->path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Result<StoredAdapter> import_gguf(const LocalStore& store, const std::string& path) {
  QUIRE_RETURN_IF_ERROR(check_gguf(path, path));
  std::string name = fs::path(path).filename();
  if (!name.ends_with(kGguf) || !is_file_name(name)) name = "adapter.gguf";
  QUIRE_ASSIGN_OR_RETURN(StoredFile file, import_file(store, path, name));
  return StoredAdapter{{std::move(file)}};
}

Result<StoredAdapter> import_folder(const LocalStore& store, const std::string& folder) {
  const std::vector<std::string> names = names_in(folder);
  if (has(names, StoredAdapter::kWeights)) {
    StoredAdapter adapter;
    for (const std::string_view name : {StoredAdapter::kConfig, StoredAdapter::kWeights}) {
      if (!has(names, name)) return refuse("ADAPTER '{}': there is no {}", folder, name);
      QUIRE_ASSIGN_OR_RETURN(
          StoredFile file, import_file(store, fmt::format("{}/{}", folder, name),
                                       std::string(name)));
      adapter.files.push_back(std::move(file));
    }
    return adapter;
  }
  std::vector<std::string> ggufs;
  for (const std::string& name : names) {
    if (name.ends_with(kGguf)) ggufs.push_back(name);
  }
  if (ggufs.size() == 1) return import_gguf(store, folder + "/" + ggufs.front());
  if (ggufs.size() > 1) {
    return refuse("ADAPTER '{}': there are {} GGUF files; write a line for each that is meant",
                  folder, ggufs.size());
  }
  if (has(names, "adapters.safetensors")) {
    return refuse("ADAPTER '{}': adapters.safetensors is MLX's form, which is not read; PEFT's is "
                  "{}", folder, StoredAdapter::kWeights);
  }
  if (has(names, "adapter_model.bin")) {
    return refuse("ADAPTER '{}': adapter_model.bin is a pickle of Python's, which is not read; "
                  "PEFT writes {} with safe_serialization=True", folder, StoredAdapter::kWeights);
  }
  return refuse("ADAPTER '{}': there is no {} and no *.gguf", folder, StoredAdapter::kWeights);
}

}  // namespace

bool is_gguf_adapter(const std::string& path) { return gguf_type(path) == "adapter"; }

Result<StoredAdapter> import_adapter(const LocalStore& store, const std::string& path) {
  std::error_code failure;
  if (fs::is_directory(path, failure)) return import_folder(store, path);
  if (!fs::is_regular_file(path, failure)) {
    return error(StatusCode::kNotFound, "ADAPTER '{}': there is no such file or folder", path);
  }
  if (!path.ends_with(kSafetensors)) return import_gguf(store, path);
  const fs::path file = path;
  if (file.filename() != StoredAdapter::kWeights) {
    return refuse("ADAPTER '{}': weights of an adapter are called {}, and {} lies beside them",
                  path, StoredAdapter::kWeights, StoredAdapter::kConfig);
  }
  return import_folder(store, file.has_parent_path() ? file.parent_path().string() : ".");
}

Result<StoredAdapter> adapter_of_blobs(const LocalStore& store,
                                       const std::vector<StoredFile>& files) {
  if (files.empty()) return refuse("no files provided to convert");
  const bool is_peft = std::any_of(files.begin(), files.end(), [](const StoredFile& file) {
    return file.name.ends_with(kSafetensors);
  });
  StoredAdapter adapter;
  if (!is_peft) {
    if (files.size() > 1) return refuse("only one adapter is currently supported");
    StoredFile file = files.front();
    QUIRE_RETURN_IF_ERROR(check_gguf(file.name, store.blob_path(file.checksum)));
    if (!file.name.ends_with(kGguf)) file.name = "adapter.gguf";
    adapter.files.push_back(std::move(file));
    return adapter;
  }
  for (const StoredFile& file : files) {
    const bool is_taken = file.name == StoredAdapter::kConfig ||
                          file.name == StoredAdapter::kWeights;
    if (is_taken) {
      adapter.files.push_back(file);
    } else if (!file.name.ends_with(".json")) {
      return refuse("adapters: '{}' is not a file of an adapter, which are {} and {}", file.name,
                    StoredAdapter::kConfig, StoredAdapter::kWeights);
    }
  }
  if (is_whole(adapter)) return adapter;
  return refuse("adapters: {} and {} are expected, each once", StoredAdapter::kConfig,
                StoredAdapter::kWeights);
}

}  // namespace quire::store
