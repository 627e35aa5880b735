// Addresses in the spellings that people type, and names that become part of one.
#include "net/url.h"

#include <gtest/gtest.h>

namespace quire::net {
namespace {

TEST(UrlTest, SpellingsOfOneServer) {
  for (const char* spelling : {"http://127.0.0.1:8000", "127.0.0.1:8000", "127.0.0.1:8000/",
                               "http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1/"}) {
    const auto base = server_base(spelling, "--url");
    ASSERT_TRUE(base.is_ok()) << spelling;
    EXPECT_EQ(*base, "http://127.0.0.1:8000");
  }
  EXPECT_EQ(*server_base("https://models.local/a/v1/", "--url"), "https://models.local/a");
  EXPECT_EQ(*server_base("http://[::1]:9000/x", "--url"), "http://[::1]:9000/x");
}

TEST(UrlTest, WhatNamesNoServerIsRefused) {
  for (const char* text : {"http://", "http://:80", "http://host:port", "http://[::1",
                           "http://host:123456", "ftp://host", ""}) {
    EXPECT_EQ(server_base(text, "--url").status().code(), StatusCode::kInvalidArgument) << text;
  }
  EXPECT_EQ(server_base("http://:80", "--url").status().message(),
            "--url 'http://:80' names no host and port");
}

TEST(UrlTest, NamesInPathsAreEscaped) {
  EXPECT_EQ(url_escaped("owner/name-1.0_x~", true), "owner/name-1.0_x~");
  EXPECT_EQ(url_escaped("owner/name"), "owner%2Fname");
  EXPECT_EQ(url_escaped("a b?c\xC3\xA9", true), "a%20b%3Fc%C3%A9");
}

TEST(UrlTest, AMessageNamesTheHostAndNoPassword) {
  EXPECT_EQ(host_of("http://user:secret@host:81/path"), "host:81");
  EXPECT_EQ(host_of("https://host/path?x"), "host");
  EXPECT_EQ(host_of("::"), "the server");
}

}  // namespace
}  // namespace quire::net
