// Bodies that are made smaller come back as they were; and who wishes for what.
#include "serve/http/body/content_encoder.h"

#include <gtest/gtest.h>

namespace quire::http {
namespace {

ContentCoding coding_for(const char* wishes) {
  Request request;
  if (wishes != nullptr) request.headers.push_back({"accept-encoding", wishes});
  return accepted_coding(request);
}

TEST(ContentEncoderTest, TheReadersWishes) {
  EXPECT_EQ(coding_for(nullptr), ContentCoding::kIdentity);
  EXPECT_EQ(coding_for("gzip, deflate, br"), ContentCoding::kGzip);
  EXPECT_EQ(coding_for("gzip;q=0.5, deflate"), ContentCoding::kDeflate);
  EXPECT_EQ(coding_for("deflate"), ContentCoding::kDeflate);
  EXPECT_EQ(coding_for("gzip;q=0"), ContentCoding::kIdentity);
  EXPECT_EQ(coding_for("identity, gzip;q=0.1"), ContentCoding::kIdentity);
  EXPECT_EQ(coding_for("br"), ContentCoding::kIdentity);
  EXPECT_EQ(coding_name(ContentCoding::kGzip), "gzip");
  EXPECT_EQ(coding_name(ContentCoding::kIdentity), "");
}

TEST(ContentEncoderTest, WhatComesBackIsWhatWentIn) {
  std::string text, noise;
  std::uint32_t state = 7;
  for (int i = 0; i < 3'000'000; ++i) {
    text += static_cast<char>('a' + i % 26);
    state = state * 1664525 + 1013904223;
    noise += static_cast<char>(state >> 24);
  }
  for (const std::string& body : {std::string(), std::string("x"), text, noise}) {
    for (const ContentCoding coding : {ContentCoding::kGzip, ContentCoding::kDeflate}) {
      const std::string small = encode_body(coding, body).value();
      std::string back;
      ContentDecoder decoder(coding, small, body.size());
      while (decoder.step(back)) {
      }
      EXPECT_EQ(decoder.refusal(), 0);
      EXPECT_TRUE(back == body) << body.size();
    }
  }
  EXPECT_LT(encode_body(ContentCoding::kGzip, text)->size(), text.size() / 20);
}

}  // namespace
}  // namespace quire::http
