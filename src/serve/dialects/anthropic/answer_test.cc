// Answers of the Messages API to the byte: whole and as events, with parts of every kind.
#include "serve/dialects/anthropic/answer.h"

#include <gtest/gtest.h>

#include <sstream>

#include "serve/testing/test_model.h"

namespace quire {
namespace {

struct Event {
  std::string name;
  Json data;
};

std::vector<Event> events_of(const std::string& bytes) {
  std::vector<Event> events;
  std::istringstream lines(bytes);
  std::string name, data, blank;
  while (std::getline(lines, name) && std::getline(lines, data) && std::getline(lines, blank)) {
    EXPECT_TRUE(name.starts_with("event: ") && data.starts_with("data: ") && blank.empty());
    events.push_back({name.substr(7), *parse_json(data.substr(6))});
    EXPECT_EQ(events.back().data.find("type")->as_string(), events.back().name);
  }
  return events;
}

std::string names_of(const std::vector<Event>& events) {
  std::string names;
  for (const Event& event : events) names += (names.empty() ? "" : " ") + event.name;
  return names;
}

class MessageAnswerTest : public ::testing::Test {
 protected:
  MessageAnswerTest() {
    request_.model_name = "alias";
    request_.request_id = "req_1";
    prompt_.prompt = std::vector<TokenId>(10, 1);
  }

  std::unique_ptr<MessageAnswer> answer() {
    return std::make_unique<MessageAnswer>(request_, std::vector<Request>{prompt_});
  }

  static TokenEvent event(std::string text, std::uint32_t generated) {
    TokenEvent event;
    event.text = std::move(text);
    event.usage = {10, 4, generated};
    return event;
  }
  static TokenEvent last(FinishReason reason, std::string stop = "") {
    TokenEvent event = MessageAnswerTest::event("", 3);
    event.finish = reason;
    event.stop_string = std::move(stop);
    event.is_last = true;
    return event;
  }

  Json whole(const std::vector<PartDelta>& parts, const TokenEvent& end) {
    request_.is_stream = false;
    const auto made = answer();
    std::string out;
    made->take_parts(parts, out);
    made->take(0, end, out);
    EXPECT_EQ(out, "");
    made->finish(out);
    return *parse_json(out);
  }

  std::vector<Event> stream(const std::vector<PartDelta>& parts, const TokenEvent& end) {
    request_.is_stream = true;
    const auto made = answer();
    std::string out;
    made->take_parts(parts, out);
    made->take(0, end, out);
    made->finish(out);
    return events_of(out);
  }

  std::string stop_of(const TokenEvent& end, const std::vector<PartDelta>& parts = {}) {
    const Json body = whole(parts, end);
    const std::vector<Event> events = stream(parts, end);
    const Json& delta = *events[events.size() - 2].data.find("delta");
    EXPECT_EQ(*delta.find("stop_reason"), *body.find("stop_reason"));
    EXPECT_EQ(*delta.find("stop_sequence"), *body.find("stop_sequence"));
    return dump(*body.find("stop_reason")) + dump(*body.find("stop_sequence"));
  }

