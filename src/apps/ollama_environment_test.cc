#include "apps/ollama_environment.h"

#include <gtest/gtest.h>

#include <map>

namespace quire {
namespace {

std::vector<OllamaVariable> take(const std::map<std::string, std::string>& set,
                              ServeArguments& arguments) {
  return take_ollama_environment(
      [&](const std::string& name) -> std::optional<std::string> {
        const auto found = set.find(name);
        return found == set.end() ? std::nullopt : std::optional(found->second);
      },
      arguments);
}

TEST(OllamaEnvironment, IsTakenWhereNoFlagSaysOtherwise) {
  ServeArguments arguments;
  const auto said = take({{"OLLAMA_HOST", "http://0.0.0.0:9000/"}, {"OLLAMA_KEEP_ALIVE", "5m"},
                          {"OLLAMA_ORIGINS", "https://a.b,https://c.d"},
                          {"OLLAMA_CONTEXT_LENGTH", "2048"}, {"OLLAMA_MAX_QUEUE", "7"},
                          {"OLLAMA_FLASH_ATTENTION", "1"}}, arguments);
  EXPECT_EQ(said.size(), 6u);
  EXPECT_EQ(arguments.server.host, "0.0.0.0");
  EXPECT_EQ(arguments.server.port, 9000);
  EXPECT_EQ(arguments.keep_alive, "5m");
  EXPECT_EQ(arguments.server.allowed_origins.size(), 2u);
  EXPECT_EQ(arguments.common.max_model_len, 2048u);
  EXPECT_EQ(arguments.common.max_queue, 7u);
  EXPECT_NE(said.back().said.find("no effect"), std::string::npos);
}

TEST(OllamaEnvironment, FlagsComeFirstAndNonsenseIsTold) {
  ServeArguments arguments;
  arguments.server.port = 1234;
  arguments.keep_alive = "1h";
  const auto said = take({{"OLLAMA_HOST", "10.0.0.1"}, {"OLLAMA_KEEP_ALIVE", "5m"},
                          {"OLLAMA_CONTEXT_LENGTH", "much"}}, arguments);
  EXPECT_EQ(arguments.server.port, 1234);
  EXPECT_EQ(arguments.server.host, "127.0.0.1");
  EXPECT_EQ(arguments.keep_alive, "1h");
  ASSERT_EQ(said.size(), 3u);
  EXPECT_NE(said[0].said.find("overruled"), std::string::npos);
  EXPECT_NE(said[2].said.find("is no value of"), std::string::npos);
  EXPECT_TRUE(said[2].is_mistake);
  EXPECT_FALSE(said[0].is_mistake);
  ServeArguments long_stay;
  take({{"OLLAMA_KEEP_ALIVE", "1h30m"}}, long_stay);
  EXPECT_EQ(long_stay.keep_alive, "1h30m");
  ServeArguments other;
  take({{"OLLAMA_HOST", ":5000"}}, other);
  EXPECT_EQ(other.server.host, "127.0.0.1");
  EXPECT_EQ(other.server.port, 5000);
}

}  // namespace
}  // namespace quire
