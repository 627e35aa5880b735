#include "store/checksum.h"

#include <gtest/gtest.h>

#include "formats/testing/temp_folder.h"

namespace quire::store {
namespace {

TEST(ChecksumTest, BothKindsGiveTheSumsThatOthersGive) {
  Digest sha;
  sha.update(std::string_view("hello "));
  sha.update(std::string_view("world\n"));
  EXPECT_EQ(sha.finish().text(),
            "sha256-a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447");
  Digest git(Checksum::Kind::kGit, 12);
  git.update(std::string_view("hello world\n"));
  EXPECT_EQ(git.finish().text(), "git-3b18e512dba79e4c8300dd08aeb37f8e728b8dad");
}

TEST(ChecksumTest, AFileIsReadToItsEndAndNotBeyond) {
  const quire::testing::TempFolder folder;
  const std::string path = folder.write("f", "hello world\n");
  EXPECT_EQ(checksum_of_file(path, Checksum::Kind::kGit)->text(),
            "git-3b18e512dba79e4c8300dd08aeb37f8e728b8dad");
  EXPECT_EQ(checksum_of_file(folder.path() + "/none").status().code(), StatusCode::kNotFound);
}

TEST(ChecksumTest, OnlyLowerCaseDigitsOfTheRightNumberAreOne) {
  const std::string sum(64, 'a');
  EXPECT_EQ(Checksum::parse("sha256-" + sum).value(), Checksum::sha256(sum).value());
  for (const std::string& bad : {std::string("sha256-"), "sha256-" + sum + "a", "md5-" + sum,
                                 "sha256-" + std::string(64, 'A'), "git-" + sum,
                                 "sha256-../" + std::string(61, 'a')}) {
    EXPECT_FALSE(Checksum::parse(bad).is_ok()) << bad;
  }
}

}  // namespace
}  // namespace quire::store
