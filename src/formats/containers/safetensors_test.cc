// SafetensorsFiles by example: one file, shards behind an index, and what an index may not do.
#include "formats/containers/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "formats/testing/temp_folder.h"
#include "formats/testing/tiny_models.h"

namespace quire {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempFolder;
using testing::tiny_safetensors;

std::string refusal(const std::string& path) {
  const auto files = SafetensorsFiles::open(path);
  return files.is_ok() ? "accepted" : files.status().message();
}

std::string with_header(std::string_view header, std::size_t data_size = 0) {
  const std::uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + std::string(header) +
         std::string(data_size, '\0');
}

TEST(SafetensorsTest, ReadsTensorsOfEveryType) {
  TempFolder folder;
  const auto files = SafetensorsFiles::open(
      folder.write("a.safetensors", with_header(R"({"__metadata__":{"format":"pt"},
        "b":{"dtype":"BF16","shape":[2,3],"data_offsets":[8,20]},
        "a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
        "c":{"dtype":"F16","shape":[],"data_offsets":[20,22]}}   )",
                                                22)));
  ASSERT_TRUE(files.is_ok()) << files.status().message();
  ASSERT_EQ(files->tensors().size(), 3u);
  const TensorView& b = files->tensors()[1];
  EXPECT_EQ(b.name, "b");
  EXPECT_EQ(b.dtype, DType::kBF16);
  EXPECT_THAT(b.shape, ElementsAre(2, 3));
  EXPECT_EQ(files->offset_of(b) - files->offset_of(files->tensors()[0]), 8u);
  EXPECT_THAT(files->tensors()[2].shape, ElementsAre(1));
}

TEST(SafetensorsTest, EveryTensorIsAlignedForItsType) {
  TempFolder folder;
  for (std::size_t padding = 0; padding < 8; ++padding) {
    std::string file = with_header(R"({"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},)"
                                   R"("b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})" +
                                       std::string(padding, ' '),
                                   6);
    const float value = 1.5f;
    std::memcpy(file.data() + file.size() - sizeof(value), &value, sizeof(value));
    const auto files = SafetensorsFiles::open(folder.write("a.safetensors", file));
    ASSERT_TRUE(files.is_ok()) << files.status().message();
    const TensorView& b = files->tensors()[1];
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b.data) % 4, 0u);
    EXPECT_EQ(*reinterpret_cast<const float*>(b.data), value);
    EXPECT_EQ(files->offset_of(b), file.size() - 4);
  }
}

// Older BERT files have one; it is no weight, and the file is as strict as without it.
TEST(SafetensorsTest, NumbersOfPlacesAreNoWeights) {
  TempFolder folder;
  const auto open = [&](const char* name, std::size_t data_size) {
    return SafetensorsFiles::open(folder.write(
        "a.safetensors",
        with_header(fmt::format(R"({{"w":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}},)"
                                R"("{}":{{"dtype":"I64","shape":[1,3],"data_offsets":[8,32]}}}})",
                                name),
                    data_size)));
  };
  const auto files = open("embeddings.position_ids", 32);
  ASSERT_TRUE(files.is_ok()) << files.status().message();
  ASSERT_EQ(files->tensors().size(), 1u);
  EXPECT_EQ(files->tensors()[0].name, "w");
  EXPECT_FALSE(open("embeddings.position_ids", 40).is_ok());
  EXPECT_FALSE(open("embeddings.ids", 32).is_ok());
}

TEST(SafetensorsTest, RefusesWhatTwoReadersCouldSeeDifferently) {
  TempFolder folder;
  const auto refused = [&](std::string_view header, std::size_t data_size) {
    return refusal(folder.write("a.safetensors", with_header(header, data_size)));
  };
  EXPECT_THAT(refused(R"({"a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}})", 8),
              HasSubstr("dtype 'I32' is not supported"));
  EXPECT_THAT(refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
                          "b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                      12),
              HasSubstr("its data begins at 4"));
  EXPECT_THAT(refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 9),
              HasSubstr("9 bytes in the file"));
  EXPECT_THAT(refused(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8),
              HasSubstr("shape and type need 12 bytes"));
  EXPECT_THAT(refused(R"({"__metadata__":{"x":1}})", 0), HasSubstr("__metadata__"));
  EXPECT_THAT(refused(R"({"a b":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})", 0),
              HasSubstr("is not a tensor name"));
}

class ShardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_.path() + "/models/m/s");
    write("one.safetensors", tiny_safetensors({{"", "x", {2}}}));
    write("two.safetensors", tiny_safetensors({{"", "y", {2, 2}}, {"", "z", {1}}}));
  }
  std::string write(const std::string& name, std::string_view bytes) {
    return folder_.write("models/m/s/" + name, bytes);
  }
  std::string index(std::string_view map) {
    return write("model.safetensors.index.json", fmt::format(R"({{"weight_map":{}}})", map));
  }

  TempFolder folder_;
};

TEST_F(ShardTest, OpensAllShards) {
  const auto files = SafetensorsFiles::open(
      index(R"({"x":"one.safetensors","y":"two.safetensors","z":"two.safetensors"})"));
  ASSERT_TRUE(files.is_ok()) << files.status().message();
  EXPECT_EQ(files->file_count(), 2u);
  EXPECT_EQ(files->tensors().size(), 3u);
}

TEST_F(ShardTest, TheIndexMustAgreeWithTheShards) {
  EXPECT_THAT(refusal(index(R"({"x":"one.safetensors","y":"two.safetensors"})")),
              HasSubstr("does not list tensor 'z'"));
  EXPECT_THAT(refusal(index(R"({"x":"one.safetensors","w":"one.safetensors"})")),
              HasSubstr("has 1 tensors, the index lists 2"));
  EXPECT_THAT(refusal(index(R"({"x":1})")), HasSubstr("weight_map"));
  EXPECT_THAT(refusal(index("[]")), HasSubstr("weight_map: missing"));
}

TEST_F(ShardTest, ShardsStayInTheFolder) {
  folder_.write("outside.safetensors", tiny_safetensors({{"", "x", {2}}}));
  for (const char* name : {"../../../outside.safetensors", "/dev/zero", ".", "..", ""}) {
    EXPECT_THAT(refusal(index(fmt::format(R"({{"x":"{}"}})", name))), HasSubstr("plain file name"))
        << name;
  }
  const std::string folder = folder_.path() + "/models/m/s/";
  fs::create_symlink("../../../outside.safetensors", folder + "link.safetensors");
  EXPECT_THAT(refusal(index(R"({"x":"link.safetensors"})")), HasSubstr("leads out"));
  fs::create_directory(folder + "folder.safetensors");
  EXPECT_THAT(refusal(index(R"({"x":"folder.safetensors"})")), HasSubstr("not a regular file"));
  EXPECT_THAT(refusal(index(R"({"x":"none.safetensors"})")), HasSubstr("is missing"));
}

// A snapshot of the download cache: links into the folder blobs two levels above.
TEST_F(ShardTest, TheDownloadCacheIsFollowed) {
  fs::create_directory(folder_.path() + "/models/blobs");
  folder_.write("models/blobs/0123abcd", tiny_safetensors({{"", "x", {2}}}));
  fs::create_symlink("../../blobs/0123abcd", folder_.path() + "/models/m/s/link.safetensors");
  EXPECT_EQ(refusal(index(R"({"x":"link.safetensors"})")), "accepted");
}

}  // namespace
}  // namespace quire
