// Names as Ollama's clients write them, and which of them mean one model.
#include "serve/intake/names/model_names.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

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
