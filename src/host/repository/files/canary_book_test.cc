// CanaryBook: what was kept is found again by another book, and whatever is not just that begins
// anew.
#include "host/repository/files/canary_book.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSteps = 3;

class CanaryBookTest : public ::testing::Test {
 protected:
  ~CanaryBookTest() override { fs::remove_all(folder_); }

  void keep(const Canary::Mark& mark) { CanaryBook(folder_).keep(key_, mark); }
  std::optional<Canary::Mark> find(const CanaryKey& key) {
    return CanaryBook(folder_).find(key, kSteps);
  }
  std::string path() { return CanaryBook(folder_).path_of(key_); }

  std::string folder_ = (fs::temp_directory_path() / fmt::format("quire_canaries_{}", getpid()))
                            .string();
  CanaryKey key_{"/models/a", 1, 2, 3, 4, 5};
  Canary::Mark mark_{Canary::State::kRolledBack, 1, 30, "3 of 10 \"failed\""};
};

TEST_F(CanaryBookTest, WhatIsKeptIsFoundByTheNextBook) {
  EXPECT_FALSE(find(key_));
  keep(mark_);
  EXPECT_EQ(find(key_), mark_);
  const Canary::Mark other{Canary::State::kPromoted, 2, 30, "good"};
  keep(other);
  EXPECT_EQ(find(key_), other);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1)
      << "one file, and nothing beside it";
}

TEST_F(CanaryBookTest, WhateverIsAnotherBeginsAnew) {
  keep(mark_);
  const CanaryKey others[] = {{"/models/b", 1, 2, 3, 4, 5}, {"/models/a", 9, 2, 3, 4, 5},
                              {"/models/a", 1, 9, 3, 4, 5}, {"/models/a", 1, 2, 9, 4, 5},
                              {"/models/a", 1, 2, 3, 9, 5}, {"/models/a", 1, 2, 3, 4, 9}};
  for (const CanaryKey& other : others) {
    EXPECT_FALSE(find(other));
    fs::copy_file(path(), CanaryBook(folder_).path_of(other));  // somebody's else, by that name
    EXPECT_FALSE(find(other));
  }
}

TEST_F(CanaryBookTest, AFileThatIsDamagedIsPassedOver) {
  keep(mark_);
  const std::string whole = *read_file(path(), 1 << 16);
  const auto write = [&](const std::string& text) { std::ofstream(path()) << text; };
  for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
    write(whole.substr(0, size));
    EXPECT_FALSE(find(key_)) << size;
  }
  for (const auto& [what, other] : {std::pair("\"step\":1", "\"step\":3"),
                                    std::pair("\"step\":1", "\"step\":-1"),
                                    std::pair("\"step\":1", "\"step\":\"1\""),
                                    std::pair("rolled back", "gone"),
                                    std::pair("\"requests\":30", "\"requests\":-1"),
                                    std::pair("\"reason\"", "\"raisin\"")}) {
    std::string text = whole;
    ASSERT_NE(text.find(what), std::string::npos) << what << " in " << text;
    write(text.replace(text.find(what), std::string(what).size(), other));
    EXPECT_FALSE(find(key_)) << other;
  }
  write(std::string(CanaryBook::kFileBytesMax + 1, ' ') + whole);
  EXPECT_FALSE(find(key_));
  write("[1]");
  EXPECT_FALSE(find(key_));
  write(whole);
  EXPECT_TRUE(find(key_));
  keep(mark_);
  EXPECT_TRUE(find(key_)) << "it is written over";
}

TEST_F(CanaryBookTest, AFolderThatCannotBeMadeIsNoTrouble) {
  std::ofstream(folder_) << "a file";
  keep(mark_);
  EXPECT_FALSE(find(key_));
}

TEST_F(CanaryBookTest, TheOldestGoWhereThereAreTooMany) {
  fs::create_directories(folder_);
  const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (std::size_t i = 0; i < CanaryBook::kFilesMax + 5; ++i) {
    const std::string path = fmt::format("{}/{:016x}.json", folder_, i);
    std::ofstream(path) << "{}";
    fs::last_write_time(path, long_ago);
  }
  keep(mark_);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()),
            static_cast<std::ptrdiff_t>(CanaryBook::kFilesMax));
  EXPECT_TRUE(find(key_));
}

}  // namespace
}  // namespace quire
