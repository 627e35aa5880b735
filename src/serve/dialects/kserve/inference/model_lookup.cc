#include "serve/dialects/kserve/inference/model_lookup.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "serve/house.h"

namespace quire {
namespace {

constexpr std::string_view kOnlyVersion = "1";

ApiError not_found(int status, std::string_view name, std::string_view what) {
  return {.status = status,
          .message = fmt::format("Request for unknown model: '{}' {}", told_name(name), what),
          .param = "model",
          .code = "model_not_found"};
}

ApiError no_version(std::string_view name, std::string_view version) {
  return not_found(404, name, fmt::format("version {} is not found", told_name(version)));
}

// 0: too large to be one.
std::uint64_t number_of(std::string_view version) {
  std::uint64_t number = 0;
  const auto end = version.data() + version.size();
  const auto read = std::from_chars(version.data(), end, number);
  return read.ec == std::errc() && read.ptr == end ? number : 0;
}

// Why a model of the repository, or its version, does not answer.
ApiError not_served(const ModelRepository& repository, std::string_view name,
                    std::uint64_t number, std::string_view version) {
  if (version.empty()) return not_found(404, name, "has no available versions");
  for (const RepositoryRow& row : repository.known_rows()) {
    if (row.name != name || row.version != number) continue;
    return {.status = 503,
            .message = fmt::format("Request for unknown model: '{}' version {} is not at ready "
                                   "state", told_name(name), number),
            .type = "service_unavailable_error",
            .param = "model"};
  }
  return no_version(name, version);
}

Parsed<AskedModel> find_version(const ModelRepository& repository, std::string_view name,
                                std::string_view version) {
  const std::uint64_t number = number_of(version);
  if (!version.empty() && number == 0) return no_version(name, version);
  const Result<ServedVersion> served = repository.resolve(name, number);
  if (!served.is_ok()) return not_served(repository, name, number, version);
  AskedModel found{.index = served->model,
                   .lease_name = version.empty() ? std::string(name) : served->host_name,
                   .version = std::to_string(served->version),
                   .light = served->light};
  for (const ServedVersion& one : repository.versions(name)) {
    found.versions.push_back(std::to_string(one.version));
  }
  return found;
}

}  // namespace

std::string told_name(std::string_view name) {
  return name.size() <= kModelNameSizeMax ? std::string(name) : "(a very long name)";
}

Parsed<AskedModel> find_model(const DialectContext& context, std::string_view name,
                              std::string_view version) {
  if (version.find_first_not_of("0123456789") != std::string_view::npos) {
    return invalid_value("version", fmt::format("failed to get model version from specified "
                                                "version string '{}'", told_name(version)));
  }
  const ModelRepository* repository =
      context.house != nullptr ? context.house->repository : nullptr;
  if (repository != nullptr && repository->has(name)) {
    return find_version(*repository, name, version);
  }
  const auto index = find_served(context.models, name);
  if (!index) return not_found(400, name, "is not found");
  if (!version.empty() && version != kOnlyVersion) return no_version(name, version);
  return AskedModel{.index = *index, .lease_name = std::string(name),
                    .version = std::string(kOnlyVersion), .versions = {std::string(kOnlyVersion)}};
}

std::optional<VersionParts> parts_of_version(const ModelRepository& repository,
                                             std::string_view host_name) {
  const auto parts = version_parts(host_name);
  return parts && repository.has(parts->name) ? parts : std::nullopt;
}

std::shared_ptr<const LightModel> find_light(const DialectContext& context, std::string_view name,
                                             std::string_view version) {
  const ModelRepository* repository =
      context.house != nullptr ? context.house->repository : nullptr;
  const std::uint64_t number = number_of(version);
  if (repository == nullptr || (!version.empty() && number == 0)) return nullptr;
  const Result<ServedVersion> served = repository->resolve(name, number);
  return served.is_ok() ? served->light : nullptr;
}

// Traffic may be split between versions, so who answers is known from the lease: "NAME:VERSION".
Parsed<ModelLease> lease_for_inference(const DialectContext& context, std::string_view name,
                                       std::string& version) {
  auto found = find_model(context, name, version);
  if (!found.is_ok()) return found.error();
  if (found->light != nullptr) {
    return invalid_value("model", fmt::format("model '{}' has no engine", told_name(name)));
  }
  auto model = lease_model(context.models, found->lease_name);
  if (!model.is_ok()) return model.error();
  const std::string prefix = std::string(name) + ":";
  const std::string& own = (*model)->name();
  version = own.starts_with(prefix) ? own.substr(prefix.size()) : found->version;
  return model;
}

namespace {

// Of "story", and of "story:1", as a version is called elsewhere. Null: it is not served.
std::shared_ptr<const ModelConfig> config_of_name(const ModelRepository& repository,
                                                  std::string_view name) {
  if (repository.has(name)) return repository.config(name);
  const auto parts = parts_of_version(repository, name);
  if (!parts) return nullptr;
  const Result<ServedVersion> served = repository.resolve(parts->name, number_of(parts->version));
  const bool is_it = served.is_ok() && served->host_name == name;
  return is_it ? repository.config(parts->name) : nullptr;
}

void keep(const std::vector<ModelTensor>& declared, std::vector<TensorFace>& faces) {
  std::vector<TensorFace> kept;
  for (const ModelTensor& tensor : declared) {
    for (const TensorFace& face : faces) {
      if (face.name == tensor.name) kept.push_back(face);
    }
  }
  if (!kept.empty()) faces = std::move(kept);
}

}  // namespace

ModelFace declared_face(const House* house, const ModelInfo& info, std::string name) {
  ModelFace face = face_of(info, std::move(name));
  if (house == nullptr || house->repository == nullptr) return face;
  const auto config = config_of_name(*house->repository, face.name);
  if (config == nullptr) return face;
  face.is_decoupled = config->is_decoupled;
  if (config->settles_batch()) face.batch_max = config->batch_max;
  return face;
}

void keep_declared(const House& house, ModelFace& face) {
  if (house.repository == nullptr) return;
  const auto config = config_of_name(*house.repository, face.name);
  if (config == nullptr) return;
  keep(config->inputs, face.inputs);
  keep(config->outputs, face.outputs);
}

}  // namespace quire
