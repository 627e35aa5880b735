// Tools, calls and thoughts of a chat: the fields of a request with their mistakes, the history as
// the template reads it, and the bytes of answers that call or think.
#include "serve/dialects/openai/chat_tools.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/dialects/openai/chat.h"
#include "serve/testing/test_model.h"

namespace quire {
namespace {

// Hermes' calls, thoughts between tags, each part of the history in its place.
constexpr const char* kTemplate =
    "{% if tools is defined and tools %}<tool_call>{{ tools | tojson }}\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}"
    "{% for c in m.tool_calls or [] %}!{{ c.function.name }}{{ c.function.arguments | tojson }}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking %}<think>\n{% endif %}{% endif %}";

constexpr const char* kTools =
    R"("tools":[{"type":"function","function":{"name":"get","description":"Gets.",)"
    R"("parameters":{"type":"object","properties":{"city":{"type":"string"}}}}},)"
    R"({"type":"function","function":{"name":"put"}}])";

constexpr const char* kCall = "<tool_call>\n{\"name\": \"get\", \"arguments\": {\"city\": "
                              "\"Oslo\"}}\n</tool_call>";

class OpenAiChatToolsTest : public ::testing::Test {
 protected:
  OpenAiChatToolsTest()
      : host_(make_test_host({.chat_template = kTemplate}, std::make_shared<StepGate>())) {
    context_.models.host = host_.get();
  }

  Parsed<Call> parse(const std::string& messages, const std::string& fields) {
    http::Request request;
    request.body = R"({"model":"m","messages":[)" + messages + "]" +
                   (fields.empty() ? "" : "," + fields) + "}";
    return parse_openai_chat(context_, request);
  }

  Parsed<Call> chat(const std::string& fields) {
    return parse(R"({"role":"user","content":"q"})", fields);
  }

  static std::string prompt_of(Call& call) {
    std::string text;
    for (const TokenId id : call.requests.at(0).prompt) {
      text += id < 256 ? std::string(1, static_cast<char>(id)) : "#";
    }
    return text;
  }

  // The answer to `text`, a character an event.
  static std::string answer(Call& call, const std::string& text,
                            FinishReason finish = FinishReason::kStop) {
    std::string out;
    std::uint32_t generated = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
      TokenEvent event;
      event.text = text.substr(i, 1);
      event.accepted = {i < text.size() ? text[i] : kTestImEnd};
      event.usage = {.prompt_tokens = 9, .generated_tokens = ++generated};
      if (i == text.size()) event.finish = finish;
      call.writer->take(0, event, out);
    }
    call.writer->finish(out);
    return out;
  }

  static Json choice_of(const std::string& body) {
    return parse_json(body)->find("choices")->items().at(0);
  }

  std::unique_ptr<ModelHost> host_;
  DialectContext context_;
};

// The chunks of a stream.
std::vector<Json> chunks_of(const std::string& stream) {
  std::vector<Json> chunks;
  for (std::size_t at = 0; (at = stream.find("data: {", at)) != std::string::npos; ++at) {
    chunks.push_back(*parse_json(stream.substr(at + 6, stream.find("\n\n", at) - at - 6)));
  }
  return chunks;
}

// As TGI's and the hub's clients write it.
TEST_F(OpenAiChatToolsTest, AToolIsChosenByItsNameAlone) {
  const std::string tools = std::string(kTools) + ",";
  auto usual =
      chat(tools + R"("tool_choice":{"type":"function","function":{"name":"get"}})");
  ASSERT_TRUE(usual.is_ok()) << usual.error().message;
  for (const char* choice : {R"("get")", R"({"function":{"name":"get"}})"}) {
    auto call = chat(tools + R"("tool_choice":)" + choice);
    ASSERT_TRUE(call.is_ok()) << choice << call.error().message;
    ASSERT_TRUE(call->grammar.has_value()) << choice;
    EXPECT_EQ(call->grammar->source, usual->grammar->source) << choice;
  }
  EXPECT_EQ(chat(tools + R"("tool_choice":{"function":{}})").error().param,
            "tool_choice.function.name");
  EXPECT_EQ(chat(tools + R"("tool_choice":{"function":{"name":"no"}})").error().param,
            "tool_choice");
  EXPECT_FALSE(chat(R"("tool_choice":"get")").is_ok()) << "there are no tools";
}

TEST_F(OpenAiChatToolsTest, ATgiToolHasArgumentsInPlaceOfParameters) {
  const auto asked = [&](const char* name) {
    auto call = chat(R"("tool_choice":"f","tools":[{"type":"function","function":{"name":"f",")" +
                     std::string(name) + R"(":{"type":"object","properties":{"a":{"enum":[1]}},)"
                     R"("required":["a"]}}}])");
    EXPECT_TRUE(call.is_ok()) << call.error().message;
    return call->grammar->source;
  };
  EXPECT_EQ(asked("arguments"), asked("parameters"));
}

