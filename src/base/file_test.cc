#include "base/file.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace quire {
namespace {

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("quire_file_test_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ / name; }

  std::filesystem::path folder_;
};

TEST_F(FileTest, ReplacesReadsAndMaps) {
  ASSERT_TRUE(replace_file(path("a"), "first").is_ok());
  ASSERT_TRUE(replace_file(path("a"), "second").is_ok());
  EXPECT_EQ(read_file(path("a"), 100).value(), "second");
  const auto map = MappedFile::open(path("a"));
  ASSERT_TRUE(map.is_ok());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(map->bytes().data()), map->bytes().size()),
            "second");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1)
      << "no temporary file is left";
}

TEST_F(FileTest, RefusesWhatIsTooLargeMissingOrNoRegularFile) {
  ASSERT_TRUE(replace_file(path("a"), "12345").is_ok());
  EXPECT_EQ(read_file(path("a"), 4).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(read_file(path("none"), 4).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(MappedFile::open(folder_).is_ok());
  EXPECT_FALSE(read_file("/dev/zero", 4).is_ok());
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(read_file(path("pipe"), 4).is_ok()) << "and does not wait for a writer";
  EXPECT_FALSE(replace_file(path("no/such/folder"), "x").is_ok());
}

TEST_F(FileTest, AMappedFileThatIsCutReadsAsZerosAndSaysSo) {
  const std::size_t size = 1 << 20, cut = 1 << 19;
  ASSERT_TRUE(replace_file(path("a"), std::string(size, 'x')).is_ok());
  ASSERT_TRUE(replace_file(path("b"), std::string(size, 'y')).is_ok());
  for (int round = 0; round < 3; ++round) {  // a mapping's place may be that of the one before
    const auto a = MappedFile::open(path("a")), b = MappedFile::open(path("b"));
    EXPECT_TRUE(a->health().is_ok());
    std::filesystem::resize_file(path("a"), cut);
    EXPECT_EQ(a->bytes()[cut - 1], std::byte{'x'});
    EXPECT_TRUE(a->health().is_ok()) << "nothing that is gone has been read";
    EXPECT_EQ(a->bytes()[size - 1], std::byte{0});
    EXPECT_EQ(a->bytes()[cut], std::byte{0});
    EXPECT_EQ(a->health().code(), StatusCode::kCorrupt);
    EXPECT_EQ(b->bytes()[size - 1], std::byte{'y'});
    EXPECT_TRUE(b->health().is_ok());
    ASSERT_TRUE(replace_file(path("a"), std::string(size, 'x')).is_ok());
  }
}

TEST_F(FileTest, PagesThatWereDroppedComeBackAndTheStampTellsVersionsApart) {
  ASSERT_TRUE(replace_file(path("a"), std::string(100000, 'x')).is_ok());
  const auto map = MappedFile::open(path("a"));
  map->drop_resident();
  EXPECT_EQ(map->bytes()[99999], std::byte{'x'});
  EXPECT_EQ(MappedFile::open(path("a"))->stamp(), map->stamp());
  ASSERT_TRUE(replace_file(path("a"), std::string(100001, 'x')).is_ok());
  EXPECT_NE(MappedFile::open(path("a"))->stamp(), map->stamp());
}

TEST_F(FileTest, AnEmptyFileMapsToNothing) {
  ASSERT_TRUE(replace_file(path("empty"), "").is_ok());
  EXPECT_TRUE(MappedFile::open(path("empty"))->bytes().empty());
}

}  // namespace
}  // namespace quire