  AnthropicRequest request_;
  Request prompt_;
};

const PartDelta kThought = {PartKind::kReasoning, 0, "hm", "", ""};
const PartDelta kText = {PartKind::kText, 1, "Oslo", "", ""};

std::vector<PartDelta> call_parts() {
  return {{PartKind::kToolCall, 2, "", "toolu_9", "weather"},
          {PartKind::kToolCall, 2, "{\"city\":", "", ""},
          {PartKind::kToolCall, 2, "\"Oslo\"}", "", ""}};
}

TEST_F(MessageAnswerTest, AWholeAnswer) {
  const auto made = answer();
  std::string out;
  made->take(0, event("He", 1), out);
  made->take(0, event("llo", 2), out);
  made->take(0, last(FinishReason::kStop), out);
  made->finish(out);
  const Json body = *parse_json(out);
  EXPECT_TRUE(body.find("id")->as_string().starts_with("msg_"));
  EXPECT_EQ(body.find("id")->as_string(), made->id());
  Json rest = body;
  rest.set("id", "x");
  EXPECT_EQ(dump(rest),
            R"({"id":"x","type":"message","role":"assistant","model":"alias","content":)"
            R"([{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,)"
            R"("usage":{"input_tokens":6,"cache_creation_input_tokens":0,)"
            R"("cache_read_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":0,)"
            R"("ephemeral_1h_input_tokens":0},"output_tokens":3,)"
            R"("output_tokens_details":{"thinking_tokens":0},"service_tier":"standard"}})");
}

TEST_F(MessageAnswerTest, AStreamedAnswer) {
  request_.is_stream = true;
  const auto made = answer();
  std::string out;
  made->take(0, event("He", 1), out);
  EXPECT_NE(out.find("He"), std::string::npos) << "nothing is held back";
  made->take(0, event("llo", 2), out);
  made->take(0, last(FinishReason::kLength), out);
  made->finish(out);
  const std::vector<Event> events = events_of(out);
  EXPECT_EQ(names_of(events),
            "message_start content_block_start ping content_block_delta content_block_delta "
            "content_block_stop message_delta message_stop");
  const Json& message = *events[0].data.find("message");
  EXPECT_EQ(dump(*message.find("content")), "[]");
  EXPECT_TRUE(message.find("stop_reason")->is_null());
  EXPECT_EQ(message.find("usage")->find("input_tokens")->as_int(), 6);
  EXPECT_EQ(dump(events[1].data), R"({"type":"content_block_start","index":0,"content_block":)"
                                  R"({"type":"text","text":""}})");
  EXPECT_EQ(dump(events[3].data), R"({"type":"content_block_delta","index":0,"delta":)"
                                  R"({"type":"text_delta","text":"He"}})");
  EXPECT_EQ(dump(*events[6].data.find("delta")),
            R"({"stop_reason":"max_tokens","stop_sequence":null})");
  EXPECT_EQ(events[6].data.find("usage")->find("output_tokens")->as_int(), 3);
}

TEST_F(MessageAnswerTest, PartsAreBlocksOneAfterTheOther) {
  std::vector<PartDelta> parts = {kThought, kThought, kText};
  for (const PartDelta& part : call_parts()) parts.push_back(part);
  const std::vector<Event> events = stream(parts, last(FinishReason::kStop));
  EXPECT_EQ(names_of(events),
            "message_start content_block_start ping content_block_delta content_block_delta "
            "content_block_delta content_block_stop content_block_start content_block_delta "
            "content_block_stop content_block_start content_block_delta content_block_delta "
            "content_block_stop message_delta message_stop");
  EXPECT_EQ(dump(*events[1].data.find("content_block")),
            R"({"type":"thinking","thinking":"","signature":""})");
  EXPECT_EQ(dump(*events[3].data.find("delta")), R"({"type":"thinking_delta","thinking":"hm"})");
  EXPECT_EQ(dump(*events[5].data.find("delta")),
            R"({"type":"signature_delta","signature":"quire"})");
  EXPECT_EQ(events[7].data.find("index")->as_int(), 1);
  EXPECT_EQ(dump(*events[10].data.find("content_block")),
            R"({"type":"tool_use","id":"toolu_9","name":"weather","input":{}})");
  EXPECT_EQ(dump(events[11].data),
            R"({"type":"content_block_delta","index":2,"delta":)"
            R"({"type":"input_json_delta","partial_json":"{\"city\":"}})");