TEST_F(OpenAiChatToolsTest, AToolPromptIsSaidBehindTheLastMessage) {
  const std::string prompt = R"(,"tool_prompt":"Use one.")";
  auto call = chat(kTools + prompt);
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  EXPECT_NE(prompt_of(*call).find("user\nq\n---\nUse one.#"), std::string::npos)
      << prompt_of(*call);
  auto parts = parse(R"({"role":"user","content":[{"type":"text","text":"q"}]})", kTools + prompt);
  ASSERT_TRUE(parts.is_ok()) << parts.error().message;
  EXPECT_NE(prompt_of(*parts).find("---\nUse one."), std::string::npos) << prompt_of(*parts);
  auto alone = chat(R"("tool_prompt":"Use one.")");
  ASSERT_TRUE(alone.is_ok()) << alone.error().message;
  EXPECT_EQ(prompt_of(*alone).find("Use one."), std::string::npos);
  EXPECT_NE(answer(*alone, "a").find(R"("param":"tool_prompt")"), std::string::npos);
  EXPECT_EQ(chat(R"("tool_prompt":5)").error().param, "tool_prompt");
}

TEST_F(OpenAiChatToolsTest, ToolsReachTheTemplate) {
  auto call = chat(kTools);
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  EXPECT_TRUE(prompt_of(*call).starts_with(
      R"(<tool_call>[{"type": "function", "function": {"name": "get", "description": "Gets.",)"))
      << prompt_of(*call);
  auto none = chat(std::string(kTools) + R"(,"tool_choice":"none")");
  EXPECT_TRUE(prompt_of(*none).starts_with("#user"));
}

TEST_F(OpenAiChatToolsTest, MistakesNameTheirField) {
  const std::string tools = std::string(kTools) + ",";
  const std::pair<std::string, const char*> kCases[] = {
      {R"("tools":{})", "tools"},
      {R"("tools":[5])", "tools[0].type"},
      {R"("tools":[{"type":"web_search"}])", "tools[0].type"},
      {R"("tools":[{"type":"function"}])", "tools[0].function"},
      {R"("tools":[{"type":"function","function":{"name":"a b"}}])", "tools[0].function.name"},
      {R"("tools":[{"type":"function","function":{"name":"a"}},)"
       R"({"type":"function","function":{"name":"a"}}])", "tools[1].function.name"},
      {R"("tools":[{"type":"function","function":{"name":"a","parameters":1}}])",
       "tools[0].function.parameters"},
      {tools + R"("tool_choice":"maybe")", "tool_choice"},
      {tools + R"("tool_choice":{"type":"function","function":{"name":"no"}})", "tool_choice"},
      {tools + R"("tool_choice":{"type":"function"})", "tool_choice.function.name"},
      {tools + R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"x"}})",
       "tool_choice.allowed_tools.mode"},
      {tools + R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto",)"
               R"("tools":[{"type":"function","function":{"name":"no"}}]}})", "tool_choice"},
      {R"("tool_choice":"required")", "tool_choice"},
      {tools + R"("parallel_tool_calls":1)", "parallel_tool_calls"},
      {tools + R"("functions":[{"name":"f"}])", "functions"},
      {R"("functions":[{"name":""}])", "functions[0].name"},
      {R"("functions":[{"name":"f"}],"function_call":{"name":"g"})", "function_call"},
      {R"("function_call":5)", "function_call"},
      {R"("reasoning_effort":"huge")", "reasoning_effort"},
  };
  for (const auto& [fields, param] : kCases) {
    auto call = chat(fields);
    ASSERT_FALSE(call.is_ok()) << fields;
    EXPECT_EQ(call.error().status, 400) << fields;
    EXPECT_EQ(call.error().param, param) << fields << ": " << call.error().message;
  }
}

