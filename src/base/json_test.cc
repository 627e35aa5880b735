// Json: what the reader accepts and refuses, by example and by the public JSONTestSuite (where
// ../shared has it), and that what is written reads back.
#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>

#include "base/file.h"

namespace quire {
namespace {

std::string refusal(std::string_view text, const JsonLimits& limits = {}) {
  const auto parsed = parse_json(text, limits);
  return parsed.is_ok() ? "accepted as " + dump(*parsed) : parsed.status().message();
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(JsonTest, ReadsEveryKind) {
  const auto json = parse_json(
      R"({"a":null,"b":true,"c":-7,"d":18446744073709551615,"e":1.5,)"
      R"("f":"x\u00e9","g":[1,[]],"h":{}})");
  ASSERT_TRUE(json.is_ok()) << json.status().message();
  EXPECT_TRUE(json->find("a")->is_null());
  EXPECT_TRUE(json->find("b")->as_bool());
  EXPECT_EQ(json->find("c")->as_int(), -7);
  EXPECT_EQ(json->find("d")->kind(), Json::Kind::kUint);
  EXPECT_EQ(json->find("d")->as_uint(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(json->find("e")->as_double(), 1.5);
  EXPECT_EQ(json->find("f")->as_string(), "x\u00e9");
  EXPECT_EQ(json->find("g")->items().size(), 2u);
  EXPECT_TRUE(json->find("h")->members().empty());
  EXPECT_EQ(json->find("i"), nullptr);
}

TEST(JsonTest, IntegersNeverBecomeDoubles) {
  EXPECT_EQ(parse_json("9223372036854775807")->kind(), Json::Kind::kInt);
  EXPECT_EQ(parse_json("9223372036854775808")->kind(), Json::Kind::kUint);
  EXPECT_EQ(parse_json("-9223372036854775808")->kind(), Json::Kind::kInt);
  EXPECT_TRUE(contains(refusal("18446744073709551616"), "64 bits"));
  EXPECT_TRUE(contains(refusal("-9223372036854775809"), "64 bits"));
  EXPECT_EQ(parse_json("1.0")->kind(), Json::Kind::kDouble);
  EXPECT_EQ(parse_json("1e2")->kind(), Json::Kind::kDouble);
  JsonLimits limits;
  limits.huge_integers_are_doubles = true;
  EXPECT_EQ(parse_json("1000000000000000019884624838656", limits)->as_double(), 1e30);
}

// The nearest double, whatever the parser's own arithmetic makes of the digits.
TEST(JsonTest, DoublesAreTheNearest) {
  const auto read = [](const std::string& text) { return parse_json(text)->as_double(); };
  EXPECT_EQ(read("1.7976931348623158e308"), std::numeric_limits<double>::max());
  EXPECT_EQ(read("2.2250738585072011e-308"), 2.2250738585072011e-308);
  EXPECT_EQ(read("4.9e-324"), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(read("0.1234567890123456789012345678901234567890"), 0.12345678901234568);
  EXPECT_EQ(read("1" + std::string(400, '0') + "e-400"), 1);
  EXPECT_EQ(read("0." + std::string(400, '0') + "1e401"), 1);
  for (const char* zero : {"1e-999", "0e999", "0.0", "-0.0", "-1e-999"}) {
    EXPECT_EQ(read(zero), 0) << zero;
    EXPECT_EQ(std::signbit(read(zero)), zero[0] == '-') << zero;
  }
  EXPECT_TRUE(contains(refusal("-1e999"), "\"-1e999\" is out of range"));
  EXPECT_TRUE(contains(refusal("1e-9999999999"), "exponent overflow"));  // beyond 32 bits
}

// Strings with escapes arrive in parts of some thousand bytes.
TEST(JsonTest, LongStringsArriveWhole) {
  std::string text;
  std::string escaped;
  for (int i = 0; i < 20000; ++i) {
    text += i % 7 == 0 ? "\n" : i % 11 == 0 ? "\U0001F600" : "x";
    escaped += i % 7 == 0 ? "\\n" : i % 11 == 0 ? "\\ud83d\\ude00" : "x";
    if (i % 2000 != 0) continue;
    const auto json = parse_json("{\"" + escaped + "\":\"" + escaped + "\",\"a\":\"b\"}");
    ASSERT_TRUE(json.is_ok()) << json.status().message();
    ASSERT_EQ(json->find(text)->as_string(), text);
    ASSERT_EQ(json->find("a")->as_string(), "b");
  }
}

TEST(JsonTest, RefusesWhatIsNotJsonAndSaysWhere) {
  EXPECT_TRUE(contains(refusal(R"({"a":1,"b":2,"a":3})"), "\"a\" appears twice"));
  EXPECT_TRUE(contains(refusal("\xEF\xBB\xBF{}"), "byte order mark"));
  EXPECT_TRUE(contains(refusal(std::string_view("{}\0", 3)), "at byte 2"));
  EXPECT_TRUE(contains(refusal("{} x"), "before byte 4: more than one value at \"x\""));
  EXPECT_TRUE(contains(refusal("[1,\n]"), "before byte 5: syntax error at \"]\""));
  EXPECT_TRUE(contains(refusal("[1,"), "before byte 3: incomplete"));
  for (const char* text : {"",
                           " ",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "1e999",
                           "[1,]",
                           "{\"a\":1,}",
                           "'a'",
                           "01",
                           "+1",
                           "\"\\ud800\"",
                           "\"\\udc00\\ud800\"",
                           "\"\xff\"",
                           "\"\xed\xa0\x80\"",
                           "\"\xc0\xaf\"",
                           "\"\x01\"",
                           "[",
                           "{\"a\"",
                           "tru"}) {
    EXPECT_FALSE(parse_json(text).is_ok()) << text;
    EXPECT_TRUE(contains(refusal(text), "byte")) << refusal(text);
  }
}

TEST(JsonTest, LimitsHold) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse_json(nested(64)).is_ok());
  EXPECT_TRUE(contains(refusal(nested(65)), "deeper than 64"));
  EXPECT_FALSE(parse_json(std::string(200000, '[')).is_ok());
  JsonLimits limits;
  limits.values_max = 5;
  EXPECT_TRUE(parse_json(R"({"a":1,"b":2})", limits).is_ok());
  EXPECT_TRUE(contains(refusal(R"({"a":1,"b":2,"c":3})", limits), "more than 5"));
  limits.bytes_max = 4;
  EXPECT_TRUE(contains(refusal("[1,2]", limits), "at most 4"));
}

TEST(JsonTest, WritesCompactValidText) {
  Json json = Json::object();
  json.set("text", "a\"b\\\n\x01\x7f\u2028");
  json.set("items", "replaced below");
  json.set("text2", std::string("\xff") + "x");
  json.set("items", Json::array({1, 0.1, 1e22, false, nullptr, std::nan(""), 3.0}));
  json.set("big", std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(dump(json),
            "{\"text\":\"a\\\"b\\\\\\n\\u0001\\u007f\u2028\","
            "\"items\":[1,0.1,1e+22,false,null,null,3.0],\"text2\":\"\ufffdx\","
            "\"big\":18446744073709551615}");
}

TEST(JsonTest, WhatIsWrittenReadsBack) {
  std::uint64_t bits = 88172645463325252ull;
  for (int i = 0; i < 10000; ++i) {
    bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
    double value;
    static_assert(sizeof(value) == sizeof(bits));
    std::memcpy(&value, &bits, sizeof(value));
    if (!std::isfinite(value)) continue;
    const auto back = parse_json(dump(Json(value)));
    ASSERT_TRUE(back.is_ok()) << back.status().message();
    ASSERT_EQ(back->kind(), Json::Kind::kDouble) << dump(Json(value));
    ASSERT_EQ(back->as_double(), value);
  }
}

// Names begin with y (must be accepted), n (must be refused) or i (either, without harm). Duplicate
// keys are grammatical JSON and refused here by choice.
TEST(JsonTest, PassesTheJsonTestSuite) {
  const std::filesystem::path folder =
      std::string(QUIRE_SOURCE_DIR) + "/../shared/testdata/jsontestsuite/test_parsing";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not here";
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    const auto text = read_file(entry.path(), 1 << 20);
    ASSERT_TRUE(text.is_ok()) << text.status().message();
    const auto parsed = parse_json(*text);
    const bool has_duplicates = name.starts_with("y_object_duplicated_key");
    if (name[0] == 'y' && !has_duplicates) {
      EXPECT_TRUE(parsed.is_ok()) << name << ": " << parsed.status().message();
      if (parsed.is_ok()) {
        const auto back = parse_json(dump(*parsed));
        ASSERT_TRUE(back.is_ok()) << name;
        EXPECT_EQ(*back, *parsed) << name;
      }
    } else if (name[0] == 'n' || has_duplicates) {
      EXPECT_FALSE(parsed.is_ok()) << name;
    }
    ++files;
  }
  EXPECT_GT(files, 300);
}

}  // namespace
}  // namespace quire
