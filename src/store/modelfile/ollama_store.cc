#include "store/modelfile/ollama_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/text/ascii.h"
#include "store/manifest.h"

namespace quire::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kVendor = "application/vnd.ollama.image.";
constexpr std::string_view kTextTypes[] = {"template", "system", "params", "messages", "license"};
constexpr std::string_view kRegistry = "registry.ollama.ai", kLibrary = "library";
constexpr std::size_t kLayersMax = 4096;
constexpr std::size_t kNamesMax = 4096;

bool is_part(std::string_view text) {
  return !text.empty() && text.size() <= 350 && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-' || c == ':';
         });
}

// "host/ns/model/tag"; empty: no such name.
std::string place_of(std::string_view name) {
  std::vector<std::string> parts;
  std::string_view rest = name;
  for (std::size_t slash; (slash = rest.find('/')) != rest.npos; rest.remove_prefix(slash + 1)) {
    parts.emplace_back(rest.substr(0, slash));
  }
  const std::size_t colon = rest.find(':');
  const std::string tag(colon == rest.npos ? std::string_view("latest") : rest.substr(colon + 1));
  parts.emplace_back(rest.substr(0, colon));
  if (parts.size() < 2) parts.insert(parts.begin(), std::string(kLibrary));
  if (parts.size() < 3) parts.insert(parts.begin(), std::string(kRegistry));
  parts.push_back(tag);
  if (parts.size() != 4 || !std::all_of(parts.begin(), parts.end(), is_part)) return {};
  return parts[0] + "/" + parts[1] + "/" + parts[2] + "/" + parts[3];
}

Status corrupt(std::string_view what) {
  return error(StatusCode::kCorrupt, "Ollama's manifest: {}", what);
}

// Names of what lies in a folder, sorted.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code failure;
  for (fs::directory_iterator it(folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    const std::string name = it->path().filename();
    if (!name.starts_with('.') && names.size() < kNamesMax) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

bool is_text_layer(const OllamaLayer& layer) {
  return std::find(std::begin(kTextTypes), std::end(kTextTypes), layer.type) !=
         std::end(kTextTypes);
}

Result<std::vector<OllamaLayer>> parse_ollama_manifest(std::string_view text) {
  QUIRE_ASSIGN_OR_RETURN(const Json root, parse_json(text));
  const Json* layers = root.find("layers");
  if (layers == nullptr || !layers->is_array() || layers->items().size() > kLayersMax) {
    return corrupt("'layers' is no list");
  }
  std::vector<OllamaLayer> all;
  for (const Json& item : layers->items()) {
    const Json* type = item.find("mediaType");
    const Json* digest = item.find("digest");
    const Json* size = item.find("size");
    constexpr std::string_view kSha = "sha256:";
    const bool is_good = type != nullptr && type->is_string() && digest != nullptr &&
                         digest->is_string() && digest->as_string().starts_with(kSha) &&
                         size != nullptr && size->is_int() && size->as_int() >= 0;
    if (!is_good) return corrupt("a layer has no type, digest or size");
    OllamaLayer layer;
    layer.size = static_cast<std::uint64_t>(size->as_int());
    layer.type = type->as_string().starts_with(kVendor)
                     ? type->as_string().substr(kVendor.size())
                     : type->as_string();
    QUIRE_ASSIGN_OR_RETURN(layer.checksum,
                           Checksum::sha256(digest->as_string().substr(kSha.size())));
    if (is_text_layer(layer) && layer.size > ModelDress::kTextMax) {
      return corrupt("a layer of text is too large");
    }
    all.push_back(std::move(layer));
  }
  return all;
}

Status take_ollama_layer(const OllamaLayer& layer, const std::string& text, ModelDress& dress) {
  if (layer.type == "template") dress.chat_template = text;
  if (layer.type == "system") dress.system = text;
  if (layer.type == "license" && dress.licenses.size() < ModelDress::kLicensesMax) {
    dress.licenses.push_back(text);
  }
  if (layer.type != "params" && layer.type != "messages") return ok_status();
  QUIRE_ASSIGN_OR_RETURN(const Json json, parse_json(text));
  const Json wrapped = Json::object({{layer.type == "params" ? "parameters" : "messages", json}});
  QUIRE_ASSIGN_OR_RETURN(const ModelDress read, parse_dress(wrapped));
  if (layer.type == "params") dress.parameters = read.parameters;
  if (layer.type == "messages") dress.messages = read.messages;
  return ok_status();
}

std::optional<OllamaStore> OllamaStore::open() {
  const char* named = std::getenv("OLLAMA_MODELS");
  const char* home = std::getenv("HOME");
  std::string folder = named != nullptr && *named != '\0' ? named : "";
  if (folder.empty() && home != nullptr) folder = std::string(home) + "/.ollama/models";
  std::error_code failure;
  if (folder.empty() || !fs::is_directory(folder + "/manifests", failure)) return std::nullopt;
  return OllamaStore(std::move(folder));
}

Result<OllamaModel> OllamaStore::find(const std::string& name) const {
  const std::string place = place_of(name);
  const std::string path = folder_ + "/manifests/" + place;
  std::error_code failure;
  if (place.empty() || !fs::is_regular_file(path, failure)) {
    return error(StatusCode::kNotFound, "Ollama's store {} has no model '{}'", folder_, name);
  }
  QUIRE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kOllamaManifestMax));
  QUIRE_ASSIGN_OR_RETURN(const auto layers, parse_ollama_manifest(text));
  OllamaModel model;
  for (const OllamaLayer& layer : layers) {
    const std::string blob = folder_ + "/blobs/" + layer.checksum.text();
    model.bytes += layer.size;
    if (!fs::is_regular_file(blob, failure)) {
      return error(StatusCode::kCorrupt, "Ollama's store has lost {} of the model '{}'",
                   layer.checksum.text(), name);
    }
    if (is_text_layer(layer)) {
      QUIRE_ASSIGN_OR_RETURN(const std::string words, read_file(blob, ModelDress::kTextMax));
      QUIRE_RETURN_IF_ERROR(take_ollama_layer(layer, words, model.dress));
    } else if (layer.type == "model") {
      if (!model.path.empty()) return corrupt("several files of weights are not supported");
      model.path = blob;
      model.checksum = layer.checksum;
    } else if (layer.type == "adapter") {
      if (model.adapters.size() >= StoredAdapter::kMax) return corrupt("too many adapters");
      model.adapters.push_back(blob);
    } else {
      return error(StatusCode::kUnsupported, "the model '{}' of Ollama's store has a layer of type "
                   "'{}', which is not supported", name, layer.type);
    }
  }
  if (model.path.empty()) return corrupt("there is no layer of weights");
  return model;
}

