// Durations of Go, stays of models, moments; and names.
#include "serve/dialects/ollama/times.h"

#include <gtest/gtest.h>

#include "host/model_shelf.h"
#include "serve/intake/names/model_names.h"

namespace quire {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(OllamaTimes, DurationsAreGos) {
  EXPECT_EQ(parse_go_duration("10m"), minutes(10));
  EXPECT_EQ(parse_go_duration("1h30m"), minutes(90));
  EXPECT_EQ(parse_go_duration("300ms"), milliseconds(300));
  EXPECT_EQ(parse_go_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(parse_go_duration("-2s"), seconds(-2));
  EXPECT_EQ(parse_go_duration("0"), Nanos(0));
  EXPECT_EQ(parse_go_duration("1us"), Nanos(1000));
  EXPECT_EQ(parse_go_duration("99999999h"), Nanos::max());
  for (const char* bad : {"", "-", "5", "m", "5x", "1 h", "1h 2", ".s", "1..2s"}) {
    EXPECT_FALSE(parse_go_duration(bad).has_value()) << bad;
  }
}

TEST(OllamaTimes, AStayIsSecondsOrADurationAndForEverBelowZero) {
  EXPECT_EQ(parse_keep_alive(Json(5)), seconds(5));
  EXPECT_EQ(parse_keep_alive(Json(0.5)), milliseconds(500));
  EXPECT_EQ(parse_keep_alive(Json("5m")), minutes(5));
  EXPECT_EQ(parse_keep_alive(Json(-1)), kForever);
  EXPECT_EQ(parse_keep_alive(Json("-1h")), kForever);
  EXPECT_FALSE(parse_keep_alive(Json("soon")).has_value());
  EXPECT_FALSE(parse_keep_alive(Json(true)).has_value());
}

TEST(OllamaTimes, MomentsAreInUtc) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(rfc3339(1'767'322'984'678'901'000), "2026-01-02T03:03:04.678901Z");
}

TEST(OllamaNames, PartsAndWhatIsMeantAnyway) {
  const auto name = parse_ollama_name("registry.ollama.ai/library/llama3.2:latest");
  ASSERT_TRUE(name.has_value());
  EXPECT_EQ(name->host + name->space + name->tag, "");
  EXPECT_EQ(name->model, "llama3.2");
  EXPECT_EQ(parse_ollama_name("http://localhost:5000/me/m:1b")->host, "localhost:5000");
  EXPECT_EQ(parse_ollama_name("me/m:1b")->space, "me");
  for (const char* bad : {"", ":", "a:", "a b", "-a", "a//b", "a.b/c", "a/b/c/d", "../x",
                          "a:b:c"}) {
    EXPECT_FALSE(parse_ollama_name(bad).has_value()) << bad;
  }
  EXPECT_FALSE(parse_ollama_name(std::string(81, 'a')).has_value());
}

TEST(OllamaNames, AreShownWithTheirTag) {
  EXPECT_EQ(shown_name("m"), "m:latest");
  EXPECT_EQ(shown_name("m:1b"), "m:1b");
  EXPECT_EQ(shown_name("hf:Owner/Name:Q8_0"), "hf.co/Owner/Name:Q8_0");
  EXPECT_EQ(shown_name("hf:Owner/Name"), "hf.co/Owner/Name:latest");
  EXPECT_TRUE(is_same_model("hf.co/owner/name:q8_0", "hf:Owner/Name:Q8_0"));
  EXPECT_TRUE(is_same_model("M", "m:latest"));
  EXPECT_FALSE(is_same_model("m:1b", "m"));
}

}  // namespace
}  // namespace quire
