#include "store/zip_member.h"

#include <gtest/gtest.h>
#include <zip.h>

#include <filesystem>

#include "base/file.h"
#include "formats/testing/temp_folder.h"

namespace quire::store {
namespace {

std::string write_zip(const quire::testing::TempFolder& folder, const std::string& member,
                      const std::string& bytes) {
  const std::string path = folder.path() + "/a.zip";
  zip_t* zip = zip_open(path.c_str(), ZIP_CREATE, nullptr);
  zip_file_add(zip, member.c_str(), zip_source_buffer(zip, bytes.data(), bytes.size(), 0), 0);
  EXPECT_EQ(zip_close(zip), 0);
  return path;
}

TEST(ZipMemberTest, TheMemberComesOutWholeOrNotAtAll) {
  const quire::testing::TempFolder folder;
  std::string bytes(std::size_t{3} << 20, 'x');
  bytes += "end";
  const std::string archive = write_zip(folder, "a/model.gguf", bytes);
  EXPECT_LT(std::filesystem::file_size(archive), bytes.size() / 10) << "a bomb, if one likes";
  const std::string target = folder.path() + "/out";
  ASSERT_TRUE(extract_zip_member(archive, "a/model.gguf", bytes.size(), target).is_ok());
  EXPECT_TRUE(read_file(target, bytes.size()).value() == bytes);
  for (const std::size_t size : {bytes.size() - 1, bytes.size() + 1, std::size_t{1}}) {
    EXPECT_FALSE(extract_zip_member(archive, "a/model.gguf", size, target).is_ok()) << size;
    EXPECT_LE(std::filesystem::file_size(target), size);
  }
  EXPECT_FALSE(extract_zip_member(archive, "b", 1, target).is_ok());
}

TEST(ZipMemberTest, WhatIsNoArchiveOrADamagedOneIsAnError) {
  const quire::testing::TempFolder folder;
  const std::string target = folder.path() + "/out";
  EXPECT_FALSE(extract_zip_member(folder.write("b.zip", "words"), "a", 1, target).is_ok());
  const std::string archive = write_zip(folder, "a", std::string(1000, 'q'));
  std::string raw = read_file(archive, 1 << 20).value();
  constexpr std::size_t kHeader = 30 + 1;  // of the member, whose name is one letter
  raw[kHeader + 1] = static_cast<char>(raw[kHeader + 1] ^ 0x55);
  EXPECT_FALSE(extract_zip_member(folder.write("c.zip", raw), "a", 1000, target).is_ok());
}

}  // namespace
}  // namespace quire::store
