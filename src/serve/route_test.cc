#include "serve/route.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

bool fits(std::string_view pattern, std::string_view path) {
  PathParams params;
  return fits_pattern(pattern, path, params);
}

TEST(Route, PlainPatternsFitThemselvesAlone) {
  EXPECT_TRUE(fits("/", "/"));
  EXPECT_FALSE(fits("/", "/a"));
  EXPECT_TRUE(fits("/v1/models", "/v1/models"));
  EXPECT_FALSE(fits("/v1/models", "/v1/models/"));
  EXPECT_TRUE(fits("/v2/m/{model...}/versions/{version}/infer", "/v2/m/a/b/versions/3/infer"));
  EXPECT_FALSE(fits("/v2/m/{model...}/versions/{version}/infer", "/v2/m/versions/3/infer"));
  EXPECT_FALSE(fits("/v2/m/{model...}/versions/{version}/infer", "/v2/m/a/versions//infer"));
  EXPECT_TRUE(fits("/v2/", "/v2/"));
  EXPECT_FALSE(fits("/v2/", "/v2"));
  EXPECT_FALSE(fits("/v1/models", "/v1"));
  EXPECT_FALSE(fits("/v1/models", "/v1/model"));
  EXPECT_FALSE(fits("/v1/models", "*"));
  EXPECT_FALSE(fits("/v1", "/v1/models"));
}

TEST(Route, NamesOneSegment) {
  PathParams params;
  ASSERT_TRUE(fits_pattern("/v1/responses/{id}/cancel", "/v1/responses/resp_1/cancel", params));
  EXPECT_EQ(params["id"], "resp_1");
  EXPECT_EQ(params["other"], "");
  EXPECT_FALSE(fits("/v1/responses/{id}", "/v1/responses/"));
  EXPECT_FALSE(fits("/v1/responses/{id}", "/v1/responses/a/b"));
  EXPECT_FALSE(fits("/v1/responses/{id}/cancel", "/v1/responses//cancel"));
  EXPECT_FALSE(fits("/v1/responses/{id}/cancel", "/v1/responses/a/cancels"));
}

TEST(Route, NamesTheRestOfAPath) {
  PathParams params;
  ASSERT_TRUE(fits_pattern("/quire/models/{model...}/load", "/quire/models/org/name/load", params));
  EXPECT_EQ(params["model"], "org/name");
  ASSERT_TRUE(fits_pattern("/v1/models/{model...}", "/v1/models/a", params));
  EXPECT_EQ(params["model"], "a");
  EXPECT_FALSE(fits("/v1/models/{model...}", "/v1/models/"));
  EXPECT_FALSE(fits("/quire/models/{model...}/load", "/quire/models/load"));
  EXPECT_FALSE(fits("/quire/models/{model...}/load", "/quire/models//load"));
}

}  // namespace
}  // namespace quire
