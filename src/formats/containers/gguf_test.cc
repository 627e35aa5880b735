// GgufFile by example: values of every type, split files, and what is refused with which words.
#include "formats/containers/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/testing/temp_folder.h"
#include "formats/testing/tiny_models.h"

namespace quire {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::TempFolder;

class GgufTest : public ::testing::Test {
 protected:
  Result<GgufFile> open(const GgufWriter& writer) {
    return GgufFile::open(folder_.write("test.gguf", writer.bytes()));
  }
  std::string refusal(const GgufWriter& writer) {
    const auto file = open(writer);
    return file.is_ok() ? "accepted" : file.status().message();
  }

  TempFolder folder_;
};

TEST_F(GgufTest, ReadsValuesOfEveryType) {
  GgufWriter writer(2);
  writer.set("u8", std::uint8_t{200}).set("i8", std::int8_t{-3}).set("u16", std::uint16_t{60000});
  writer.set("i16", std::int16_t{-9}).set("u32", 4000000000u).set("i32", -5).set("f32", 1.5f);
  writer.set("yes", true).set("text", "h\u00e9").set("u64", std::uint64_t{1} << 40);
  writer.set("i64", std::int64_t{-1} << 40).set("f64", 0.1).set("huge", ~std::uint64_t{0});
  writer.set("words", std::vector<std::string>{"a", "", "bc"});
  writer.set("floats", std::vector<float>{1, 2.5});
  writer.set("types", std::vector<std::int32_t>{1, -1});
  const auto file = open(writer);
  ASSERT_TRUE(file.is_ok()) << file.status().message();
  EXPECT_EQ(file->version(), 2u);
  EXPECT_EQ(**file->u64("u8"), 200u);
  EXPECT_EQ(**file->i64("i8"), -3);
  EXPECT_EQ(**file->u64("u16"), 60000u);
  EXPECT_EQ(**file->i64("i16"), -9);
  EXPECT_EQ(**file->u64("u32"), 4000000000u);
  EXPECT_EQ(**file->i64("i32"), -5);
  EXPECT_EQ(**file->u64("u64"), std::uint64_t{1} << 40);
  EXPECT_EQ(**file->i64("i64"), std::int64_t{-1} << 40);
  EXPECT_EQ(**file->f64("f32"), 1.5);
  EXPECT_EQ(**file->f64("f64"), 0.1);
  EXPECT_TRUE(**file->boolean("yes"));
  EXPECT_EQ(**file->string("text"), "h\u00e9");
  EXPECT_THAT(*file->strings("words"), ElementsAre("a", "", "bc"));
  EXPECT_THAT(*file->floats("floats"), ElementsAre(1, 2.5));
  EXPECT_THAT(*file->int32s("types"), ElementsAre(1, -1));
  EXPECT_FALSE(file->u64("absent")->has_value());
  EXPECT_TRUE(file->strings("absent")->empty());
  EXPECT_THAT(file->u64("i32").status().message(),
              AllOf(HasSubstr("i32 at offset"), HasSubstr("-5")));
  EXPECT_THAT(file->u64("huge").status().message(), HasSubstr("too large"));
  EXPECT_THAT(file->string("u8").status().message(), HasSubstr("it is uint8, not string"));
  EXPECT_THAT(file->f64("u8").status().message(), HasSubstr("not a float"));
  EXPECT_THAT(file->floats("types").status().message(), HasSubstr("an array of int32"));
  EXPECT_THAT(file->i64("words").status().message(), HasSubstr("an array of string"));
}

TEST_F(GgufTest, ShapesAreOutermostFirst) {
  GgufWriter writer;
  writer.add_tensor("a", {2, 3}, {1, 2, 3, 4, 5, 6}).add_tensor("b", {4}, {7, 8, 9, 10});
  writer.add_tensor("q", DType::kQ8_0, {2, 64}, std::string(2 * 68, 'x'));
  const auto file = open(writer);
  ASSERT_TRUE(file.is_ok()) << file.status().message();
  const TensorView* a = file->find_tensor("a");
  ASSERT_NE(a, nullptr);
  EXPECT_THAT(a->shape, ElementsAre(2, 3));
  EXPECT_EQ(reinterpret_cast<const float*>(a->data)[5], 6);
  EXPECT_EQ(file->find_tensor("q")->bytes(), 136u);
  EXPECT_EQ(file->offset_of(*file->find_tensor("b")) % 32, 0u);
  EXPECT_EQ(file->find_tensor("c"), nullptr);
}

TEST_F(GgufTest, RefusesWithFieldAndOffset) {
  EXPECT_THAT(refusal(GgufWriter(1)), HasSubstr("version at offset 4"));
  EXPECT_THAT(refusal(GgufWriter().set("", 1)), HasSubstr("metadata key 0 at offset 24"));
  EXPECT_THAT(refusal(GgufWriter().set("a\xff", 1)), HasSubstr("UTF-8"));
  EXPECT_THAT(refusal(GgufWriter().set("a", 1).set("b", 1).set("a", 2)),
              AllOf(HasSubstr("'a' at offset"), HasSubstr("twice")));
  EXPECT_THAT(refusal(GgufWriter().set("general.alignment", 24u)), HasSubstr("power of two"));
  EXPECT_THAT(refusal(GgufWriter().add_tensor("t", DType::kQ4_0, {1, 48}, std::string(36, 'x'))),
              HasSubstr("no whole blocks of 32"));
  EXPECT_THAT(refusal(GgufWriter().add_tensor("t", DType::kF32, {2, 8}, "only a few bytes")),
              HasSubstr("offset of tensor 't' at offset"));
  EXPECT_THAT(refusal(GgufWriter().add_tensor("t", {4}, {1, 2, 3, 4}).add_tensor("t", {1}, {1})),
              HasSubstr("the name appears twice"));
}

TEST_F(GgufTest, AlignmentIsHonoured) {
  GgufWriter writer(3, 64);
  writer.set("general.alignment", 64u).add_tensor("a", {1}, {1}).add_tensor("b", {1}, {2});
  const auto file = open(writer);
  ASSERT_TRUE(file.is_ok()) << file.status().message();
  EXPECT_EQ(file->offset_of(*file->find_tensor("b")) % 64, 0u);
  EXPECT_EQ(*reinterpret_cast<const float*>(file->find_tensor("b")->data), 2);
}

GgufWriter part(std::uint16_t number, std::uint16_t count, const std::string& tensor) {
  GgufWriter writer;
  writer.set("split.no", number).set("split.count", count).set("split.tensors.count", 2);
  return writer.add_tensor(tensor, {1}, {static_cast<float>(number)});
}

TEST_F(GgufTest, OpensSplitFiles) {
  const std::string first = folder_.write("m-00001-of-00002.gguf", part(0, 2, "a").bytes());
  EXPECT_EQ(GgufFile::open(first).status().code(), StatusCode::kNotFound);
  const std::string second = folder_.write("m-00002-of-00002.gguf", part(1, 2, "b").bytes());
  const auto file = GgufFile::open(first);
  ASSERT_TRUE(file.is_ok()) << file.status().message();
  EXPECT_EQ(file->part_count(), 2u);
  EXPECT_EQ(*reinterpret_cast<const float*>(file->find_tensor("b")->data), 1);
  EXPECT_THAT(GgufFile::open(second).status().message(), HasSubstr("split.no"));
  folder_.write("m-00002-of-00002.gguf", part(1, 2, "a").bytes());
  EXPECT_THAT(GgufFile::open(first).status().message(), HasSubstr("two parts"));
  folder_.write("m-00002-of-00002.gguf", part(1, 3, "b").bytes());
  EXPECT_THAT(GgufFile::open(first).status().message(), HasSubstr("split.count at offset"));
  EXPECT_THAT(refusal(part(0, 2, "a")), HasSubstr("must end with '-00001-of-00002.gguf'"));
}

TEST_F(GgufTest, OpensOnlyRegularFiles) {
  EXPECT_FALSE(GgufFile::open(folder_.path()).is_ok());
  EXPECT_FALSE(GgufFile::open("/dev/zero").is_ok());
  EXPECT_EQ(GgufFile::open(folder_.path() + "/none").status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace quire
