#include "store/default_model.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "formats/testing/temp_folder.h"

namespace quire::store {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "SmolLM2-135M-Instruct.Q4_1.gguf";
constexpr std::uint64_t kBytes = 98362432;

class DefaultModelTest : public ::testing::Test {
 protected:
  // Where the set-up of older versions left it.
  std::string old_path() const {
    const std::string folder = store_.model_folder(kDefaultModelEntry);
    fs::create_directories(folder);
    return folder + "/" + kFile;
  }

  quire::testing::TempFolder folder_;
  LocalStore store_{folder_.path() + "/store"};
};

TEST_F(DefaultModelTest, WithoutAnOldFileThereIsNothingToTakeOver) {
  EXPECT_EQ(adopt_default_model(store_).status().code(), StatusCode::kNotFound);
  std::ofstream(old_path()) << "too short";
  EXPECT_EQ(adopt_default_model(store_).status().code(), StatusCode::kNotFound);
}

TEST_F(DefaultModelTest, AnOldFileThatIsDamagedIsNotTakenOver) {
  std::ofstream(old_path()) << "x";
  fs::resize_file(old_path(), kBytes);
  EXPECT_EQ(adopt_default_model(store_).status().code(), StatusCode::kCorrupt);
  EXPECT_TRUE(store_.list().models.empty());
}

TEST_F(DefaultModelTest, AnOldFileBecomesABlobWithoutACopy) {
  const auto home = LocalStore::open();
  ASSERT_TRUE(home.is_ok());
  const std::string here = home->model_folder(kDefaultModelEntry) + "/" + kFile;
  if (!fs::exists(here)) GTEST_SKIP() << "the default model is not here: tools/fetch_model.sh";
  fs::copy_file(fs::canonical(here), old_path());
  const auto manifest = adopt_default_model(store_);
  ASSERT_TRUE(manifest.is_ok()) << manifest.status().message();
  EXPECT_EQ(store_.find(kDefaultModelEntry).value(), *manifest);
  EXPECT_EQ(store_.path_of(*manifest).value(), old_path()) << "it is found where it was";
  EXPECT_TRUE(fs::is_symlink(old_path()));
  EXPECT_EQ(fs::hard_link_count(fs::canonical(old_path())), 1u);
  EXPECT_EQ(store_.remove(kDefaultModelEntry).value(), kBytes);
  EXPECT_FALSE(fs::exists(old_path()));
}

}  // namespace
}  // namespace quire::store