TEST_F(OpenAiChatToolsTest, MessagesWithCallsAreChecked) {
  const std::pair<std::string, const char*> kCases[] = {
      {R"({"role":"user","content":"x","tool_calls":[{"id":"c","function":{"name":"f"}}]})",
       "messages[0].tool_calls"},
      {R"({"role":"assistant","tool_calls":[{"function":{"name":"f"}}]})",
       "messages[0].tool_calls[0].id"},
      {R"({"role":"assistant","tool_calls":[{"id":"c","function":{"arguments":"{}"}}]})",
       "messages[0].tool_calls[0].function.name"},
      {R"({"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":1}}]})",
       "messages[0].tool_calls[0].function.arguments"},
      {R"({"role":"tool","content":"x"})", "messages[0].tool_call_id"},
      {R"({"role":"tool","tool_call_id":"c","content":"x"})", "messages[0].tool_call_id"},
      {R"({"role":"user","content":"x","tool_call_id":"c"})", "messages[0].tool_call_id"},
      {R"({"role":"function","content":"x"})", "messages[0].name"},
      {R"({"role":"user","content":"x","reasoning_content":"y"})",
       "messages[0].reasoning_content"},
      {R"({"role":"assistant","content":"x","reasoning":5})", "messages[0].reasoning"},
  };
  for (const auto& [message, param] : kCases) {
    auto call = parse(message, "");
    ASSERT_FALSE(call.is_ok()) << message;
    EXPECT_EQ(call.error().param, param) << message << ": " << call.error().message;
  }
}

TEST_F(OpenAiChatToolsTest, TheHistoryIsTheTemplates) {
  const std::string question = R"({"role":"user","content":"q"},)";
  auto call = parse(question +
                        R"({"role":"assistant","content":null,"reasoning_content":"hm",)"
                        R"("tool_calls":[{"id":"c1","type":"function","function":)"
                        R"({"name":"get","arguments":"{\"city\":\"Oslo\"}"}}]},)"
                        R"({"role":"tool","tool_call_id":"c1","content":"rain"})", "");
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  EXPECT_EQ(prompt_of(*call), "#user\nq#\n#assistant\n<think>hm</think>!get{\"city\": \"Oslo\"}#\n"
                              "#tool\nrain#\n#assistant\n");
  auto legacy = parse(question +
                          R"({"role":"assistant","content":null,"reasoning":"hm","function_call":)"
                          R"({"name":"get","arguments":"{\"city\":\"Oslo\"}"}},)"
                          R"({"role":"function","name":"get","content":"rain"})", "");
  ASSERT_TRUE(legacy.is_ok()) << legacy.error().message;
  EXPECT_EQ(prompt_of(*legacy), prompt_of(*call));
}

TEST_F(OpenAiChatToolsTest, ACallIsNoText) {
  auto call = chat(kTools);
  const Json choice = choice_of(answer(*call, std::string("Sure.\n") + kCall));
  EXPECT_EQ(choice.find("finish_reason")->as_string(), "tool_calls");
  const Json* message = choice.find("message");
  EXPECT_EQ(message->find("content")->as_string(), "Sure.");
  const Json made = message->find("tool_calls")->items().at(0);
  EXPECT_FALSE(made.find("id")->as_string().empty());
  EXPECT_EQ(made.find("type")->as_string(), "function");
  EXPECT_EQ(made.find("function")->find("name")->as_string(), "get");
  EXPECT_EQ(*parse_json(made.find("function")->find("arguments")->as_string()),
            Json::object({{"city", "Oslo"}}));
  auto silent = chat(kTools);
  const Json alone = choice_of(answer(*silent, kCall));
  EXPECT_TRUE(alone.find("message")->find("content")->is_null());
}

TEST_F(OpenAiChatToolsTest, WithoutToolsTheSameIsText) {
  for (const char* fields : {"", R"("tool_choice":"none")"}) {
    auto call = chat(fields);
    const Json choice = choice_of(answer(*call, kCall));
    EXPECT_EQ(choice.find("message")->find("content")->as_string(), kCall) << fields;
    EXPECT_EQ(choice.find("finish_reason")->as_string(), "stop");
  }
}

TEST_F(OpenAiChatToolsTest, AStreamNamesTheCallFirst) {
  auto call = chat(std::string(kTools) + R"(,"stream":true)");
  const std::vector<Json> chunks =
      chunks_of(answer(*call, std::string("Sure.\n") + kCall + "\n" + kCall));
  std::string content, arguments[2];
  std::vector<std::string> ids;
  for (const Json& chunk : chunks) {
    const Json choice = chunk.find("choices")->items().at(0);
    const Json* delta = choice.find("delta");
    if (const Json* text = delta->find("content")) content += text->as_string();
    const Json* calls = delta->find("tool_calls");
    if (calls == nullptr) continue;
    const Json made = calls->items().at(0);
    const auto index = static_cast<std::size_t>(made.find("index")->as_int());
    ASSERT_LT(index, 2u);
    if (const Json* id = made.find("id")) {
      EXPECT_EQ(made.find("function")->find("name")->as_string(), "get");
      EXPECT_EQ(made.find("type")->as_string(), "function");
      ids.push_back(id->as_string());
    }
    EXPECT_EQ(ids.size(), index + 1) << "the first piece of a call has its id";
    arguments[index] += made.find("function")->find("arguments")->as_string();
  }
  EXPECT_EQ(content, "Sure.");
  ASSERT_EQ(ids.size(), 2u);
  EXPECT_NE(ids[0], ids[1]);
  for (const std::string& text : arguments) {
    EXPECT_EQ(*parse_json(text), Json::object({{"city", "Oslo"}}));
  }
  const Json last = chunks.back().find("choices")->items().at(0);
  EXPECT_EQ(last.find("finish_reason")->as_string(), "tool_calls");
}

