// Models that are pushed to a registry on this machine, good and broken, and pulled from it again.
#include "store/registry/push.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "base/file.h"
#include "formats/testing/temp_folder.h"
#include "store/modelfile/create.h"
#include "store/modelfile/ollama_store.h"
#include "store/testing/fake_registry.h"

namespace quire::store {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using Reply = testing::FakeRegistry::Reply;
using Request = testing::FakeRegistry::Request;

constexpr std::size_t kPart = 10'000;  // bytes

std::string weights_of(std::size_t size) {
  std::string bytes = "GGUF";
  while (bytes.size() < size) bytes += static_cast<char>(bytes.size() * 7 % 251);
  return bytes;
}

class PushTest : public ::testing::Test {
 protected:
  PushTest() : weights_(weights_of(2 * kPart + 5'000)) {
    dress_.chat_template = "{{ .Prompt }}";
    dress_.system = "You are Mario.";
    dress_.licenses = {"MIT", "Apache-2.0"};
    dress_.parameters = *parse_json(R"({"temperature":0.5,"stop":["x","y"],"seed":7})");
    dress_.messages = parse_json(R"([{"role":"user","content":"hi"}])")->items();
    dress_.renderer = "qwen3";
    dress_.parser = "qwen3-coder";
    dress_.needs = "0.6.1";
    add("mario", {{"model.gguf", weights_}}, dress_);
  }

  void add(const std::string& name, const std::map<std::string, std::string>& files,
           const ModelDress& dress) {
    const auto held = store_.hold();
    Manifest manifest{.name = name, .source = source_, .revision = "1"};
    for (const auto& [file, bytes] : files) {
      Digest digest;
      digest.update(bytes);
      const Checksum sum = digest.finish();
      ASSERT_TRUE(store_.place_blob(folder_.write("blob", bytes), sum).is_ok());
      manifest.files.push_back({file, bytes.size(), sum});
    }
    manifest.dress = dress;
    ASSERT_TRUE(store_.add(manifest).is_ok());
  }

  Status push(const std::string& name = "mario") {
    said_.clear();
    RegistryPush wanted{.name = name,
                        .place = {.host = registry_.host(), .space = "me", .model = "mario"},
                        .facts = {.family = "llama", .parameters = "1.5M",
                                  .quantization = "Q8_0"},
                        .part_bytes_min = kPart, .part_bytes_max = kPart};
    return push_to_registry(store_, wanted, limits_,
                            [this](const std::string& status, const std::string& hex,
                                   std::uint64_t total, std::uint64_t completed) {
                              if (!hex.empty()) {
                                EXPECT_EQ(status, "pushing " + hex.substr(0, 12));
                                EXPECT_LE(completed, total);
                              }
                              if (said_.empty() || said_.back() != status) said_.push_back(status);
                            });
  }

  Result<Manifest> pull_into(const std::string& folder) {
    const RegistryPull wanted{.name = "luigi", .host = registry_.host(), .space = "me",
                              .model = "mario"};
    return pull_from_registry(LocalStore(folder_.path() + "/" + folder), wanted, nullptr, limits_,
                              [](auto&&...) {});
  }

  // What was pushed is all there, and nothing of ours has changed.
  void expect_whole() {
    const auto pulled = pull_into("other");
    ASSERT_TRUE(pulled.is_ok()) << pulled.status().message();
    EXPECT_EQ(dump(dress_json(pulled->dress)), dump(dress_json(dress_)));
    const LocalStore other(folder_.path() + "/other");
    EXPECT_EQ(*read_file(other.blob_path(pulled->files.front().checksum), 1 << 20), weights_);
  }

  void expect_refused(StatusCode code, const std::string& sentence) {
    const Status status = push();
    EXPECT_EQ(status.code(), code) << status.message();
    EXPECT_THAT(status.message(), HasSubstr(sentence));
    EXPECT_TRUE(registry_.manifests.empty());
    const auto ours = store_.find("mario");
    ASSERT_TRUE(ours.is_ok());
    EXPECT_TRUE(store_.has_blob(ours->files.front().checksum, weights_.size()));
  }

  // The first request of that kind is answered so.
  void answer_once(const std::string& method, const std::string& in_target, Reply reply) {
    auto is_over = std::make_shared<bool>(false);
    registry_.set_fault([=](const Request& request) -> std::optional<Reply> {
      const bool is_meant = request.method == method &&
                            request.target.find(in_target) != std::string::npos;
      if (!is_meant || std::exchange(*is_over, true)) return std::nullopt;
      return reply;
    });
  }
  void answer_always(const std::string& method, const std::string& in_target, Reply reply) {
    registry_.set_fault([=](const Request& request) -> std::optional<Reply> {
      const bool is_meant = request.method == method &&
                            request.target.find(in_target) != std::string::npos;
      return is_meant ? std::optional(reply) : std::nullopt;
    });
  }
  std::size_t count(const std::string& line) const {
    std::size_t found = 0;
    const std::string story = registry_.story();
    for (std::size_t at = 0; (at = story.find(line, at)) != story.npos; ++at) ++found;
    return found;
  }

  std::string weights_;
  ModelDress dress_;
  std::string source_ = "a test";
  quire::testing::TempFolder folder_;
  LocalStore store_{folder_.path() + "/store"};
  testing::FakeRegistry registry_;
  std::vector<std::string> said_;
  net::Limits limits_{.connect_seconds = 2,
                      .slow_seconds = 5,
                      .attempts_max = 3,
                      .backoff_first = std::chrono::milliseconds(1),
                      .wait_max = std::chrono::seconds(2)};
};

TEST_F(PushTest, WhatIsPushedIsPulledAsItWas) {
  const Status status = push();
  ASSERT_TRUE(status.is_ok()) << status.message();
  EXPECT_EQ(said_.front(), "retrieving manifest");
  EXPECT_EQ(said_.back(), "pushing manifest");
  EXPECT_EQ(said_.size(), 2u + 7 + 1) << "seven layers and the config";
  EXPECT_EQ(count("PATCH part"), 3u + 6 + 1) << "three parts of weights";
  expect_whole();
}

TEST_F(PushTest, TheManifestIsAsOllamaWritesIt) {
  ASSERT_TRUE(push().is_ok());
  const Json manifest = *parse_json(registry_.manifests.at("me/mario/latest"));
  EXPECT_EQ(manifest.find("schemaVersion")->as_int(), 2);
  std::string types;
  Json digests = Json::array();
  for (const Json& layer : manifest.find("layers")->items()) {
    types += layer.find("mediaType")->as_string().substr(29) + " ";
    const std::string& bytes = registry_.blobs.at(layer.find("digest")->as_string());
    EXPECT_EQ(layer.find("size")->as_uint(), bytes.size());
    digests.push(*layer.find("digest"));
  }
  EXPECT_EQ(types, "model template system license license params messages ");
  const Json& named = *manifest.find("config");
  EXPECT_EQ(named.find("mediaType")->as_string(),
            "application/vnd.docker.container.image.v1+json");
  const Json config = *parse_json(registry_.blobs.at(named.find("digest")->as_string()));
  EXPECT_EQ(dump(config),
            R"({"model_format":"gguf","model_family":"llama","model_families":["llama"],)"
            R"("model_type":"1.5M","file_type":"Q8_0","renderer":"qwen3","parser":"qwen3-coder",)"
            R"("requires":"0.6.1","architecture":"amd64","os":"linux",)"
            R"("rootfs":{"type":"layers","diff_ids":)" + dump(digests) + "}}");
  const auto sent = registry_.requests();
  EXPECT_EQ(sent.back().header("content-type"),
            "application/vnd.docker.distribution.manifest.v2+json");
  EXPECT_EQ(sent[2].header("content-range"), "0-9999");
  EXPECT_EQ(sent[3].header("content-range"), "10000-19999");
  EXPECT_EQ(sent[4].header("content-range"), "20000-24999");
  EXPECT_EQ(sent[4].header("content-length"), "5000");
}

TEST_F(PushTest, WhatIsThereIsNotSentAgain) {
  ASSERT_TRUE(push().is_ok());
  const std::size_t before = registry_.requests().size();
  ASSERT_TRUE(push().is_ok());
  EXPECT_EQ(registry_.requests().size(), before + 8 + 1) << "a look at each, and the manifest";
  EXPECT_EQ(said_.size(), 2u + 8);
}

TEST_F(PushTest, WhatAnotherRepositoryHasIsTakenOver) {
  registry_.blobs[testing::FakeRegistry::digest_of(weights_)] = weights_;
  answer_once("HEAD", "/me/mario/blobs/", {.status = 404});  // only in the other one
  source_ = "ollama:" + registry_.host() + "/you/origin";
  add("mario", {{"model.gguf", weights_}}, dress_);
  ASSERT_TRUE(push().is_ok());
  const std::string asked = registry_.requests()[1].target;
  EXPECT_THAT(asked, HasSubstr("?from=you%2Forigin&mount=sha256%3A"));
  EXPECT_EQ(count("PATCH part"), 7u) << "no weights";
  expect_whole();
}

TEST_F(PushTest, APartThatFailsIsSentOnceMore) {
  answer_once("PATCH", "/uploads/", {.status = 500});
  ASSERT_TRUE(push().is_ok());
  EXPECT_EQ(count("PATCH part"), 11u);
  EXPECT_EQ(count("GET part"), 1u) << "it asked where it is";
  expect_whole();
}

TEST_F(PushTest, APartThatIsCutOffGoesOnWhereItWas) {
  registry_.hang_up_after(4'000);
  ASSERT_TRUE(push().is_ok());
  EXPECT_EQ(registry_.requests()[4].header("content-range"), "4000-13999");
  expect_whole();
}

TEST_F(PushTest, APartThatIsCutOffBeginsAnewWhereNobodyTellsHowFarItCame) {
  registry_.tell_no_status();
  answer_once("PATCH", "/uploads/", {.status = 0});
  ASSERT_TRUE(push().is_ok());
  EXPECT_EQ(registry_.requests()[4].header("content-range"), "0-9999");
  expect_whole();
}

TEST_F(PushTest, AnUploadThatIsForgottenBeginsAnew) {
  registry_.forget_uploads();
  ASSERT_TRUE(push().is_ok());
  EXPECT_EQ(count("POST upload"), 9u);
  expect_whole();
}

TEST_F(PushTest, AnEndWhoseAnswerIsLostIsNoFailure) {
  // It keeps the blob, forgets the upload and hangs up.
  const std::string digest = testing::FakeRegistry::digest_of(weights_);
  auto is_over = std::make_shared<bool>(false);
  registry_.set_fault([this, digest, is_over](const Request& request) -> std::optional<Reply> {
    const bool is_end = request.method == "PUT" &&
                        request.target.find(digest.substr(7)) != std::string::npos;
    if (!is_end || std::exchange(*is_over, true)) return std::nullopt;
    registry_.blobs[digest] = weights_;
    registry_.forget_uploads();
    return Reply{.status = 0};
  });
  ASSERT_TRUE(push().is_ok());
  EXPECT_EQ(count("POST upload"), 8u);
  expect_whole();
}

TEST_F(PushTest, PartsGoWhereARedirectLeads) {
  registry_.redirect_parts();
  answer_once("PUT", "/parts/", {.status = 503});
  ASSERT_TRUE(push().is_ok());
  EXPECT_EQ(count("PUT elsewhere"), 3u + 7 + 1);
  EXPECT_EQ(count("PATCH part"), 3u + 7 + 1) << "after a failure another place is asked for";
  const auto sent = registry_.requests();
  EXPECT_EQ(sent[2].header("x-redirect-uploads"), "1");
  EXPECT_EQ(sent[3].header("content-range"), "");
  std::string commit;
  for (const Request& request : sent) {
    if (commit.empty() && request.target.find("digest=") != std::string::npos) {
      commit = request.target;
    }
  }
  EXPECT_THAT(commit, HasSubstr("?state=c&digest=sha256%3A"));
  EXPECT_THAT(commit, HasSubstr("-3")) << "the sum of three sums";
  EXPECT_THAT(commit, HasSubstr("&etag="));
  expect_whole();
}

TEST_F(PushTest, ARegistryThatRefusesIsRepeatedInASentence) {
  answer_always("POST", "/uploads/",
                {.status = 403,
                 .body = R"({"errors":[{"code":"DENIED","message":"not your\nnamespace"}]})"});
  expect_refused(StatusCode::kUnsupported, "access denied: the registry " + registry_.host() +
                                               " refused the blob sha256:");
  EXPECT_THAT(push().message(), HasSubstr(": not your namespace (DENIED)"));
  answer_always("HEAD", "/blobs/", {.status = 400});
  expect_refused(StatusCode::kUnsupported, "answered 400 to the blob sha256:");
  answer_always("PUT", "/manifests/", {.status = 413, .body = "too large"});
  expect_refused(StatusCode::kUnsupported, "answered 413 to the manifest of me/mario: too large");
  answer_always("POST", "/uploads/", {.status = 202});
  registry_.blobs.clear();
  expect_refused(StatusCode::kCorrupt, "did not say where to send what follows");
}

TEST_F(PushTest, AFailureThatStaysEndsAfterSoManyAttempts) {
  answer_always("PATCH", "/uploads/", {.status = 500});
  expect_refused(StatusCode::kUnavailable, "answered 500 to the blob");
  EXPECT_EQ(count("PATCH part"), 3u);
  answer_always("PATCH", "/uploads/", {.status = 0});
  expect_refused(StatusCode::kUnavailable, "cannot push sha256:");
  answer_always("PUT", "digest=", {.status = 503});
  expect_refused(StatusCode::kUnavailable, "answered 503");
  answer_always("PATCH", "/uploads/", {.status = 404});
  expect_refused(StatusCode::kNotFound, "answered 404");
}

TEST_F(PushTest, ARegistryThatLiesAboutWhatItHasIsNotBelieved) {
  const std::string other = "sha256:" + std::string(64, '0');
  answer_once("PUT", "digest=",
              {.status = 201, .headers = {{"Docker-Content-Digest", other}}});
  expect_refused(StatusCode::kCorrupt, "says that it has " + other + " in place of sha256:");
  answer_once("HEAD", "/blobs/", {.headers = {{"Content-Length", "17"}}});
  expect_refused(StatusCode::kCorrupt, "has 17 bytes; it has 25000");
  answer_once("HEAD", "/blobs/", {.headers = {{"Docker-Content-Digest", other},
                                              {"Content-Length", "25000"}}});
  expect_refused(StatusCode::kCorrupt, "says that it has " + other);
  answer_once("PUT", "digest=",
              {.status = 400,
               .body = R"({"errors":[{"code":"DIGEST_INVALID","message":"no match"}]})"});
  expect_refused(StatusCode::kUnsupported, "no match (DIGEST_INVALID)");
  answer_once("PUT", "/manifests/",
              {.status = 201, .headers = {{"Docker-Content-Digest", other}}});
  expect_refused(StatusCode::kCorrupt, "in place of sha256:");
}

TEST_F(PushTest, WhoWantsItToEndIsHeard) {
  std::atomic<bool> stop = false;
  limits_.stop = &stop;
  registry_.set_fault([&](const Request& request) -> std::optional<Reply> {
    stop = stop || request.method == "PATCH";
    return std::nullopt;
  });
  const Status status = push();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status.message();
  EXPECT_EQ(count("PATCH part"), 1u);
}

TEST_F(PushTest, AdaptersGoBehindTheWeightsAndComeBack) {
  add("style", {{"adapter.gguf", "GGUF of an adapter"}, {"adapter_config.json", "{}"}}, {});
  const std::vector<StoredFile> files = store_.find("style")->files;
  Manifest worn = *store_.find("mario");
  worn.adapters = {{{files[0]}}, {{files[0]}}};
  ASSERT_TRUE(store_.add(worn).is_ok());
  ASSERT_TRUE(push().is_ok());
  const auto layers = parse_ollama_manifest(registry_.manifests.at("me/mario/latest"));
  ASSERT_TRUE(layers.is_ok()) << layers.status().message();
  EXPECT_EQ((*layers)[1].type + " " + (*layers)[2].type + " " + (*layers)[3].type,
            "adapter adapter template");
  const auto pulled = pull_into("other");
  ASSERT_TRUE(pulled.is_ok()) << pulled.status().message();
  EXPECT_EQ(pulled->adapters, worn.adapters);
  worn.adapters = {{{files[1], files[0]}}};
  worn.adapters[0].files[1].name = "adapter_model.safetensors";
  ASSERT_TRUE(store_.add(worn).is_ok());
  EXPECT_THAT(push().message(), HasSubstr("mario has an adapter of 2 files"));
}

TEST_F(PushTest, WhatIsNoModelOfOneGgufFileIsRefused) {
  const std::size_t before = registry_.requests().size();
  add("two", {{"a.gguf", weights_}, {"b.gguf", weights_ + "b"}}, {});
  EXPECT_THAT(push("two").message(), HasSubstr("two has 2 files; registries of Ollama's kind take "
                                               "models of one GGUF file"));
  add("other", {{"model.bin", "llama2"}}, {});
  EXPECT_THAT(push("other").message(), HasSubstr("model.bin of other is no GGUF file"));
  const Status missing = push("nobody");
  EXPECT_EQ(missing.code(), StatusCode::kNotFound);
  EXPECT_EQ(said_, (std::vector<std::string>{"retrieving manifest",
                                             "couldn't retrieve manifest"}));
  fs::remove(store_.blob_path(store_.find("mario")->files.front().checksum));
  EXPECT_THAT(push().message(), HasSubstr("the store has lost model.gguf"));
  EXPECT_EQ(registry_.requests().size(), before) << "nobody was asked";
}

TEST_F(PushTest, ARegistryThatIsNotThereIsTold) {
  const RegistryPush wanted{.name = "mario", .place = {.host = "127.0.0.1:1", .model = "m"}};
  const Status status = push_to_registry(store_, wanted, limits_, [](auto&&...) {});
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("127.0.0.1:1"));
}

}  // namespace
}  // namespace quire::store
