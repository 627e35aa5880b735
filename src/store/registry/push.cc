#include "store/registry/push.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "net/url.h"
#include "store/registry/blob_upload.h"

namespace quire::store {
namespace {

constexpr const char* kManifestType = "application/vnd.docker.distribution.manifest.v2+json";
constexpr const char* kConfigType = "application/vnd.docker.container.image.v1+json";
constexpr std::string_view kVendor = "application/vnd.ollama.image.";

struct Layer {
  std::string type;  // of its content
  BlobSource blob;
  bool is_of_source = false;  // where the model was pulled from has it, too
};

Json told(const Layer& layer) {
  return Json::object({{"mediaType", layer.type}, {"digest", layer.blob.digest()},
                       {"size", layer.blob.size}});
}

Layer text_layer(std::string type, std::string text) {
  Layer layer{.type = std::move(type)};
  Digest digest;
  digest.update(text);
  layer.blob.checksum = digest.finish();
  layer.blob.size = text.size();
  layer.blob.read = [text = std::move(text)](std::uint64_t offset, std::span<std::byte> into) {
    std::memcpy(into.data(), text.data() + offset, into.size());
    return ok_status();
  };
  return layer;
}

class OpenFile {
 public:
  explicit OpenFile(std::string path)
      : path_(std::move(path)), file_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (file_ >= 0) ::close(file_);
  }

  bool has(std::uint64_t size) const {
    struct stat info{};
    return file_ >= 0 && ::fstat(file_, &info) == 0 &&
           static_cast<std::uint64_t>(info.st_size) == size;
  }
  Status read(std::uint64_t offset, std::span<std::byte> into) const {
    while (!into.empty()) {
      const ssize_t got = ::pread(file_, into.data(), into.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        return error(StatusCode::kCorrupt, "cannot read '{}' at byte {}: {}", path_, offset,
                     got < 0 ? std::strerror(errno) : "the file ends there");
      }
      offset += static_cast<std::uint64_t>(got);
      into = into.subspan(static_cast<std::size_t>(got));
    }
    return ok_status();
  }

 private:
  std::string path_;
  int file_;
};

// Of one file of the store, which is not read before it is sent.
Result<Layer> file_layer(const LocalStore& store, const StoredFile& file, std::string_view type) {
  const std::string path = store.blob_path(file.checksum);
  const auto open = std::make_shared<const OpenFile>(path);
  if (!open->has(file.size)) {
    return error(StatusCode::kCorrupt, "the store has lost {} ({})", file.name, path);
  }
  Layer layer{.type = std::string(kVendor) + std::string(type)};
  layer.blob.size = file.size;
  layer.blob.checksum = file.checksum;
  if (file.checksum.kind != Checksum::Kind::kSha256) {
    QUIRE_ASSIGN_OR_RETURN(layer.blob.checksum, checksum_of_file(path));
  }
  layer.blob.read = [open](std::uint64_t offset, std::span<std::byte> into) {
    return open->read(offset, into);
  };
  layer.is_of_source = true;
  return layer;
}

Result<Layer> weights_layer(const LocalStore& store, const Manifest& manifest) {
  if (manifest.files.size() != 1) {
    return error(StatusCode::kUnsupported, "{} has {} files; registries of Ollama's kind take "
                 "models of one GGUF file", manifest.name, manifest.files.size());
  }
  QUIRE_ASSIGN_OR_RETURN(Layer layer, file_layer(store, manifest.files.front(), "model"));
  constexpr std::string_view kMagic = "GGUF";
  std::string head(kMagic.size(), '\0');
  const bool is_gguf = layer.blob.size >= head.size() &&
                       layer.blob.read(0, std::as_writable_bytes(std::span(head))).is_ok() &&
                       head == kMagic;
  if (is_gguf) return layer;
  return error(StatusCode::kUnsupported, "{} of {} is no GGUF file; registries of Ollama's kind "
               "take no others", manifest.files.front().name, manifest.name);
}

Result<Layer> adapter_layer(const LocalStore& store, const Manifest& manifest,
                            const StoredAdapter& adapter) {
  if (adapter.files.size() == 1) return file_layer(store, adapter.files.front(), "adapter");
  return error(StatusCode::kUnsupported, "{} has an adapter of {} files; registries of Ollama's "
               "kind take those of one GGUF file", manifest.name, adapter.files.size());
}

// In the order in which Ollama has them.
Result<std::vector<Layer>> layers_of(const LocalStore& store, const Manifest& manifest) {
  std::vector<Layer> layers;
  QUIRE_ASSIGN_OR_RETURN(Layer weights, weights_layer(store, manifest));
  layers.push_back(std::move(weights));
  for (const StoredAdapter& adapter : manifest.adapters) {
    QUIRE_ASSIGN_OR_RETURN(Layer layer, adapter_layer(store, manifest, adapter));
    layers.push_back(std::move(layer));
  }
  const ModelDress& dress = manifest.dress;
  const auto add = [&](std::string_view type, const std::string& text) {
    if (!text.empty()) layers.push_back(text_layer(std::string(kVendor).append(type), text));
  };
  add("template", dress.chat_template);
  add("system", dress.system);
  for (const std::string& license : dress.licenses) add("license", license);
  if (!dress.parameters.members().empty()) add("params", dump(dress.parameters));
  if (!dress.messages.empty()) add("messages", dump(Json::array(dress.messages)));
  return layers;
}

Layer config_layer(const PushFacts& facts, const ModelDress& dress,
                   const std::vector<Layer>& layers) {
  Json families = Json::array();
  if (!facts.family.empty()) families.push(facts.family);
  Json config = Json::object({{"model_format", "gguf"}, {"model_family", facts.family},
                              {"model_families", std::move(families)},
                              {"model_type", facts.parameters},
                              {"file_type", facts.quantization}});
  for (const auto& [name, text] : {std::pair{"renderer", &dress.renderer},
                                   std::pair{"parser", &dress.parser},
                                   std::pair{"requires", &dress.needs}}) {
    if (!text->empty()) config.set(name, *text);
  }
  Json digests = Json::array();
  for (const Layer& layer : layers) digests.push(layer.blob.digest());
  config.set("architecture", "amd64");  // the form asks for both; a model has neither
  config.set("os", "linux");
  config.set("rootfs", Json::object({{"type", "layers"}, {"diff_ids", std::move(digests)}}));
  return text_layer(kConfigType, dump(config));
}

class Push {
 public:
  Push(const RegistryPush& wanted, const net::Limits& limits, const PullProgress& progress)
      : wanted_(wanted), progress_(progress),
        session_(wanted.place.host, wanted.place.is_insecure, limits),
        repository_(net::url_escaped(wanted.place.space) + "/" +
                    net::url_escaped(wanted.place.model)) {}

