// Whole pulls from a hub on this machine, good and broken.
#include "store/pull.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "formats/checkpoint.h"
#include "formats/testing/temp_folder.h"
#include "formats/testing/tiny_models.h"
#include "store/hub/blob_fetch.h"
#include "store/testing/fake_hub.h"

namespace quire::store {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::FakeHub;
using testing::ServerReply;
using testing::ServerRequest;
using quire::testing::tiny_gguf;

// A program that can serve one kind of model.
Status open_checkpoint(const std::string& path, const std::vector<std::string>& adapters = {}) {
  EXPECT_TRUE(adapters.empty());
  const auto checkpoint = Checkpoint::open(path);
  if (!checkpoint.is_ok() || checkpoint->architecture == "llama") return checkpoint.status();
  return error(StatusCode::kUnsupported, "'{}' is not known", checkpoint->architecture);
}

class Recorder : public FetchObserver {
 public:
  void announce(std::string_view sentence) override { said += std::string(sentence) + "\n"; }
  void advance(std::uint64_t here, std::uint64_t total) override {
    EXPECT_LE(here, total);
    last = here;
  }
  std::string said;
  std::uint64_t last = 0;
};

class PullTest : public ::testing::Test {
 protected:
  Result<Manifest> pull_now(const std::string& name) {
    return pull(store_, name, recorder_, open_checkpoint, limits_);
  }

  void expect_refused(const std::string& name, StatusCode code, const std::string& sentence) {
    const auto manifest = pull_now(name);
    ASSERT_FALSE(manifest.is_ok());
    EXPECT_EQ(manifest.status().code(), code) << manifest.status().message();
    EXPECT_THAT(manifest.status().message(), HasSubstr(sentence));
    EXPECT_TRUE(store_.list().models.empty());
  }

  // Every answer of the hub has this status.
  void answer_with(ServerReply reply) {
    hub_.set_fault([reply](const ServerRequest&) { return reply; });
  }

  static bool is_empty(const std::string& folder) {
    return !fs::exists(folder) || fs::is_empty(folder);
  }