Result<OllamaListing> OllamaStore::listing(const std::string& name) const {
  const std::string place = place_of(name);
  const std::string path = folder_ + "/manifests/" + place;
  struct stat info = {};
  if (place.empty() || ::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return error(StatusCode::kNotFound, "Ollama's store {} has no model '{}'", folder_, name);
  }
  QUIRE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kOllamaManifestMax));
  QUIRE_ASSIGN_OR_RETURN(const auto layers, parse_ollama_manifest(text));
  OllamaListing listing{.bytes = 0, .modified_at = info.st_mtime, .digest = {}};
  for (const OllamaLayer& layer : layers) listing.bytes += layer.size;
  const Result<Json> root = parse_json(text);
  const Json* config = root.is_ok() ? root->find("config") : nullptr;
  const Json* size = config != nullptr ? config->find("size") : nullptr;
  if (size != nullptr && size->is_int() && size->as_int() > 0) listing.bytes += size->as_uint();
  Digest digest;
  digest.update(text);
  listing.digest = digest.finish().hex;
  return listing;
}

std::vector<std::string> OllamaStore::names() const {
  std::vector<std::string> names;
  const fs::path root = fs::path(folder_) / "manifests";
  for (const std::string& host : names_in(root)) {
    for (const std::string& space : names_in(root / host)) {
      for (const std::string& model : names_in(root / host / space)) {
        for (const std::string& tag : names_in(root / host / space / model)) {
          std::string name = host == kRegistry ? "" : host + "/";
          if (!name.empty() || space != kLibrary) name += space + "/";
          name += model;
          if (tag != "latest") name += ":" + tag;
          if (names.size() < kNamesMax) names.push_back(std::move(name));
        }
      }
    }
  }
  return names;
}

}  // namespace quire::store
