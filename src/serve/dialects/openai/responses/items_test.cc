#include "serve/dialects/openai/responses/items.h"

#include <gtest/gtest.h>

#include "serve/dialects/openai/responses/item_stream.h"
#include "serve/dialects/openai/responses/sealed_text.h"

namespace quire {
namespace {

Json json(std::string_view text) {
  const Result<Json> parsed = parse_json(text);
  EXPECT_TRUE(parsed.is_ok()) << text;
  return parsed.is_ok() ? *parsed : Json();
}

std::vector<Json> read(std::string_view input, std::string* error = nullptr) {
  const Json body = Json::object();
  Fields fields(body);
  auto items = read_items(fields, json(input), "input");
  if (error != nullptr) *error = fields.error() ? fields.error()->param : "";
  else EXPECT_FALSE(fields.error()) << fields.error()->message;
  return items;
}

std::string messages(std::string_view input, const char* instructions = nullptr) {
  const std::vector<Json> items = read(input);
  const Json head = instructions != nullptr ? Json(instructions) : Json();
  auto made = messages_of(instructions != nullptr ? &head : nullptr, items, "input");
  return made.is_ok() ? dump(Json::array(*made)) : made.error().message;
}

TEST(ItemsTest, ATextIsAMessageOfTheUser) {
  EXPECT_EQ(messages("\"hi\""), R"([{"role":"user","content":"hi"}])");
  const Json item = read("\"hi\"").front();
  EXPECT_EQ(item_text(item, "type"), "message");
  EXPECT_TRUE(item_text(item, "id").starts_with("msg_"));
  EXPECT_EQ(dump(*item.find("content")), R"([{"type":"input_text","text":"hi"}])");
}

TEST(ItemsTest, SystemMessagesAtTheHeadBecomeOne) {
  EXPECT_EQ(messages(R"([{"role":"developer","content":"be brief"},{"role":"user","content":"hi"},
                         {"role":"system","content":"late"}])", "You help."),
            R"([{"role":"system","content":"You help.\n\nbe brief"},)"
            R"({"role":"user","content":"hi"},{"role":"system","content":"late"}])");
}

TEST(ItemsTest, ThoughtsAndCallsJoinTheAssistantsMessage) {
  EXPECT_EQ(
      messages(R"([{"role":"user","content":"weather?"},
        {"type":"reasoning","id":"rs_1","summary":[],
         "content":[{"type":"reasoning_text","text":"look"}]},
        {"type":"message","role":"assistant",
         "content":[{"type":"output_text","text":"One moment."}]},
        {"type":"function_call","call_id":"c1","name":"get","arguments":"{\"at\":1}"},
        {"type":"function_call","call_id":"c2","name":"put","arguments":"no json"},
        {"type":"function_call_output","call_id":"c2","output":"done"},
        {"type":"function_call_output","call_id":"c1",
         "output":[{"type":"input_text","text":"sunny"}]}])"),
      R"([{"role":"user","content":"weather?"},{"role":"assistant","content":"One moment.",)"
      R"("reasoning_content":"look","tool_calls":[)"
      R"({"id":"c1","type":"function","function":{"name":"get","arguments":{"at":1}}},)"
      R"({"id":"c2","type":"function","function":{"name":"put","arguments":"no json"}}]},)"
      R"({"role":"tool","content":"done","tool_call_id":"c2","name":"put"},)"
      R"({"role":"tool","content":"sunny","tool_call_id":"c1","name":"get"}])");
}

TEST(ItemsTest, ASealedThoughtIsRead) {
  EXPECT_EQ(messages(R"([{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":")" +
                     seal_text("deep") + R"("},{"role":"assistant","content":"hm"}])"),
            R"([{"role":"assistant","content":"hm","reasoning_content":"deep"}])");
}

TEST(ItemsTest, AnOutputWithoutItsCallIsAnError) {
  EXPECT_EQ(messages(R"([{"type":"function_call_output","call_id":"c9","output":"x"}])"),
            "No tool call found for function call output with call_id \"c9\".");
}

TEST(ItemsTest, MistakesNameTheirPlace) {
  const struct {
    const char* input;
    const char* param;
  } kCases[] = {
      {"7", "input"},
      {R"([7])", "input[0]"},
      {R"([{"role":"king","content":"x"}])", "input[0].role"},
      {R"([{"role":"user"}])", "input[0].content"},
      {R"([{"role":"user","content":[{"type":"input_image","image_url":"x"}]}])",
       "input[0].content[0].type"},
      {R"([{"role":"user","content":"x","mood":"good"}])", "input[0].mood"},
      {R"([{"type":"function_call","name":"f","arguments":"{}"}])", "input[0].call_id"},
      {R"([{"type":"function_call","call_id":"c","name":"f","arguments":{}}])",
       "input[0].arguments"},
      {R"([{"type":"reasoning","summary":[],"encrypted_content":"gAAAA"}])",
       "input[0].encrypted_content"},
      {R"([{"type":"web_search_call","id":"ws"}])", "input[0].type"},
      {R"([{"type":"item_reference"}])", "input[0].id"},
  };
  for (const auto& c : kCases) {
    std::string param;
    read(c.input, &param);
    EXPECT_EQ(param, c.param) << c.input;
  }
}