  const Json body = whole(parts, last(FinishReason::kStop));
  EXPECT_EQ(dump(*body.find("content")),
            R"([{"type":"thinking","thinking":"hmhm","signature":"quire"},)"
            R"({"type":"text","text":"Oslo"},)"
            R"({"type":"tool_use","id":"toolu_9","name":"weather","input":{"city":"Oslo"}}])");
  EXPECT_EQ(body.find("stop_reason")->as_string(), "tool_use");
}

TEST_F(MessageAnswerTest, ACallWithoutArgumentsHasAnEmptyInput) {
  const std::vector<PartDelta> parts = {{PartKind::kToolCall, 0, "", "", "now"}};
  const std::vector<Event> events = stream(parts, last(FinishReason::kStop));
  EXPECT_EQ(names_of(events), "message_start content_block_start ping content_block_stop "
                              "message_delta message_stop");
  const Json body = whole(parts, last(FinishReason::kStop));
  const Json& call = body.find("content")->items().at(0);
  EXPECT_EQ(dump(*call.find("input")), "{}");
  EXPECT_TRUE(call.find("id")->as_string().starts_with("toolu_"));
}

TEST_F(MessageAnswerTest, ArgumentsThatAreNoObjectAreToldOf) {
  const Json body = whole({{PartKind::kToolCall, 0, "{\"a\":", "toolu_1", "f"}},
                          last(FinishReason::kLength));
  EXPECT_EQ(dump(*body.find("content")->items().at(0).find("input")), "{}");
  EXPECT_EQ(body.find("warnings")->items().at(0).find("code")->as_string(),
            "tool_input_not_an_object");
  EXPECT_EQ(body.find("stop_reason")->as_string(), "max_tokens");
}

TEST_F(MessageAnswerTest, TwoCallsAreTwoBlocks) {
  const std::vector<PartDelta> parts = {{PartKind::kToolCall, 0, "{}", "toolu_1", "f"},
                                        {PartKind::kToolCall, 1, "{}", "toolu_2", "f"}};
  EXPECT_EQ(whole(parts, last(FinishReason::kStop)).find("content")->items().size(), 2u);
}

TEST_F(MessageAnswerTest, ThoughtsThatAreOmittedLeaveTheirSignature) {
  request_.hides_thinking = true;
  const Json body = whole({kThought, kText}, last(FinishReason::kStop));
  EXPECT_EQ(dump(body.find("content")->items().at(0)),
            R"({"type":"thinking","thinking":"","signature":"quire"})");
  EXPECT_EQ(names_of(stream({kThought}, last(FinishReason::kStop))),
            "message_start content_block_start ping content_block_delta content_block_stop "
            "message_delta message_stop");
}

TEST_F(MessageAnswerTest, ReasonsToStop) {
  EXPECT_EQ(stop_of(last(FinishReason::kStop)), R"("end_turn"null)");
  EXPECT_EQ(stop_of(last(FinishReason::kStop, "###")), R"("stop_sequence""###")");
  EXPECT_EQ(stop_of(last(FinishReason::kLength)), R"("max_tokens"null)");
  EXPECT_EQ(stop_of(last(FinishReason::kStop), call_parts()), R"("tool_use"null)");
  EXPECT_EQ(stop_of(last(FinishReason::kLength), call_parts()), R"("max_tokens"null)");
  request_.is_capped = true;
  EXPECT_EQ(stop_of(last(FinishReason::kLength)), R"("model_context_window_exceeded"null)");
}

TEST_F(MessageAnswerTest, AnAnswerMayBeEmpty) {
  EXPECT_EQ(dump(*whole({}, last(FinishReason::kStop)).find("content")), "[]");
  EXPECT_EQ(names_of(stream({}, last(FinishReason::kStop))),
            "message_start message_delta message_stop");
}

TEST_F(MessageAnswerTest, WarmingSaysNothing) {
  request_.is_warming = true;
  TokenEvent only = event("word", 1);
  only.finish = FinishReason::kStop;
  const Json body = whole({}, only);
  EXPECT_EQ(dump(*body.find("content")), "[]");
  EXPECT_EQ(body.find("usage")->find("output_tokens")->as_int(), 0);
  EXPECT_EQ(body.find("stop_reason")->as_string(), "max_tokens");
}

TEST_F(MessageAnswerTest, AFailureInTheMiddleIsAnEvent) {
  request_.is_stream = true;
  const auto made = answer();
  std::string out;
  made->take(0, event("He", 1), out);
  out.clear();
  made->fail({.status = 500, .message = "The model failed.", .type = "server_error"}, out);
  EXPECT_EQ(out, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\","
                 "\"message\":\"The model failed.\"},\"request_id\":\"req_1\"}\n\n");
}

}  // namespace
}  // namespace quire
