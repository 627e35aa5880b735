// What is written is read again, in every format; and how a history becomes words.
#include "serve/answer/formats/tool_prompt.h"

#include <gtest/gtest.h>

#include "serve/answer/parts.h"

namespace quire {
namespace {

Json call(std::string_view name, std::string_view arguments) {
  return Json::object(
      {{"id", "call_1"},
       {"type", "function"},
       {"function", Json::object({{"name", name}, {"arguments", parse_json(arguments).value()}})}});
}

TEST(ToolPrompt, WhatIsWrittenIsRead) {
  const std::vector<Tool> tools = {
      {.name = "put",
       .parameters = R"({"type":"object","properties":{"text":{"type":"string"},)"
                     R"("n":{"type":"number"},"list":{"type":"array"},"map":{"type":"object"}}})"},
      {.name = "now"}};
  const std::string arguments =
      R"({"text":"a \"b\" 'c'\n\\d é🙂 <x> {y}","n":-1.5,"list":[1,"two",true,null],)"
      R"("map":{"k":{"deep":[false]}}})";
  for (const CallFormat* format : all_call_formats()) {
    std::vector<Json> calls = {call("put", arguments)};
    if (!format->syntaxes.front().is_single) calls.push_back(call("now", "{}"));
    std::string text = written_calls(*format, calls);
    ASSERT_TRUE(text.starts_with(format->prompt_tail) || format->bridge != "") << format->name;
    if (format->bridge.empty()) text.erase(0, format->prompt_tail.size());
    PartStream stream({.format = {.calls = format}, .tools = tools});
    TokenEvent event;
    event.text = text;
    std::vector<PartDelta> parts;
    stream.take(event, parts);
    stream.finish(parts);
    ASSERT_EQ(parts.size(), calls.size()) << format->name << ": " << text;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      EXPECT_EQ(parts[i].kind, PartKind::kToolCall) << format->name << ": " << text;
      EXPECT_EQ(parts[i].call_name, i == 0 ? "put" : "now");
      const auto read = parse_json(parts[i].text);
      ASSERT_TRUE(read.is_ok()) << format->name << ": " << parts[i].text;
      EXPECT_EQ(dump(*read), i == 0 ? arguments : "{}") << format->name;
    }
  }
}

TEST(ToolPrompt, AHistoryBecomesWords) {
  Json calling = Json::object({{"role", "assistant"}, {"content", "Let me see."}});
  calling.set("tool_calls", Json::array({call("now", "{}")}));
  const auto result = [](std::string_view text) {
    return Json::object({{"role", "tool"}, {"content", text}, {"tool_call_id", "call_1"}});
  };
  const std::vector<Tool> tools = {{.name = "now", .description = "The time"}};
  const auto out = with_tool_words(
      {Json::object({{"role", "user"}, {"content", "?"}}), calling, result("noon"), result("one")},
      {.format = find_call_format("hermes"),
       .writes_calls = true,
       .writes_results = true,
       .told = tools});
  ASSERT_EQ(out.size(), 4u);
  EXPECT_EQ(*out[0].find("role"), Json("system"));
  EXPECT_NE(out[0].find("content")->as_string().find(R"({"name":"now","description":"The time")"),
            std::string::npos);
  EXPECT_EQ(dump(out[2]), R"({"role":"assistant","content":"Let me see.\n\n<tool_call>)"
                          R"({\"name\": \"now\", \"arguments\": {}}</tool_call>"})");
  EXPECT_EQ(dump(out[3]), R"({"role":"user","content":"<tool_response>\nnoon\n</tool_response>\n)"
                          R"(<tool_response>\none\n</tool_response>"})");
}

}  // namespace
}  // namespace quire
