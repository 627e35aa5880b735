#include "store/modelfile/ollama_registry.h"

#include "base/file.h"
#include "net/url.h"
#include "store/hub/blob_fetch.h"
#include "store/modelfile/create.h"
#include "store/modelfile/ollama_store.h"
#include "store/registry/registry_session.h"

namespace quire::store {
namespace {

constexpr std::uint64_t kLayerMax = std::uint64_t{1} << 40;  // bytes

// Of a manifest; empty: it has none.
std::string config_digest(const std::string& manifest) {
  const auto json = parse_json(manifest);
  const Json* config = json.is_ok() ? json->find("config") : nullptr;
  const Json* digest = config != nullptr ? config->find("digest") : nullptr;
  return digest != nullptr && digest->is_string() ? digest->as_string() : std::string();
}

// What the config of a manifest says that no layer does.
void take_config(const Json& config, ModelDress& dress) {
  for (const auto& [name, into] : {std::pair{"renderer", &dress.renderer},
                                   std::pair{"parser", &dress.parser},
                                   std::pair{"requires", &dress.needs}}) {
    const Json* value = config.find(name);
    if (value != nullptr && value->is_string()) *into = value->as_string();
  }
}

class Registry {
 public:
  Registry(const LocalStore& store, const RegistryPull& wanted, const net::Limits& limits,
           const PullProgress& progress)
      : store_(store), wanted_(wanted), limits_(limits), progress_(progress),
        session_(wanted.host, wanted.is_insecure, limits) {
    base_ = fmt::format("{}/v2/{}/{}", session_.base(), net::url_escaped(wanted.space),
                        net::url_escaped(wanted.model));
  }

  Result<std::vector<OllamaLayer>> layers() {
    progress_("pulling manifest", "", 0, 0);
    QUIRE_ASSIGN_OR_RETURN(
        const net::Response response,
        session_.send(
            {.url = base_ + "/manifests/" + net::url_escaped(wanted_.tag),
             .accept = "application/vnd.docker.distribution.manifest.v2+json",
             .body_max = kOllamaManifestMax}));
    if (!response.is_success()) return explain(response);
    config_ = config_digest(response.body);
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

  // A registry may have none; what it says beside the layers is told, not acted on.
  Status fetch_config(ModelDress& dress) {
    constexpr std::string_view kSha = "sha256:";
    if (!config_.starts_with(kSha)) return ok_status();
    QUIRE_ASSIGN_OR_RETURN(const Checksum sum, Checksum::sha256(config_.substr(kSha.size())));
    QUIRE_ASSIGN_OR_RETURN(const net::Response response,
                           session_.send_patiently({.url = base_ + "/blobs/" + config_,
                                                    .body_max = kOllamaManifestMax}));
    if (response.status == 404) return ok_status();
    if (!response.is_success()) return explain(response);
    Digest digest;
    digest.update(response.body);
    if (digest.finish() != sum) {
      return error(StatusCode::kCorrupt, "the config of {} came with the wrong checksum",
                   wanted_.name);
    }
    QUIRE_ASSIGN_OR_RETURN(const Json config, parse_json(response.body));
    take_config(config, dress);
    return ok_status();
  }

  // A token ends before a large layer does: then another is asked for, and the fetch goes on.
  Status fetch(const OllamaLayer& layer) {
    constexpr int kSignInsMax = 100;
    for (int sign_ins = 0;; ++sign_ins) {
      is_signed_out_ = false;
      const Status status = fetch_once(layer);
      if (status.is_ok() || !is_signed_out_ || sign_ins == kSignInsMax) return status;
      const std::string before = session_.token();
      QUIRE_RETURN_IF_ERROR(
          session_.look(base_ + "/blobs/sha256:" + layer.checksum.hex).status());
      if (session_.token() == before) return status;
    }
  }

 private:
  Status fetch_once(const OllamaLayer& layer) {
    const std::string status = "pulling " + layer.checksum.hex.substr(0, 12);
    const StoredFile file{.name = layer.type, .size = layer.size, .checksum = layer.checksum};
    const RemoteFile remote{
        .file = file,
        .bytes = {.url = base_ + "/blobs/sha256:" + layer.checksum.hex, .token = session_.token(),
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

  Status explain(const net::Response& response) const {
    if (response.status == 401) is_signed_out_ = true;
    if (response.status == 404) {
      return error(StatusCode::kNotFound, "pull model manifest: file does not exist");
    }
    if (response.status == 401 || response.status == 403) {
      return session_.explain(response, "to hand out " + wanted_.space + "/" + wanted_.model);
    }
    return error(StatusCode::kUnavailable, "the registry {} answered {}", wanted_.host,
                 response.status);
  }

  mutable std::atomic<bool> is_signed_out_ = false;  // set by fetches of several connections
  const LocalStore& store_;
  const RegistryPull& wanted_;
  const net::Limits& limits_;
  const PullProgress& progress_;
  RegistrySession session_;
  std::string base_;
  std::string config_;  // its digest; empty: there is none
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
  QUIRE_RETURN_IF_ERROR(registry.fetch_config(weights.dress));
  progress("verifying sha256 digest", "", 0, 0);
  QUIRE_ASSIGN_OR_RETURN(Manifest made, create_model(store, wanted.name, weights, {}, check));
  progress("writing manifest", "", 0, 0);
  return made;
}

}  // namespace quire::store