TEST_F(OpenAiChatToolsTest, OneCallWhereOneIsWanted) {
  auto call = chat(std::string(kTools) + R"(,"parallel_tool_calls":false)");
  const Json choice = choice_of(answer(*call, std::string(kCall) + "\n" + kCall));
  EXPECT_EQ(choice.find("message")->find("tool_calls")->items().size(), 1u);
}

TEST_F(OpenAiChatToolsTest, TheFirstKindOfCallIsStillSpoken) {
  const std::string fields = R"("functions":[{"name":"get"}])";
  auto call = chat(fields);
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  const Json choice = choice_of(answer(*call, kCall));
  EXPECT_EQ(choice.find("finish_reason")->as_string(), "function_call");
  const Json* made = choice.find("message")->find("function_call");
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(made->find("name")->as_string(), "get");
  EXPECT_EQ(choice.find("message")->find("tool_calls"), nullptr);
  auto stream = chat(fields + R"(,"stream":true)");
  std::string name, arguments;
  for (const Json& chunk : chunks_of(answer(*stream, kCall))) {
    const Json delta = *chunk.find("choices")->items().at(0).find("delta");
    const Json* piece = delta.find("function_call");
    if (piece == nullptr) continue;
    if (const Json* said = piece->find("name")) name += said->as_string();
    arguments += piece->find("arguments")->as_string();
  }
  EXPECT_EQ(name, "get");
  EXPECT_EQ(*parse_json(arguments), Json::object({{"city", "Oslo"}}));
}

TEST_F(OpenAiChatToolsTest, ThoughtsHaveTwoNamesAndACount) {
  auto call = chat("");
  const std::string body = answer(*call, "<think>hm</think>Hi");
  const Json message = *choice_of(body).find("message");
  EXPECT_EQ(message.find("content")->as_string(), "Hi");
  EXPECT_EQ(message.find("reasoning_content")->as_string(), "hm");
  EXPECT_EQ(message.find("reasoning")->as_string(), "hm");
  auto open = chat(R"("chat_template_kwargs":{"enable_thinking":true})");
  const std::string said = answer(*open, "hm</think>Hi");
  EXPECT_EQ(choice_of(said).find("message")->find("reasoning")->as_string(), "hm");
  const Json* usage = parse_json(said)->find("usage");
  const Json details = *parse_json(said)->find("usage")->find("completion_tokens_details");
  EXPECT_NE(usage, nullptr);
  EXPECT_GE(details.find("reasoning_tokens")->as_int(), 2);
  EXPECT_LE(details.find("reasoning_tokens")->as_int(), 10);
  auto hidden = chat(R"("include_reasoning":false)");
  const Json without = *choice_of(answer(*hidden, "<think>hm</think>Hi")).find("message");
  EXPECT_EQ(without.find("reasoning"), nullptr);
  EXPECT_EQ(without.find("content")->as_string(), "Hi");
}

TEST_F(OpenAiChatToolsTest, AStreamTellsThoughtsApart) {
  auto call = chat(R"("stream":true)");
  std::string thought, content;
  for (const Json& chunk : chunks_of(answer(*call, "<think>hm</think>Hi"))) {
    const Json delta = *chunk.find("choices")->items().at(0).find("delta");
    if (const Json* piece = delta.find("reasoning_content")) {
      EXPECT_EQ(*piece, *delta.find("reasoning"));
      thought += piece->as_string();
    }
    if (const Json* piece = delta.find("content")) content += piece->as_string();
  }
  EXPECT_EQ(thought, "hm");
  EXPECT_EQ(content, "Hi");
}

TEST_F(OpenAiChatToolsTest, EffortTurnsTheTemplatesSwitch) {
  auto thinking = chat(R"("reasoning_effort":"high")");
  ASSERT_TRUE(thinking.is_ok()) << thinking.error().message;
  EXPECT_TRUE(prompt_of(*thinking).ends_with("<think>\n"));
  auto plain = chat(R"("reasoning_effort":"none")");
  EXPECT_TRUE(prompt_of(*plain).ends_with("assistant\n"));
}

}  // namespace
}  // namespace quire
