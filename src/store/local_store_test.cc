#include "store/local_store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace quire {
namespace {

namespace fs = std::filesystem;

TEST(LocalStoreTest, NamesTheMissingFileAndHowToGetIt) {
  ::setenv("QUIRE_HOME", "/nonexistent/quire", 1);
  const Result<std::string> path = default_model_path();
  ASSERT_FALSE(path.is_ok());
  EXPECT_EQ(path.status().code(), StatusCode::kNotFound);
  EXPECT_NE(path.status().message().find("/nonexistent/quire/models/smollm2/"), std::string::npos);
  EXPECT_NE(path.status().message().find("fetch_model.sh"), std::string::npos);
}

TEST(LocalStoreTest, FindsTheDefaultModelInTheFolderThatIsSet) {
  const fs::path home = fs::path(::testing::TempDir()) / "quire_local_store_test";
  fs::create_directories(home / "models/smollm2");
  const fs::path file = home / "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
  std::ofstream(file) << "x";
  ::setenv("QUIRE_HOME", home.c_str(), 1);
  const Result<std::string> path = default_model_path();
  ASSERT_TRUE(path.is_ok()) << path.status().message();
  EXPECT_EQ(*path, file.string());
  fs::remove_all(home);
}

TEST(LocalStoreTest, FallsBackToTheHomeFolder) {
  ::unsetenv("QUIRE_HOME");
  ::setenv("HOME", "/nonexistent/home", 1);
  const Result<std::string> folder = store_folder();
  ASSERT_TRUE(folder.is_ok());
  EXPECT_EQ(*folder, "/nonexistent/home/.local/share/quire");
}

}  // namespace
}  // namespace quire
