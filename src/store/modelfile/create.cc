#include "store/modelfile/create.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <set>

#include "base/clock.h"
#include "base/file.h"
#include "base/text/ascii.h"
#include "store/model_name.h"

namespace quire::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesMax = 512;

// What belongs to a model beside its weights.
bool is_companion(const fs::path& path) {
  constexpr std::string_view kEndings[] = {".json", ".model", ".jinja", ".txt"};
  return std::find(std::begin(kEndings), std::end(kEndings), path.extension().string()) !=
         std::end(kEndings);
}

bool is_gguf(const std::string& path) {
  constexpr std::string_view kMagic = "GGUF";
  const auto file = MappedFile::open(path);
  if (!file.is_ok() || file->bytes().size() < kMagic.size()) return false;
  return std::equal(kMagic.begin(), kMagic.end(), file->bytes().begin(),
                    [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
}

}  // namespace

Result<StoredFile> import_file(const LocalStore& store, const std::string& path,
                               const std::string& name) {
  static std::atomic<unsigned> copies{0};
  StoredFile file{.name = name, .size = 0, .checksum = {}};
  std::error_code failure;
  file.size = fs::file_size(path, failure);
  if (failure) return error(StatusCode::kNotFound, "cannot read '{}': {}", path,
                            failure.message());
  QUIRE_ASSIGN_OR_RETURN(file.checksum, checksum_of_file(path));
  if (store.has_blob(file.checksum, file.size)) return file;
  const std::string copy =
      fmt::format("{}/partial/import.{}.{}", store.folder(), ::getpid(), ++copies);
  fs::copy_file(path, copy, fs::copy_options::overwrite_existing, failure);
  if (failure) {
    const Status status = error(StatusCode::kUnavailable, "cannot copy '{}' into the store: {}",
                                path, failure.message());
    fs::remove(copy, failure);
    return status;
  }
  const auto copied = checksum_of_file(copy);
  const bool is_same = copied.is_ok() && *copied == file.checksum;
  const Status placed = is_same ? store.place_blob(copy, file.checksum)
                                : error(StatusCode::kCorrupt, "'{}' changed while it was copied",
                                        path);
  if (placed.is_ok()) return file;
  fs::remove(copy, failure);
  return placed;
}

namespace {

Result<std::vector<std::string>> files_of_folder(const std::string& folder) {
  std::vector<std::string> weights, ggufs, others, pickles;
  std::error_code failure;
  for (fs::recursive_directory_iterator it(folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    if (it.depth() >= 1) it.disable_recursion_pending();
    const fs::path& path = it->path();
    if (!it->is_regular_file(failure)) continue;
    const std::string name = fs::relative(path, folder, failure).string();
    if (!is_stored_name(name)) continue;
    const std::string ending = path.extension();
    if (ending == ".safetensors" && it.depth() == 0) weights.push_back(name);
    if (ending == ".gguf" && it.depth() == 0) ggufs.push_back(name);
    if ((ending == ".bin" || ending == ".pth") && it.depth() == 0) pickles.push_back(name);
    if (is_companion(path)) others.push_back(name);
    if (weights.size() + ggufs.size() + others.size() > kFilesMax) {
      return error(StatusCode::kInvalidArgument, "'{}' has more than {} files", folder, kFilesMax);
    }
  }
  if (!weights.empty()) {
    weights.insert(weights.end(), others.begin(), others.end());
    return weights;
  }
  if (!ggufs.empty()) return ggufs;
  return error(StatusCode::kUnsupported, "'{}' has no *.safetensors and no *.gguf{}", folder,
               pickles.empty() ? "" : "; weights in Python's pickles are not read");
}

// Gives `use` the paths of a model of these files, which are there as long as it takes.
Status use_files(const LocalStore& store, const Weights& weights, const ModelCheck& use) {
  static std::atomic<unsigned> count{0};
  Manifest probe;
  probe.files = weights.files;
  probe.adapters = weights.adapters;
  probe.name = fmt::format("creating-{}-{}", ::getpid(), ++count);
  const auto path = store.path_of(probe);
  const Status status =
      path.is_ok() ? use(*path, store.adapter_paths(probe)) : path.status();
  std::error_code ignored;
  fs::remove_all(store.model_folder(probe.name), ignored);
  return status;
}

bool is_gguf_name(std::string_view name) { return name.ends_with(".gguf"); }

// Of "NAME-00001-of-00003.gguf" all but the number of the part; empty: it is no part.
std::string whole_of(const std::string& name) {
  constexpr std::string_view kDigits = "0123456789";
  const std::size_t of = name.rfind("-of-");
  if (of == name.npos || of < 6 || name[of - 6] != '-') return {};
  const bool is_numbered = name.find_first_not_of(kDigits, of - 5) == of;
  return is_numbered ? name.substr(0, of - 5) + name.substr(of) : std::string();
}

// Whether those files are one GGUF model, in one part or several.
Status check_quantizable(const std::string& source, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!name.ends_with(".safetensors")) continue;
    return error(StatusCode::kUnsupported, "quantize: the weights of '{}' are safetensors; only "
                 "GGUF files of F16, BF16 or F32 are quantized", source);
  }
  const auto ggufs = std::count_if(names.begin(), names.end(), is_gguf_name);
  if (ggufs > 0 && is_one_gguf(names)) return ok_status();
  return error(StatusCode::kInvalidArgument, "quantize: '{}' has {} GGUF files; one model is "
               "quantized at once", source, ggufs);
}

}  // namespace

