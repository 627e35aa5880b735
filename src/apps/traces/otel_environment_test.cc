// Where traces go by flag and by the variables of OpenTelemetry, and what is no place for them.
#include "apps/traces/otel_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace quire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

using Variables = std::map<std::string, std::string>;

Result<TraceSetup> setup(const std::string& flag, const Variables& variables) {
  const auto value = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  return read_trace_setup({.endpoint = flag, .service_name = ""}, value);
}

std::string url(const std::string& flag, const Variables& variables) {
  const auto read = setup(flag, variables);
  if (!read.is_ok()) return std::string(read.status().message());
  return read->exporter ? read->exporter->url : "none";
}

TEST(OtelEnvironment, WhereSpansGo) {
  EXPECT_EQ(url("", {}), "none");
  EXPECT_EQ(url("http://c:4318", {}), "http://c:4318/v1/traces");
  EXPECT_EQ(url("http://c:4318/", {}), "http://c:4318/v1/traces");
  EXPECT_EQ(url("http://c:4318/my/traces", {}), "http://c:4318/my/traces");
  EXPECT_EQ(url("", {{"OTEL_EXPORTER_OTLP_ENDPOINT", "https://c/base"}}),
            "https://c/base/v1/traces");
  EXPECT_EQ(url("", {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t/x"},
                     {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}}), "http://t/x");
  EXPECT_EQ(url("http://f", {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}}), "http://f/v1/traces");
}

TEST(OtelEnvironment, IsSwitchedOff) {
  Variables variables = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"},
                         {"OTEL_SDK_DISABLED", "TRUE"}};
  EXPECT_EQ(url("", variables), "none");
  variables = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}, {"OTEL_TRACES_EXPORTER", "none"}};
  EXPECT_EQ(url("", variables), "none");
  EXPECT_EQ(url("http://f", variables), "http://f/v1/traces") << "a flag overrules them";
}

TEST(OtelEnvironment, HeadersAndResource) {
  const auto read = setup("http://c", {{"OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%2Cb, x = 50%"},
                                       {"OTEL_RESOURCE_ATTRIBUTES", "zone=a,service.name=r"},
                                       {"OTEL_SERVICE_NAME", "front"}});
  ASSERT_TRUE(read.is_ok());
  EXPECT_THAT(read->exporter->headers, ElementsAre("api-key: a,b", "x: 50%"));
  EXPECT_THAT(read->exporter->resource,
              ElementsAre(Pair("zone", "a"), Pair("service.name", "front"),
                          Pair("service.version", testing::_)));
  const auto plain = setup("http://c", {{"OTEL_RESOURCE_ATTRIBUTES", "service.name=r"}});
  EXPECT_EQ(plain->exporter->resource.front().second, "r");
  EXPECT_EQ(setup("http://c", {})->exporter->resource.front().second, "quire");
}

TEST(OtelEnvironment, HeadersOfTracesStandForThoseOfAll) {
  const auto read = setup("http://ann:secret@c/x", {{"OTEL_EXPORTER_OTLP_HEADERS", "api-key=a"},
                                                    {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "k=b"}});
  ASSERT_TRUE(read.is_ok());
  EXPECT_THAT(read->exporter->headers, ElementsAre("k: b"));
  EXPECT_EQ(read->exporter->url, "http://ann:secret@c/x");
  EXPECT_THAT(read->said, testing::Each(testing::Not(HasSubstr("secret"))));
}

TEST(OtelEnvironment, Samplers) {
  const auto sampling = [](const std::string& name, const std::string& argument = "") {
    return setup("http://c", {{"OTEL_TRACES_SAMPLER", name},
                              {"OTEL_TRACES_SAMPLER_ARG", argument}})->sampling;
  };
  EXPECT_TRUE(sampling("").heeds_parent);
  EXPECT_FALSE(sampling("always_on").heeds_parent);
  EXPECT_EQ(sampling("parentbased_always_off").share, 0);
  EXPECT_TRUE(sampling("parentbased_traceidratio", "0.25").heeds_parent);
  EXPECT_EQ(sampling("traceidratio", "0.25").share, 0.25);
  EXPECT_EQ(sampling("traceidratio").share, 1);
}

TEST(OtelEnvironment, MistakesNameWhatWasSaid) {
  EXPECT_THAT(url("grpc://c:4317", {}), HasSubstr("--otlp-traces-endpoint"));
  EXPECT_THAT(url("http://", {}), HasSubstr("--otlp-traces-endpoint"));
  EXPECT_THAT(url("", {{"OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317"}}),
              HasSubstr("OTEL_EXPORTER_OTLP_ENDPOINT"));
  EXPECT_THAT(url("http://c", {{"OTEL_TRACES_SAMPLER", "jaeger_remote"}}),
              HasSubstr("OTEL_TRACES_SAMPLER"));
  EXPECT_THAT(url("http://c", {{"OTEL_TRACES_SAMPLER", "traceidratio"},
                               {"OTEL_TRACES_SAMPLER_ARG", "2"}}),
              HasSubstr("OTEL_TRACES_SAMPLER_ARG"));
  EXPECT_THAT(url("http://c", {{"OTEL_RESOURCE_ATTRIBUTES", "x"}}),
              HasSubstr("OTEL_RESOURCE_ATTRIBUTES"));
  EXPECT_THAT(url("http://c", {{"OTEL_EXPORTER_OTLP_HEADERS", "a=b%0d%0ac: d"}}),
              HasSubstr("OTEL_EXPORTER_OTLP_HEADERS"));
}

TEST(OtelEnvironment, TheFlagNamesTheService) {
  const auto read = read_trace_setup({"http://c:4317", "mine"}, [](const std::string& name) {
    return name == "OTEL_SERVICE_NAME" ? std::optional<std::string>("other") : std::nullopt;
  });
  ASSERT_TRUE(read.is_ok());
  EXPECT_THAT(read->exporter->resource, testing::Contains(Pair("service.name", "mine")));
  EXPECT_THAT(read->said, testing::Contains(HasSubstr("4318")));
}

TEST(OtelEnvironment, WhatDoesNothingIsSaid) {
  const auto read = setup("http://c", {{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
                                       {"OTEL_BSP_MAX_QUEUE_SIZE", "9"}});
  EXPECT_THAT(read->said, testing::Contains(HasSubstr("sent as http/json")));
  EXPECT_THAT(read->said, testing::Contains(HasSubstr("OTEL_BSP_MAX_QUEUE_SIZE=9")));
}

}  // namespace
}  // namespace quire