  Status send(const Layer& layer, const std::string& source);
  Status send_manifest(const std::string& text);

 private:
  std::string mount_from(const std::string& source) const;

  const RegistryPush& wanted_;
  const PullProgress& progress_;
  RegistrySession session_;
  std::string repository_;
};

// A repository of the same registry that the model was pulled from: "ollama:host/space/model".
std::string Push::mount_from(const std::string& source) const {
  const std::string here = "ollama:" + wanted_.place.host + "/";
  if (!source.starts_with(here)) return {};
  const std::string from = source.substr(here.size());
  return from == wanted_.place.space + "/" + wanted_.place.model ? std::string() : from;
}

Status Push::send(const Layer& layer, const std::string& source) {
  constexpr std::uint64_t kStep = std::uint64_t{1} << 20;
  const std::string& hex = layer.blob.checksum.hex;
  const std::string status = "pushing " + hex.substr(0, 12);
  std::uint64_t told = 0;
  const auto tell = [&](std::uint64_t bytes) {
    told = bytes;
    progress_(status, hex, layer.blob.size, bytes);
  };
  tell(0);
  QUIRE_RETURN_IF_ERROR(upload_blob(
      session_,
      {.repository = repository_,
       .mount_from = layer.is_of_source ? mount_from(source) : std::string(),
       .part_bytes_min = wanted_.part_bytes_min, .part_bytes_max = wanted_.part_bytes_max},
      layer.blob, [&](std::uint64_t bytes) {
        const bool is_news = bytes >= told + kStep || bytes < told;
        if (is_news && bytes < layer.blob.size) tell(bytes);
      }));
  tell(layer.blob.size);
  return ok_status();
}

Status Push::send_manifest(const std::string& text) {
  progress_("pushing manifest", "", 0, 0);
  const auto bytes = [&](std::uint64_t offset, std::span<std::byte> into) {
    std::memcpy(into.data(), text.data() + offset, into.size());
    return ok_status();
  };
  const auto response = session_.send_patiently(
      {.url = session_.base() + "/v2/" + repository_ + "/manifests/" +
              net::url_escaped(wanted_.place.tag),
       .upload = net::Upload{.type = kManifestType, .size = text.size(), .read = bytes}});
  if (!response.is_ok()) return response.status();
  const std::string what = "the manifest of " + wanted_.place.space + "/" + wanted_.place.model;
  if (!response->is_success()) return session_.explain(*response, what);
  Digest digest;
  digest.update(text);
  const std::string ours = "sha256:" + digest.finish().hex;
  const std::string_view theirs = response->header("docker-content-digest");
  if (theirs.empty() || theirs == ours) return ok_status();
  return error(StatusCode::kCorrupt, "the registry {} says that it has {} in place of {}, {}",
               session_.host(), theirs.substr(0, 80), ours, what);
}

}  // namespace

net::Limits push_limits() { return {.slow_seconds = 300}; }

Status push_to_registry(const LocalStore& store, const RegistryPush& wanted,
                        const net::Limits& limits, const PullProgress& progress) {
  progress("retrieving manifest", "", 0, 0);
  QUIRE_ASSIGN_OR_RETURN(const FileLock held, store.hold());
  const auto manifest = store.find(wanted.name);
  if (!manifest.is_ok()) {
    progress("couldn't retrieve manifest", "", 0, 0);
    return manifest.status();
  }
  QUIRE_ASSIGN_OR_RETURN(const std::vector<Layer> layers, layers_of(store, *manifest));
  const Layer config = config_layer(wanted.facts, manifest->dress, layers);
  Push push(wanted, limits, progress);
  for (const Layer& layer : layers) {
    QUIRE_RETURN_IF_ERROR(push.send(layer, manifest->source));
  }
  QUIRE_RETURN_IF_ERROR(push.send(config, manifest->source));
  Json all = Json::object({{"schemaVersion", 2}, {"mediaType", kManifestType},
                           {"config", told(config)}});
  Json list = Json::array();
  for (const Layer& layer : layers) list.push(told(layer));
  all.set("layers", std::move(list));
  return push.send_manifest(dump(all));
}

}  // namespace quire::store
