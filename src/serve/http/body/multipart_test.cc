// Forms as clients send them, what is refused, and that no noise gets a view outside of the body.
#include "serve/http/body/multipart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace quire::http {
namespace {

using testing::HasSubstr;

constexpr const char* kForm = "multipart/form-data; boundary=x";

std::string part(const std::string& head, const std::string& data) {
  return "--x\r\n" + head + "\r\n\r\n" + data + "\r\n";
}

std::string field(const std::string& name, const std::string& data) {
  return part("Content-Disposition: form-data; name=\"" + name + "\"", data);
}

std::string why_not(const std::string& body, const std::string& type = kForm,
                    const MultipartLimits& limits = {}) {
  const auto parts = parse_multipart(type, body, limits);
  return parts.is_ok() ? "it is one" : parts.status().message();
}

TEST(MultipartTest, AFieldAndAFile) {
  const std::string lines = "{\"a\":1}\r\n--y\r\n{\"b\":2}\n";
  const std::string body =
      field("purpose", "batch") +
      part("content-disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n"
           "Content-Type: application/jsonl", lines) + field("empty", "") + "--x--\r\n";
  const auto parts = parse_multipart("Multipart/Form-Data;charset=utf-8; boundary=\"x\"", body);
  ASSERT_TRUE(parts.is_ok()) << parts.status().message();
  ASSERT_EQ(parts->size(), 3u);
  EXPECT_EQ((*parts)[0].name, "purpose");
  EXPECT_EQ((*parts)[0].data, "batch");
  EXPECT_FALSE((*parts)[0].filename.has_value());
  EXPECT_EQ((*parts)[0].content_type, "");
  EXPECT_EQ((*parts)[1].name, "file");
  EXPECT_EQ((*parts)[1].filename, "in.jsonl");
  EXPECT_EQ((*parts)[1].content_type, "application/jsonl");
  EXPECT_EQ((*parts)[1].data, lines);
  EXPECT_EQ((*parts)[2].data, "");
}

TEST(MultipartTest, NamesAsBrowsersAndOthersWriteThem) {
  const auto filename = [](const std::string& written) {
    const std::string head = "Content-Disposition: form-data; name=f; filename=" + written;
    const std::string body = part(head, "") + "--x--";
    const auto parts = parse_multipart(kForm, body);
    return parts.is_ok() ? *parts->front().filename : parts.status().message();
  };
  EXPECT_EQ(filename("plain.txt"), "plain.txt");
  EXPECT_EQ(filename("\"a; b=c\""), "a; b=c");
  EXPECT_EQ(filename("\"a%22b\""), "a\"b");
  EXPECT_EQ(filename("\"a\\\"b\""), "a\"b");
  EXPECT_EQ(filename("\"C:\\dir\\x\""), "C:\\dir\\x");
  EXPECT_EQ(filename("\"gr\xC3\xBC\xC3\x9F%41\""), "gr\xC3\xBC\xC3\x9F%41");
  EXPECT_EQ(filename("\"\""), "");
  EXPECT_THAT(filename("\"\xFF\""), HasSubstr("not UTF-8"));
  EXPECT_THAT(filename("\"open"), HasSubstr("not form-data"));
  EXPECT_THAT(filename("a; filename=b"), HasSubstr("not form-data"));
  EXPECT_THAT(filename("\"" + std::string(300, 'a') + "\""), HasSubstr("too long"));
}

TEST(MultipartTest, PreambleEpilogueAndPadding) {
  EXPECT_EQ(why_not("hello\r\n--x \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--x"),
            "it is one");
  EXPECT_EQ(why_not("--x--"), "it is one") << "an empty form";
}

TEST(MultipartTest, WhatIsRefused) {
  const std::string good = field("a", "1");
  EXPECT_THAT(why_not(good, "application/json"), HasSubstr("not multipart/form-data"));
  EXPECT_THAT(why_not(good, "multipart/form-data"), HasSubstr("no boundary"));
  EXPECT_THAT(why_not(good, "multipart/form-data; boundary=\"\""), HasSubstr("no boundary"));
  EXPECT_THAT(why_not(good, "multipart/form-data; boundary=\"x \""), HasSubstr("no boundary"));
  EXPECT_THAT(why_not(good, "multipart/form-data; boundary=" + std::string(71, 'x')),
              HasSubstr("no boundary"));
  EXPECT_THAT(why_not(good, "multipart/form-data; boundary=x; boundary=y"), HasSubstr("not multi"));
  EXPECT_THAT(why_not(""), HasSubstr("does not have its boundary"));
  EXPECT_THAT(why_not("a--x\r\n"), HasSubstr("does not have its boundary"));
  EXPECT_THAT(why_not("--xy\r\n"), HasSubstr("followed by something else"));
  EXPECT_THAT(why_not(good + "--x\r\nA: b"), HasSubstr("part 1 ends within its headers"));
  EXPECT_THAT(why_not("--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1"),
              HasSubstr("part 0 does not end"));
  EXPECT_THAT(why_not(part("A: b", "") + "--x--"), HasSubstr("no Content-Disposition"));
  EXPECT_THAT(why_not("--x\r\n\r\n1\r\n--x--"), HasSubstr("no Content-Disposition"));
  EXPECT_THAT(why_not(part("Content-Disposition: attachment; name=a", "") + "--x--"),
              HasSubstr("not form-data"));
  EXPECT_THAT(why_not(part("Content-Disposition: form-data", "") + "--x--"), HasSubstr("no name"));
  const std::string twice = "Content-Disposition: form-data; name=a\r\n";
  EXPECT_THAT(why_not(part(twice + twice + "A: b", "") + "--x--"), HasSubstr("more than one"));
  EXPECT_THAT(why_not(part(twice + "A : b", "") + "--x--"), HasSubstr("not well formed"));
  EXPECT_THAT(why_not(part(twice + " folded", "") + "--x--"), HasSubstr("not well formed"));
  EXPECT_THAT(why_not(part(twice + "A: b\nB: c", "") + "--x--"), HasSubstr("not well formed"));
  EXPECT_THAT(why_not(part(twice + "Content-Transfer-Encoding: base64", "") + "--x--"),
              HasSubstr("parts come as they are"));
}

TEST(MultipartTest, Limits) {
  const MultipartLimits few{.parts_max = 2, .part_head_max = 60, .part_headers_max = 2};
  const std::string two = field("a", "1") + field("b", "2");
  EXPECT_EQ(why_not(two + "--x--", kForm, few), "it is one");
  EXPECT_THAT(why_not(two + field("c", "3") + "--x--", kForm, few), HasSubstr("more than 2 parts"));
  EXPECT_THAT(why_not(field(std::string(40, 'a'), "") + "--x--", kForm, few),
              HasSubstr("more than 60 bytes"));
  EXPECT_THAT(why_not(part("A:\r\nB:\r\nC:", "") + "--x--", kForm, few),
              HasSubstr("more than 2 headers"));
}

// Every cut of a good form, and mutations of it: parts lie in the body, or it is refused.
TEST(MultipartTest, NoNoiseLeavesTheBody) {
  const std::string head = "Content-Disposition: form-data; name=\"f\"; filename=\"b\\\"c\"\r\n"
                           "Content-Type: text/plain";
  const std::string good = field("a", "1") + part(head, "data\r\n--\r\n") + "--x--\r\n";
  std::size_t taken = 0;
  const auto look = [&](const std::string& body) {
    const auto parts = parse_multipart(kForm, body);
    if (!parts.is_ok()) return;
    ++taken;
    for (const Part& part : *parts) {
      EXPECT_GE(part.data.data(), body.data());
      EXPECT_LE(part.data.data() + part.data.size(), body.data() + body.size());
    }
  };
  for (std::size_t size = 0; size <= good.size(); ++size) look(good.substr(0, size));
  std::mt19937 random(7);
  constexpr std::string_view kBytes = "\r\n-x:;=\"\\ a\0\xFF";
  for (int i = 0; i < 30'000; ++i) {
    std::string body = good;
    for (unsigned changes = random() % 4 + 1; changes > 0; --changes) {
      const std::size_t at = random() % body.size();
      const char c = kBytes[random() % kBytes.size()];
      switch (random() % 3) {
        case 0: body[at] = c; break;
        case 1: body.insert(at, 1, c); break;
        default: body.erase(at, 1);
      }
    }
    look(body);
  }
  EXPECT_GT(taken, 1000u);
}

}  // namespace
}  // namespace quire::http
