#include "lab/load/endpoint.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

TEST(EndpointTest, ReadsHostPortAndRoot) {
  const Endpoint plain = *parse_endpoint("http://127.0.0.1:8000");
  EXPECT_EQ(plain.host, "127.0.0.1");
  EXPECT_EQ(plain.port, "8000");
  EXPECT_EQ(plain.root, "/v1");
  const Endpoint deep = *parse_endpoint("http://models.local/prefix/v1/");
  EXPECT_EQ(deep.host, "models.local");
  EXPECT_EQ(deep.port, "80");
  EXPECT_EQ(deep.root, "/prefix/v1");
  const Endpoint six = *parse_endpoint("http://[::1]:9000/x");
  EXPECT_EQ(six.host, "::1");
  EXPECT_EQ(six.port, "9000");
  EXPECT_EQ(six.root, "/x/v1");
}

TEST(EndpointTest, RefusesWhatItCannotReach) {
  EXPECT_EQ(parse_endpoint("https://host").status().code(), StatusCode::kUnsupported);
  for (const char* url : {"http://", "http://:80", "http://host:", "http://host:port",
                          "http://[::1", "http://host:123456"}) {
    EXPECT_EQ(parse_endpoint(url).status().code(), StatusCode::kInvalidArgument) << url;
  }
}

}  // namespace
}  // namespace quire