TEST(ItemsTest, TheOldestGoButSystemsStayAndOutputsGoWithTheirCalls) {
  const std::vector<Json> items = read(
      R"([{"role":"system","content":"s"},{"role":"user","content":"1"},
          {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
          {"role":"assistant","content":"2"},
          {"type":"function_call_output","call_id":"c","output":"x"},
          {"role":"user","content":"3"}])");
  EXPECT_EQ(removable(items), 4u);
  const std::vector<Json> kept = without_oldest(items, 2);
  ASSERT_EQ(kept.size(), 3u);
  EXPECT_EQ(item_text(kept[0], "role"), "system");
  EXPECT_EQ(item_text(kept[1], "role"), "assistant");
  EXPECT_EQ(item_text(kept[2], "role"), "user");
}

TEST(SealedTextTest, ComesBackAndKnowsItsOwn) {
  for (const std::string& text : {std::string(), std::string("a"), std::string("\0\xFFxyz", 5)}) {
    EXPECT_EQ(unseal_text(seal_text(text)), text);
  }
  EXPECT_FALSE(unseal_text("gAAAAAB"));
  EXPECT_FALSE(unseal_text("quire1_!"));
}

// --- parts as items ---

struct Told {
  std::vector<std::string> types;
  std::vector<Json> bodies;
};

ItemStream listened(Told& told, bool seals = false) {
  return ItemStream([&told](std::string_view type, Json body) {
    told.types.emplace_back(type);
    told.bodies.push_back(std::move(body));
  }, seals);
}

TEST(ItemStreamTest, EveryKindOfPartHasItsEvents) {
  Told told;
  ItemStream items = listened(told, true);
  items.take({.kind = PartKind::kReasoning, .index = 0, .text = "hm"}, {});
  items.take({.kind = PartKind::kText, .index = 1, .text = "He"}, {});
  items.take({.kind = PartKind::kText, .index = 1, .text = "y"}, {});
  items.take({.kind = PartKind::kToolCall, .index = 2, .text = "{\"a\"", .call_id = "call_1",
              .call_name = "f"}, {});
  items.take({.kind = PartKind::kToolCall, .index = 2, .text = ":1}"}, {});
  items.close(true);
  EXPECT_EQ(told.types, (std::vector<std::string>{
      "response.output_item.added", "response.content_part.added",
      "response.reasoning_text.delta", "response.reasoning_text.done",
      "response.content_part.done", "response.output_item.done",
      "response.output_item.added", "response.content_part.added",
      "response.output_text.delta", "response.output_text.delta", "response.output_text.done",
      "response.content_part.done", "response.output_item.done",
      "response.output_item.added", "response.function_call_arguments.delta",
      "response.function_call_arguments.delta", "response.function_call_arguments.done",
      "response.output_item.done"}));
  const std::vector<Json>& output = items.output().items();
  ASSERT_EQ(output.size(), 3u);
  EXPECT_EQ(unseal_text(item_text(output[0], "encrypted_content")), "hm");
  EXPECT_EQ(dump(*output[1].find("content")),
            R"([{"type":"output_text","text":"Hey","annotations":[],"logprobs":[]}])");
  EXPECT_EQ(item_text(output[2], "call_id"), "call_1");
  EXPECT_EQ(item_text(output[2], "arguments"), "{\"a\":1}");
  EXPECT_EQ(told.bodies.back().find("output_index")->as_int(), 2);
}

TEST(ItemStreamTest, TwoCallsAreTwoItems) {
  ItemStream items({}, false);
  items.take({.kind = PartKind::kToolCall, .index = 0, .text = "{}", .call_name = "f"}, {});
  items.take({.kind = PartKind::kToolCall, .index = 1, .text = "{}", .call_name = "g"}, {});
  items.close(false);
  ASSERT_EQ(items.output().items().size(), 2u);
  EXPECT_EQ(item_text(items.output().items()[1], "name"), "g");
  EXPECT_EQ(item_text(items.output().items()[1], "status"), "incomplete");
  EXPECT_TRUE(item_text(items.output().items()[1], "call_id").starts_with("call_"));
}

TEST(ItemStreamTest, AnEmptyAnswerIsAnEmptyMessage) {
  ItemStream items({}, false);
  items.close(true);
  ASSERT_EQ(items.output().items().size(), 1u);
  EXPECT_EQ(item_text(items.output().items()[0], "type"), "message");
}

}  // namespace
}  // namespace quire
