#include "store/modelfile/ollama_registry.h"

#include "base/file.h"
#include "net/client.h"
#include "net/url.h"
#include "store/hub/blob_fetch.h"
#include "store/modelfile/create.h"
#include "store/modelfile/ollama_store.h"

namespace quire::store {
namespace {

constexpr std::uint64_t kLayerMax = std::uint64_t{1} << 40;  // bytes

bool is_own_address(std::string_view host) {
  return host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
}

class Registry {
 public:
  Registry(const LocalStore& store, const RegistryPull& wanted, const net::Limits& limits,
           const PullProgress& progress)
      : store_(store), wanted_(wanted), limits_(limits), progress_(progress) {
    const bool is_plain = wanted.is_insecure || is_own_address(wanted.host);
    base_ = fmt::format("{}://{}/v2/{}/{}", is_plain ? "http" : "https", wanted.host,
                        net::url_escaped(wanted.space), net::url_escaped(wanted.model));
  }

  Result<std::vector<OllamaLayer>> layers() {
    progress_("pulling manifest", "", 0, 0);
    net::Client client(limits_);
    QUIRE_ASSIGN_OR_RETURN(
        const net::Response response,
        client.send(
            {.url = base_ + "/manifests/" + net::url_escaped(wanted_.tag),
             .accept = "application/vnd.docker.distribution.manifest.v2+json",
             .body_max = kOllamaManifestMax}));
    if (!response.is_success()) return explain(response);
    auto layers = parse_ollama_manifest(response.body);
    if (!layers.is_ok()) return layers;
    std::size_t adapters = 0;
    for (const OllamaLayer& layer : *layers) {
      const bool is_known =
          layer.type == "model" || layer.type == "adapter" || is_text_layer(layer);
      if (!is_known) {
        return error(StatusCode::kUnsupported, "{} has a layer of type '{}', which is not "
                     "supported", wanted_.name, layer.type);
      }
      if (layer.size > kLayerMax) return error(StatusCode::kCorrupt, "a layer is too large");
      adapters += layer.type == "adapter" ? 1 : 0;
    }
    if (adapters > StoredAdapter::kMax) {
      return error(StatusCode::kUnsupported, "{} has {} adapters; at most {}", wanted_.name,
                   adapters, StoredAdapter::kMax);
    }
    return layers;
  }

  Status fetch(const OllamaLayer& layer) {
    const std::string status = "pulling " + layer.checksum.hex.substr(0, 12);
    const StoredFile file{.name = layer.type, .size = layer.size, .checksum = layer.checksum};
    const RemoteFile remote{
        .file = file,
        .bytes = {.url = base_ + "/blobs/sha256:" + layer.checksum.hex, .token = {},
                  .explain = [this](const net::Response& response) { return explain(response); }}};
    class Quiet : public FetchObserver {
      void announce(std::string_view) override {}
      void advance(std::uint64_t, std::uint64_t) override {}
    } quiet;
    progress_(status, layer.checksum.hex, layer.size, 0);
    std::uint64_t told = 0;
    QUIRE_RETURN_IF_ERROR(fetch_blob(store_, remote, limits_, quiet, [&](std::uint64_t bytes) {
      constexpr std::uint64_t kStep = std::uint64_t{1} << 20;
      if (bytes < told + kStep || bytes >= layer.size) return;
      told = bytes;
      progress_(status, layer.checksum.hex, layer.size, bytes);
    }));
    progress_(status, layer.checksum.hex, layer.size, layer.size);
    return ok_status();
  }

 private:
  Status explain(const net::Response& response) const {
    if (response.status == 404) {
      return error(StatusCode::kNotFound, "pull model manifest: file does not exist");
    }
    if (response.status == 401 || response.status == 403) {
      return error(StatusCode::kUnsupported, "the registry {} asks for a login, which is not "
                   "supported", wanted_.host);
    }
    return error(StatusCode::kUnavailable, "the registry {} answered {}", wanted_.host,
                 response.status);
  }

  const LocalStore& store_;
  const RegistryPull& wanted_;
  const net::Limits& limits_;
  const PullProgress& progress_;
  std::string base_;
};

}  // namespace

Result<Manifest> pull_from_registry(const LocalStore& store, const RegistryPull& wanted,
                                    const ModelCheck& check, const net::Limits& limits,
                                    const PullProgress& progress) {
  QUIRE_ASSIGN_OR_RETURN(const FileLock held, store.hold());
  Registry registry(store, wanted, limits, progress);
  QUIRE_ASSIGN_OR_RETURN(const std::vector<OllamaLayer> layers, registry.layers());
  Weights weights;
  weights.source = "ollama:" + wanted.host + "/" + wanted.space + "/" + wanted.model;
  for (const OllamaLayer& layer : layers) {
    QUIRE_RETURN_IF_ERROR(registry.fetch(layer));
    if (layer.type == "model") {
      if (!weights.files.empty()) {
        return error(StatusCode::kUnsupported, "{} has several files of weights", wanted.name);
      }
      weights.files.push_back({"model.gguf", layer.size, layer.checksum});
    } else if (layer.type == "adapter") {
      weights.adapters.push_back({{{"adapter.gguf", layer.size, layer.checksum}}});
    } else {
      QUIRE_ASSIGN_OR_RETURN(const std::string text, read_file(store.blob_path(layer.checksum),
                                                               ModelDress::kTextMax));
      QUIRE_RETURN_IF_ERROR(take_ollama_layer(layer, text, weights.dress));
    }
  }
  if (weights.files.empty()) {
    return error(StatusCode::kUnsupported, "{} has no weights", wanted.name);
  }
  progress("verifying sha256 digest", "", 0, 0);
  QUIRE_ASSIGN_OR_RETURN(Manifest made, create_model(store, wanted.name, weights, {}, check));
  progress("writing manifest", "", 0, 0);
  return made;
}

}  // namespace quire::store
