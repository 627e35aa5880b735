// Tools of a request: what is checked of them, how the model is told, and what becomes of calls in
// the history where its template has no place for them.
#include "serve/intake/tools/offered_tools.h"

#include <gtest/gtest.h>

#include "serve/intake/tools/thinking.h"
#include "serve/testing/test_model.h"

namespace quire {
namespace {

constexpr const char* kToolTemplate =
    "{% if tools is defined and tools %}<tool_call>{{ tools | tojson }}{% endif %}"
    "{% if enable_thinking is defined %}({{ enable_thinking }}){% endif %}"
    "{% for m in messages %}{{ m.role }}:{{ m.content }}{% for c in m.tool_calls or [] %}"
    "!{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}\n{% endfor %}";

std::optional<ToolMistake> add(const char* tool, OfferedTools& offered) {
  const Json json = *parse_json(tool);
  return add_tool({json.find("name"), json.find("description"), json.find("parameters"),
                   json.find("strict")}, false, offered);
}

Json message(std::string_view role, std::string_view content) {
  return Json::object({{"role", role}, {"content", content}});
}

Json calling(const char* content, const char* arguments) {
  Json said = message("assistant", content);
  const Json function = Json::object({{"name", "f"}, {"arguments", arguments}});
  said.set("tool_calls", Json::array({Json::object({{"id", "c1"}, {"function", function}})}));
  return said;
}

TEST(OfferedTools, AreAsTemplatesReadThem) {
  OfferedTools offered;
  EXPECT_FALSE(add(R"({"name":"f"})", offered));
  EXPECT_FALSE(add(R"({"name":"g-2","description":"Does.","strict":true,)"
                   R"("parameters":{"properties":{"a":{}}}})", offered));
  EXPECT_EQ(dump(Json::array(offered.shown)),
            R"([{"type":"function","function":{"name":"f","description":"",)"
            R"("parameters":{"type":"object","properties":{}}}},)"
            R"({"type":"function","function":{"name":"g-2","description":"Does.",)"
            R"("parameters":{"type":"object","properties":{"a":{}}}}}])");
  EXPECT_FALSE(offered.tools[0].is_strict);
  EXPECT_TRUE(offered.tools[1].is_strict);
  EXPECT_TRUE(offered.may_call());
  offered.choice.names = {"f", "h"};
  EXPECT_EQ(unknown_choice(offered), "h");
}

TEST(OfferedTools, MistakesNameTheirField) {
  OfferedTools offered;
  ASSERT_FALSE(add(R"({"name":"e","parameters":{"properties":{"a":{"pattern":"(?<=a)b"}}}})",
                   offered)) << "not supported is no mistake";
  ASSERT_FALSE(add(R"({"name":"f"})", offered));
  const std::string long_name(kToolNameMax + 1, 'a');
  const std::pair<std::string, ToolField> kCases[] = {
      {R"({})", ToolField::kName},
      {R"({"name":5})", ToolField::kName},
      {R"({"name":""})", ToolField::kName},
      {R"({"name":"a b"})", ToolField::kName},
      {R"({"name":"f"})", ToolField::kName},
      {R"({"name":")" + long_name + "\"}", ToolField::kName},
      {R"({"name":"g","description":1})", ToolField::kDescription},
      {R"({"name":"g","strict":"yes"})", ToolField::kStrict},
      {R"({"name":"g","parameters":[]})", ToolField::kParameters},
      {R"({"name":"g","parameters":{"properties":{"a":{"pattern":"("}}}})",
       ToolField::kParameters},
      {R"({"name":"g","parameters":{"type":"string"}})", ToolField::kParameters},
      {R"({"name":"g","parameters":{"properties":{"a":{"pattern":"("}}}})", ToolField::kParameters},
  };
  for (const auto& [tool, field] : kCases) {
    const auto mistake = add(tool.c_str(), offered);
    ASSERT_TRUE(mistake) << tool;
    EXPECT_EQ(mistake->field, field) << tool << ": " << mistake->why;
  }
  const std::string huge(kToolsSizeMax, 'x');
  const auto mistake = add((R"({"name":"g","description":")" + huge + "\"}").c_str(), offered);
  ASSERT_TRUE(mistake);
  EXPECT_EQ(offered.tools.size(), 2u);
}

TEST(OfferedTools, AreShownByTheTemplateOrInWords) {
  OfferedTools offered;
  ASSERT_FALSE(add(R"({"name":"weather"})", offered));
  ChatPrompt chat;
  chat.messages = {message("user", "?")};
  std::vector<Warning> warnings;
  show_tools(make_test_model({.chat_template = kToolTemplate}), offered, chat, warnings);
  ASSERT_EQ(chat.materials.size(), 1u);
  EXPECT_EQ(chat.materials[0].first, "tools");
  EXPECT_TRUE(warnings.empty());

  const HostedModel plain = make_test_model({});
  ChatPrompt told;
  told.messages = {message("system", "Be brief."), message("user", "?")};
  show_tools(plain, offered, told, warnings);
  EXPECT_TRUE(told.materials.empty());
  ASSERT_EQ(told.messages.size(), 2u) << "the system message that is there";
  const std::string system = told.messages[0].find("content")->as_string();
  EXPECT_TRUE(system.starts_with("Be brief.\n\n")) << system;
  EXPECT_NE(system.find("weather"), std::string::npos) << system;
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0].code, "tools_in_words");

