// Grammars of tools: every entry of the corpus against the grammar of its format, with a vocabulary
// that has the families' control tokens and with one that has letters alone.
#include "serve/answer/formats/tool_grammar.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "serve/answer/formats/testing/corpus.h"
#include "serve/answer/formats/tool_prompt.h"
#include "text/grammar/grammar.h"
#include "text/testing/byte_tokenizer.h"

namespace quire {
namespace {

using testing::corpus;
using testing::corpus_tools;
using testing::Member;

// What of the formats' literals are control tokens in their families' vocabularies.
const std::vector<std::string> kControls = {
    "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "[THINK]", "[/THINK]", "<|python_tag|>",
    "<|python_start|>", "<|python_end|>", "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>",
    "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁sep｜>", "｜DSML｜",
    "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>", "<|tool_call_end|>", "<|channel|>", "<|message|>", "<|start|>",
    "<|end|>", "<|call|>", "<|return|>", "<|constrain|>", "<|tool_call|>", "<|/tool_call|>",
    "<|START_ACTION|>", "<|END_ACTION|>", "<|START_THINKING|>", "<|END_THINKING|>",
    "<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|action_start|>", "<|plugin|>", "<|action_end|>",
    "<|function_call|>", "<start_function_call>", "<end_function_call>", "<escape>",
    "<|tool_call>", "<tool_call|>", "<|\"|>", "<|channel>", "<channel|>", "<|tools_prefix|>",
    "<|tools_suffix|>", "<|inner_prefix|>", "<|inner_suffix|>", "<|tool_call_start|>",
    "<|tool_call_end|>"};

struct Vocabulary {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const GrammarFactory> grammars;
};

Vocabulary vocabulary(const std::vector<std::string>& controls) {
  Vocabulary made;
  made.tokenizer = make_test_tokenizer(controls);
  const std::vector<TokenId> eos = {kTestImEnd};
  auto grammars = GrammarFactory::create(made.tokenizer, eos);
  EXPECT_TRUE(grammars.is_ok()) << grammars.status().message();
  made.grammars = std::move(grammars).value();
  return made;
}

// Where the grammar refuses the text: the number of bytes before it; -1: nowhere; -2: it is only
// the beginning of a text.
int refused_at(const Vocabulary& vocabulary, const GrammarSource& source, const std::string& text) {
  auto grammar = vocabulary.grammars->compile(source);
  EXPECT_TRUE(grammar.is_ok()) << grammar.status().message() << "\n" << source.text;
  if (!grammar.is_ok()) return 0;
  auto state = (*grammar)->begin();
  EXPECT_TRUE(state.is_ok());
  const auto ids =
      vocabulary.tokenizer->encode(text, {.add_special = false, .parse_special = true});
  EXPECT_TRUE(ids.is_ok());
  int at = 0;
  for (const TokenId id : *ids) {
    if (!(*state)->accept(id).is_ok()) return at;
    at += static_cast<int>(vocabulary.tokenizer->token_bytes(id).size());
  }
  const auto end = (*state)->end();
  EXPECT_TRUE(end.is_ok());
  return end->may_end ? -1 : -2;
}

Result<GrammarSource> grammar_of(const Member& member, ToolChoice choice,
                                 const Tokenizer& tokenizer) {
  static const std::vector<Tool> tools = corpus_tools();
  return lark_of_tools({.format = member.format(),
                        .tools = tools,
                        .choice = std::move(choice),
                        .begins_in_thought = member.begins_in_thought},
                       tokenizer);
}

void check_corpus(const Vocabulary& vocabulary) {
  for (const Member& member : corpus(QUIRE_SOURCE_DIR)) {
    const auto source = grammar_of(member, {}, *vocabulary.tokenizer);
    ASSERT_TRUE(source.is_ok()) << member.calls << ": " << source.status().message();
    const int at = refused_at(vocabulary, *source, member.text);
    EXPECT_EQ(at == -1, member.is_well_formed)
        << member.calls << " " << member.thoughts << " is refused at " << at << ", after\n"
        << member.text.substr(0, static_cast<std::size_t>(std::max(0, at))) << "\n--- of\n"
        << member.text << "\n--- by\n"
        << source->text;
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(ToolGrammar, AcceptsWhatIsWellFormedAndNothingElseWithControlTokens) {
  check_corpus(vocabulary(kControls));
}

TEST(ToolGrammar, AcceptsWhatIsWellFormedAndNothingElseInLetters) { check_corpus(vocabulary({})); }

// --- choices, on Hermes ---

constexpr std::string_view kNow = R"(<tool_call>{"name": "now", "arguments": {}}</tool_call>)";
constexpr std::string_view kWeather =
    R"(<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo"}}</tool_call>)";

bool is_accepted(const Member& member, const ToolChoice& choice, const std::string& text) {
  static const Vocabulary letters = vocabulary({});
  const auto source = grammar_of(member, choice, *letters.tokenizer);
  EXPECT_TRUE(source.is_ok()) << source.status().message();
  return refused_at(letters, *source, text) == -1;
}

TEST(ToolGrammar, ARequiredCallIsAllThereIs) {
  const Member hermes{.calls = "hermes", .thoughts = "think"};
  const ToolChoice required{.kind = ToolChoiceKind::kRequired};
  const std::string now(kNow), weather(kWeather);
  EXPECT_TRUE(is_accepted(hermes, required, now));
  EXPECT_TRUE(is_accepted(hermes, required, now + "\n" + weather));
  EXPECT_TRUE(is_accepted(hermes, required, "<think>\nHm <tool_call>.\n</think>\n\n" + now));
  EXPECT_FALSE(is_accepted(hermes, required, "Text. " + now));
  EXPECT_FALSE(is_accepted(hermes, required, ""));
  EXPECT_FALSE(is_accepted(hermes, required, now + " and more"));

  Member thinking = hermes;
  thinking.begins_in_thought = true;
  EXPECT_TRUE(is_accepted(thinking, required, "Hm.\n</think>\n\n" + now));
  EXPECT_FALSE(is_accepted(thinking, required, "Hm.\n"));
}

TEST(ToolGrammar, ANamedToolIsTheOnlyOne) {
  const Member hermes{.calls = "hermes", .thoughts = "-"};
  const ToolChoice named{.kind = ToolChoiceKind::kRequired, .names = {"now"}, .is_parallel = false};
  EXPECT_TRUE(is_accepted(hermes, named, std::string(kNow)));
  EXPECT_FALSE(is_accepted(hermes, named, std::string(kWeather)));
  EXPECT_FALSE(is_accepted(hermes, named, std::string(kNow) + std::string(kNow)));

  const ToolChoice single{.is_parallel = false};
  EXPECT_TRUE(is_accepted(hermes, single, "Text."));
  EXPECT_TRUE(is_accepted(hermes, single, "Text " + std::string(kWeather)));
  EXPECT_FALSE(is_accepted(hermes, single, std::string(kNow) + std::string(kNow)));
}

TEST(ToolGrammar, ArgumentsAreHeldToTheSchema) {
  for (const char* format :
       {"hermes", "qwen3_coder", "glm45", "pythonic", "gemma4", "deepseek_v32"}) {
    const Member member{.calls = format, .thoughts = "-"};
    const ToolChoice required{.kind = ToolChoiceKind::kRequired};
    const auto written = [&](std::string_view name, std::string_view arguments) {
      const std::vector<Json> calls = {Json::object(
          {{"function", Json::object({{"name", name}, {"arguments", arguments}})}})};
      return written_calls(*find_call_format(format), calls);
    };
    const auto accepts = [&](std::string_view name, std::string_view arguments) {
      return is_accepted(member, required, written(name, arguments));
    };
    EXPECT_TRUE(accepts("get_weather", R"({"city":"a","days":2})")) << format;
    EXPECT_TRUE(accepts("get_weather", R"({"city":"a","metric":true})")) << format;
    EXPECT_FALSE(accepts("get_weather", R"({"days":2})")) << format;
    EXPECT_FALSE(accepts("get_weather", R"({"city":"a","days":"two"})")) << format;
    EXPECT_FALSE(accepts("get_weather", R"({"city":"a","other":1})")) << format;
    EXPECT_FALSE(accepts("get_weathers", R"({"city":"a"})")) << format;
    EXPECT_FALSE(accepts("draw", R"({"points":[{"x":1}]})")) << format;
    EXPECT_FALSE(accepts("draw", R"({"points":[],"style":{"color":"green"}})")) << format;
    EXPECT_TRUE(accepts("draw", R"({"points":[],"style":{"color":"blue"}})")) << format;
  }
}

TEST(ToolGrammar, RefusesWhatAStrictToolCannotBeHeldTo) {
  const auto tokenizer = make_test_tokenizer();
  std::vector<Tool> tools = {
      {.name = "f",
       .parameters = R"({"type":"object","properties":{"a":{"type":"string","pattern":"x"}}})",
       .is_strict = true}};
  const auto message = [&](std::string_view format) {
    const auto source = lark_of_tools(
        {.format = {.calls = find_call_format(format)}, .tools = tools}, *tokenizer);
    return source.is_ok() ? "" : source.status().message();
  };
  EXPECT_EQ(message("hermes"), "");
  EXPECT_EQ(message("pythonic"),
            "tools[0] (f): parameters /properties/a/pattern: not supported where arguments are "
            "written as Python's");
  EXPECT_EQ(message("glm45"),
            "tools[0] (f): parameters /properties/a/pattern: not supported where texts stand "
            "between tags");
  tools[0].is_strict = false;
  EXPECT_EQ(message("pythonic"), "");
  const auto passed_over = [&](std::string_view format) {
    std::string said;
    EXPECT_TRUE(lark_of_tools({.format = {.calls = find_call_format(format)}, .tools = tools},
                              *tokenizer, &said).is_ok());
    return said;
  };
  EXPECT_EQ(passed_over("hermes"), "");
  EXPECT_EQ(passed_over("pythonic"),
            "tools[0] (f): parameters /properties/a/pattern: not supported where arguments are "
            "written as Python's");
  EXPECT_EQ(passed_over("glm45"),
            "tools[0] (f): parameters /properties/a/pattern: not supported where texts stand "
            "between tags");
  tools[0].parameters = R"({"type":"object","properties":{"a":{"not":{"type":"string"}}}})";
  tools.push_back(tools[0]);
  tools[1].name = "g";
  EXPECT_EQ(passed_over("hermes"),
            "tools[0] (f): /properties/a/not: is not supported; and 1 other tool");
  tools.pop_back();
  tools[0].parameters = "[]";
  EXPECT_EQ(message("hermes"), "tools[0] (f): parameters are no object");
}

TEST(ToolGrammar, ASchemaMayReferToItself) {
  const Vocabulary letters = vocabulary({});
  const std::vector<Tool> tools = {
      {.name = "f",
       .parameters = R"({"type":"object","properties":{"tree":{"$ref":"#/$defs/node"}},)"
                     R"("required":["tree"],"$defs":{"node":{"type":"object","properties":)"
                     R"({"left":{"$ref":"#/$defs/node"},"n":{"type":"integer"}}}}})"}};
  const auto source =
      lark_of_tools({.format = {.calls = find_call_format("pythonic")}, .tools = tools},
                    *letters.tokenizer);
  ASSERT_TRUE(source.is_ok()) << source.status().message();
  EXPECT_EQ(refused_at(letters, *source, "[f(tree={'left': {'left': {'n': 1}}, 'n': 2})]"), -1);
  EXPECT_NE(refused_at(letters, *source, "[f(tree={'left': {'left': 1}})]"), -1);
}

}  // namespace
}  // namespace quire