bool is_one_gguf(const std::vector<std::string>& names) {
  std::size_t ggufs = 0;
  std::set<std::string> wholes;
  for (const std::string& name : names) {
    if (!is_gguf_name(name)) continue;
    ++ggufs;
    wholes.insert(whole_of(name));
  }
  return ggufs <= 1 || (wholes.size() == 1 && !wholes.begin()->empty());
}

Result<Weights> import_weights(const LocalStore& store, const std::string& path,
                               const Quantization* how) {
  Weights weights{.files = {}, .dress = {}, .source = path, .adapters = {}};
  std::error_code failure;
  if (fs::is_directory(path, failure)) {
    QUIRE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_of_folder(path));
    if (how != nullptr) {
      QUIRE_RETURN_IF_ERROR(check_quantizable(path, names));
      const std::string& first = *std::min_element(names.begin(), names.end());
      return import_weights(store, path + "/" + first, how);
    }
    for (const std::string& name : names) {
      QUIRE_ASSIGN_OR_RETURN(StoredFile file, import_file(store, path + "/" + name, name));
      weights.files.push_back(std::move(file));
    }
    return weights;
  }
  if (!is_gguf(path)) {
    return error(StatusCode::kInvalidArgument, "'{}': supplied file was not in GGUF format", path);
  }
  if (how != nullptr) {
    QUIRE_ASSIGN_OR_RETURN(StoredFile file, quantize_file(store, path, *how));
    weights.files.push_back(std::move(file));
    return weights;
  }
  std::string name = fs::path(path).filename();
  if (!name.ends_with(".gguf") || !is_file_name(name)) name = "model.gguf";
  QUIRE_ASSIGN_OR_RETURN(StoredFile file, import_file(store, path, name));
  weights.files.push_back(std::move(file));
  return weights;
}

Result<Weights> quantize_weights(const LocalStore& store, Weights weights,
                                 const Quantization& how) {
  Weights parts;
  std::vector<StoredFile> others;
  std::vector<std::string> names;
  for (const StoredFile& file : weights.files) {
    names.push_back(file.name);
    (is_gguf_name(file.name) ? parts.files : others).push_back(file);
  }
  QUIRE_RETURN_IF_ERROR(check_quantizable(weights.source, names));
  const ModelCheck quantize = [&](const std::string& path, const auto&) -> Status {
    QUIRE_ASSIGN_OR_RETURN(StoredFile made, quantize_file(store, path, how));
    weights.files = {std::move(made)};
    return ok_status();
  };
  QUIRE_RETURN_IF_ERROR(use_files(store, parts, quantize));
  weights.files.insert(weights.files.end(), others.begin(), others.end());
  return weights;
}

ModelDress dress_over(const ModelDress& base, const ModelDress& over) {
  ModelDress dress = base;
  const auto replace = [](const std::string& from, std::string& to) {
    if (!from.empty()) to = from;
  };
  replace(over.from, dress.from);
  replace(over.chat_template, dress.chat_template);
  replace(over.system, dress.system);
  replace(over.renderer, dress.renderer);
  replace(over.parser, dress.parser);
  replace(over.needs, dress.needs);
  for (const auto& [name, value] : over.parameters.members()) dress.parameters.set(name, value);
  if (!over.messages.empty()) dress.messages = over.messages;
  for (const std::string& license : over.licenses) {
    const bool is_new = std::find(dress.licenses.begin(), dress.licenses.end(), license) ==
                        dress.licenses.end();
    if (is_new && dress.licenses.size() < ModelDress::kLicensesMax) {
      dress.licenses.push_back(license);
    }
  }
  return dress;
}

Result<Manifest> create_model(const LocalStore& store, const std::string& name,
                              const Weights& weights, const ModelDress& over,
                              const ModelCheck& check) {
  QUIRE_ASSIGN_OR_RETURN(const ModelName parsed, ModelName::parse(name));
  if (parsed.is_remote()) {
    return error(StatusCode::kInvalidArgument, "'{}' is a name of the hub; a model of yours has a "
                 "name without 'hf:'", name);
  }
  if (weights.adapters.size() > StoredAdapter::kMax) {
    return error(StatusCode::kInvalidArgument, "a model of {} adapters; at most {}",
                 weights.adapters.size(), StoredAdapter::kMax);
  }
  Manifest manifest{.name = name, .source = weights.source, .revision = "created",
                    .fetched_at = SteadyClock::unix_seconds(), .files = weights.files,
                    .dress = dress_over(weights.dress, over), .adapters = weights.adapters};
  if (check) QUIRE_RETURN_IF_ERROR(use_files(store, weights, check));
  QUIRE_RETURN_IF_ERROR(store.add(manifest));
  return manifest;
}

std::string store_name_of(std::string_view name) {
  constexpr std::string_view kLatest = ":latest";
  const bool is_latest = name.size() > kLatest.size() &&
                         lower_ascii(name.substr(name.size() - kLatest.size())) == kLatest;
  std::string_view rest = is_latest ? name.substr(0, name.size() - kLatest.size()) : name;
  for (const std::string_view meant : {"registry.ollama.ai/", "library/"}) {
    if (rest.starts_with(meant)) rest.remove_prefix(meant.size());
  }
  return std::string(rest);
}

}  // namespace quire::store