  ChatPrompt silent;
  silent.messages = {message("user", "?")};
  offered.choice.kind = ToolChoiceKind::kNone;
  show_tools(plain, offered, silent, warnings);
  EXPECT_EQ(silent.messages.size(), 1u);
}

TEST(OfferedTools, AHistoryOfCallsIsTextWhereTheTemplateHasNoPlaceForIt) {
  ChatPrompt chat;
  Json result = message("tool", "sunny");
  result.set("tool_call_id", "c1");
  chat.messages = {message("user", "?"), calling("hm", R"({"a": 1})"), result,
                   message("user", "and?")};
  ChatPrompt kept = chat;
  std::vector<Warning> warnings;
  const char* shows = "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}"
                      "{{ c.function.name }}{% endfor %}{% endfor %}";
  show_history(make_test_model({.chat_template = shows}), kept, warnings);
  EXPECT_TRUE(warnings.empty());
  EXPECT_EQ(kept.messages, chat.messages);

  show_history(make_test_model({}), chat, warnings);
  ASSERT_EQ(warnings.size(), 1u);
  ASSERT_EQ(chat.messages.size(), 3u) << "roles alternate";
  EXPECT_EQ(chat.messages[1].find("content")->as_string(),
            "hm\n\n<tool_call>{\"name\": \"f\", \"arguments\": {\"a\":1}}</tool_call>");
  EXPECT_EQ(chat.messages[2].find("content")->as_string(),
            "<tool_response>\nsunny\n</tool_response>\nand?");
}

TEST(Thinking, SetsTheSwitchesThatTheTemplateHas) {
  const HostedModel model = make_test_model({.chat_template = kToolTemplate});
  ChatPrompt chat;
  chat.template_kwargs.emplace_back("enable_thinking", true);
  const ThinkingSwitched done = set_thinking(model, {.thinks = {}, .effort = "none"}, chat);
  EXPECT_TRUE(done.thinks);
  EXPECT_FALSE(done.effort);
  ASSERT_EQ(chat.template_kwargs.size(), 2u);
  EXPECT_EQ(chat.template_kwargs[0].second, Json(false)) << "what the request says comes later";
  ChatPrompt plain;
  EXPECT_FALSE(set_thinking(make_test_model({}), {.thinks = true, .effort = {}}, plain).thinks);
}

TEST(Thinking, TemplatesOfGoKnowALevelOfPlainThinkingAndAGreatestOne) {
  HostedModel model = make_test_model({});
  model.chat_template = *ChatTemplate::compile_go("{{ .Think }}{{ .ThinkLevel }}{{ .Messages }}");
  const auto level = [&](const ThinkingWish& wish) {
    ChatPrompt chat;
    set_thinking(model, wish, chat);
    for (const auto& [name, value] : chat.template_kwargs) {
      if (name == "reasoning_effort") return value.as_string();
    }
    return std::string();
  };
  EXPECT_EQ(level({.thinks = true, .effort = {}, .tokens_max = {}}), "medium");
  EXPECT_EQ(level({.thinks = true, .effort = "max", .tokens_max = {}}), "max");
  EXPECT_EQ(level({.thinks = true, .effort = "low", .tokens_max = {}}), "low");
  EXPECT_EQ(level({.thinks = false, .effort = {}, .tokens_max = {}}), "");
  EXPECT_EQ(level({}), "");
}

}  // namespace
}  // namespace quire