  quire::testing::TempFolder folder_;
  LocalStore store_{folder_.path() + "/store"};
  FakeHub hub_;
  Recorder recorder_;
  net::Limits limits_{.connect_seconds = 2,
                     .slow_seconds = 2,
                     .attempts_max = 2,
                     .backoff_first = std::chrono::milliseconds(5),
                     .wait_max = std::chrono::seconds(2)};
  const std::string model_ = tiny_gguf().bytes();
};

TEST_F(PullTest, AGgufOfTheHubCanBeOpened) {
  hub_.add("tiny-Q8_0.gguf", model_);
  hub_.add("README.md", "words");
  const auto manifest = pull_now("hf:owner/name");
  ASSERT_TRUE(manifest.is_ok()) << manifest.status().message();
  EXPECT_EQ(manifest->revision, testing::kFakeCommit);
  ASSERT_EQ(manifest->files.size(), 1u);
  EXPECT_EQ(manifest->bytes(), model_.size());
  EXPECT_EQ(recorder_.last, model_.size());
  EXPECT_TRUE(open_checkpoint(store_.path_of(*manifest).value()).is_ok());
  EXPECT_TRUE(is_empty(store_.folder() + "/partial"));
  for (const ServerRequest& request : hub_.requests()) {
    EXPECT_THAT(request.target, ::testing::Not(HasSubstr("README")));
  }
}

TEST_F(PullTest, ASecondPullFetchesNothingAndFindAsksNobody) {
  hub_.add("tiny-Q8_0.gguf", model_);
  ASSERT_TRUE(pull_now("hf:owner/name").is_ok());
  const std::size_t before = hub_.file_requests();
  ASSERT_TRUE(pull_now("hf:owner/name").is_ok());
  ASSERT_TRUE(pull_now("hf:owner/name:q8_0").is_ok()) << "another name of the same bytes";
  EXPECT_EQ(hub_.file_requests(), before);
  answer_with({.status = 500});
  const std::size_t asked = hub_.requests().size();
  EXPECT_TRUE(find_or_pull(store_, "hf:owner/name", recorder_, open_checkpoint, limits_).is_ok());
  EXPECT_EQ(hub_.requests().size(), asked);
}

TEST_F(PullTest, ADirectoryOfSafetensorsComesWithoutPickles) {
  hub_.add("config.json", quire::testing::tiny_hf_config());
  hub_.add("model.safetensors", quire::testing::tiny_safetensors(quire::testing::tiny_tensors()));
  hub_.add("pytorch_model.bin", "pickle");
  hub_.add("modules.json", "[]");
  hub_.add("1_Pooling/config.json", "{}");
  const auto manifest = pull_now("hf:owner/name");
  ASSERT_TRUE(manifest.is_ok()) << manifest.status().message();
  EXPECT_EQ(manifest->files.size(), 4u);
  const std::string path = store_.path_of(*manifest).value();
  EXPECT_TRUE(open_checkpoint(path).is_ok()) << path;
}

TEST_F(PullTest, SizesAndChecksumsAreAskedForWhereTheListingHasNone) {
  hub_.hide_checksums();
  hub_.add("config.json", quire::testing::tiny_hf_config());
  hub_.add("model.safetensors", quire::testing::tiny_safetensors(quire::testing::tiny_tensors()));
  const auto manifest = pull_now("hf:owner/name");
  ASSERT_TRUE(manifest.is_ok()) << manifest.status().message();
  EXPECT_EQ(manifest->files.size(), 2u);
}

TEST_F(PullTest, AWrongChecksumIsRefusedAndNothingStays) {
  hub_.add("tiny.gguf", model_);
  hub_.claim_checksum(std::string(64, '0'));
  expect_refused("hf:owner/name", StatusCode::kCorrupt, "wrong checksum");
  EXPECT_TRUE(is_empty(store_.folder() + "/blobs"));
  EXPECT_TRUE(is_empty(store_.folder() + "/partial"));
}

TEST_F(PullTest, WhatIsNoModelIsRefusedAndWhatWeCannotServeIsKept) {
  hub_.add("tiny.gguf", model_.substr(0, model_.size() / 2));
  expect_refused("hf:owner/name", StatusCode::kCorrupt, "no model that can be used");
  EXPECT_TRUE(is_empty(store_.folder() + "/blobs"));
  hub_.add("tiny.gguf", tiny_gguf("mamba").bytes());
  ASSERT_TRUE(pull_now("hf:owner/name").is_ok());
  EXPECT_THAT(recorder_.said, HasSubstr("cannot be served"));
}

TEST_F(PullTest, ABrokenNewVersionLeavesTheOldOneInPlace) {
  hub_.add("tiny.gguf", model_);
  ASSERT_TRUE(pull_now("hf:owner/name").is_ok());
  hub_.add("tiny.gguf", "GGUF and nothing else");
  EXPECT_FALSE(pull_now("hf:owner/name").is_ok());
  const Manifest kept = store_.find("hf:owner/name").value();
  EXPECT_TRUE(open_checkpoint(store_.path_of(kept).value()).is_ok());
}

TEST_F(PullTest, ANewVersionFreesTheOldOne) {
  hub_.add("tiny.gguf", model_);
  const Manifest old = pull_now("hf:owner/name").value();
  hub_.add("tiny.gguf", model_ + std::string(32, '\0'));
  const Manifest now = pull_now("hf:owner/name").value();
  EXPECT_FALSE(store_.has_blob(old.files[0].checksum, old.files[0].size));
  EXPECT_TRUE(open_checkpoint(store_.path_of(now).value()).is_ok());
}

TEST_F(PullTest, RefusalsSayWhatToDo) {
  hub_.add("tiny.gguf", model_);
  answer_with({.status = 401});
  expect_refused("hf:owner/name", StatusCode::kNotFound, "set HF_TOKEN");
  answer_with({.status = 403});
  expect_refused("hf:owner/name", StatusCode::kInvalidArgument, "/owner/name");
  answer_with({.status = 404, .headers = {{"X-Error-Code", "RepoNotFound"}}});
  expect_refused("hf:owner/name", StatusCode::kNotFound, "has no model hf:owner/name");
  answer_with({.status = 429, .headers = {{"Retry-After", "300"}}});
  expect_refused("hf:owner/name", StatusCode::kUnavailable, "in 5 min 00 s");
  answer_with({.status = 500});
  expect_refused("hf:owner/name", StatusCode::kUnavailable, "try again later");
  answer_with({.status = 418});
  expect_refused("hf:owner/name", StatusCode::kInternal, "418");
  hub_.set_fault({});
  expect_refused("hf:owner/name@v9", StatusCode::kNotFound, "no such revision");
  ::setenv("HF_TOKEN", "hf_secret", 1);
  answer_with({.status = 401});
  expect_refused("hf:owner/name", StatusCode::kInvalidArgument, "does not accept the token");
  EXPECT_EQ(hub_.requests().back().header("authorization"), "Bearer hf_secret");
  ::setenv("HF_TOKEN", "bad\r\nX-Evil: 1", 1);
  expect_refused("hf:owner/name", StatusCode::kInvalidArgument, "HF_TOKEN");
  ::unsetenv("HF_TOKEN");
}

TEST_F(PullTest, ListingsThatNoHubWouldSendAreRefused) {
  for (const char* listing :
       {"", "[]", "{}", R"({"sha":"x","siblings":[]})",
        R"({"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{}]})",
        R"({"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[
           {"rfilename":"a.gguf","size":1,"blobId":"zz"}]})"}) {
    answer_with({.body = listing});
    expect_refused("hf:owner/name", StatusCode::kCorrupt, "what no hub answers");
  }
  // Paths that leave the folder are not seen at all.
  answer_with({.body = R"({"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[
      {"rfilename":"../../evil.gguf","size":1,"blobId":"0123456789abcdef0123456789abcdef01234567"}
      ]})"});
  expect_refused("hf:owner/name", StatusCode::kUnsupported, "no GGUF file");
}

TEST_F(PullTest, SeveralThatAskForTheSameFetchItOnce) {
  hub_.add("tiny.gguf", model_);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      Recorder recorder;
      const auto manifest = pull(store_, "hf:owner/name", recorder, open_checkpoint, limits_);
      EXPECT_TRUE(manifest.is_ok()) << manifest.status().message();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(hub_.file_requests(), 1u);
}

TEST_F(PullTest, AFullDiskIsSaidBeforeAnythingIsFetched) {
  const Status status = check_room(folder_.path(), std::uint64_t{1} << 60);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("QUIRE_HOME"));
  EXPECT_TRUE(check_room(folder_.path(), 1).is_ok());
}

TEST_F(PullTest, NamesThatCannotBePulledAreSaid) {
  EXPECT_EQ(pull_now("mine").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(pull_now("hf:owner").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(find_or_pull(store_, "mine", recorder_, open_checkpoint, limits_).status().code(),
            StatusCode::kNotFound);
  EXPECT_TRUE(hub_.requests().empty());
}

}  // namespace
}  // namespace quire::store
