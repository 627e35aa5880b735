// Vectors as JSON and as bytes: what a client reads back is the same float.
#include "serve/answer/vector_text.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

#include "base/json.h"

namespace quire {
namespace {

std::string written(const std::vector<float>& vector, VectorForm form = {}) {
  std::string out;
  append_vector(vector, form, out);
  return out;
}

std::string base64(std::string_view bytes) {
  std::string out;
  append_base64(bytes, out);
  return out;
}

TEST(VectorTextTest, NumbersReadBackAsTheSameFloats) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> values(-1, 1);
  std::vector<float> vector = {0, 1, -1, 0.1f, 1e-30f, std::numeric_limits<float>::max()};
  for (int i = 0; i < 1000; ++i) vector.push_back(values(random));
  const auto read = parse_json(written(vector));
  ASSERT_TRUE(read.is_ok());
  ASSERT_EQ(read->items().size(), vector.size());
  for (std::size_t i = 0; i < vector.size(); ++i) {
    EXPECT_EQ(static_cast<float>(read->items()[i].as_double()), vector[i]);
  }
  EXPECT_EQ(written({0.1f, -2}), "[0.1,-2]");
  EXPECT_EQ(written({}), "[]");
}

TEST(VectorTextTest, Base64AsEveryoneWritesIt) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFF\xFE"), "//4=");
}

TEST(VectorTextTest, BytesOfFloatsInEitherOrder) {
  EXPECT_EQ(written({1}, {.is_base64 = true}), "\"AACAPw==\"");  // 00 00 80 3F
  EXPECT_EQ(written({1}, {.is_base64 = true, .is_big_endian = true}), "\"P4AAAA==\"");
  EXPECT_EQ(written({1}, {.is_base64 = true, .type = VectorType::kF16}), "\"ADw=\"");
  EXPECT_EQ(written({1}, {.is_base64 = true, .type = VectorType::kBf16}), "\"gD8=\"");
}

TEST(VectorTextTest, HalvesAreRoundedToNearestEven) {
  EXPECT_EQ(half_bits(0), 0);
  EXPECT_EQ(half_bits(-2), 0xC000);
  EXPECT_EQ(half_bits(65504), 0x7BFF);
  EXPECT_EQ(half_bits(65520), 0x7C00);   // half-way to the next, which is infinity
  EXPECT_EQ(half_bits(1e9f), 0x7C00);
  EXPECT_EQ(half_bits(0x1p-24f), 1);     // the smallest
  EXPECT_EQ(half_bits(0x1p-25f), 0);     // half of it: to even
  EXPECT_EQ(half_bits(0x1.8p-24f), 2);   // one and a half: to even
  EXPECT_EQ(half_bits(0x1p-14f), 0x0400);
  EXPECT_EQ(half_bits(1 + 0x1p-11f), 0x3C00);
  EXPECT_EQ(half_bits(1 + 0x1.8p-10f), 0x3C02);
  EXPECT_EQ(bfloat_bits(1 + 0x1p-8f), 0x3F80);
  EXPECT_EQ(bfloat_bits(1 + 0x1.8p-7f), 0x3F82);
}

}  // namespace
}  // namespace quire
