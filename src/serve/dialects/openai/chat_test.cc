#include "serve/dialects/openai/chat.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/dialects/openai/completions/completions.h"
#include "serve/testing/test_model.h"

namespace quire {
namespace {

class OpenAiChatTest : public ::testing::Test {
 protected:
  OpenAiChatTest() : host_(make_test_host({}, std::make_shared<StepGate>())) {
    context_.models.host = host_.get();
  }

  Parsed<Call> parse(const std::string& body) {
    http::Request request;
    request.body = body;
    return parse_openai_chat(context_, request);
  }

  // A chat with these fields besides the model and one message.
  Parsed<Call> chat(const std::string& fields) {
    return parse(R"({"model":"m","messages":[{"role":"user","content":"hi"}])" +
                 (fields.empty() ? "" : "," + fields) + "}");
  }

  std::unique_ptr<ModelHost> host_;
  DialectContext context_;
};

TEST_F(OpenAiChatTest, DefaultsAreOpenAis) {
  auto call = chat("");
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  ASSERT_EQ(call->requests.size(), 1u);
  const Request& request = call->requests[0];
  EXPECT_EQ(request.n, 1);
  EXPECT_EQ(request.params.temperature, 1);
  EXPECT_EQ(request.params.top_p, 1);
  EXPECT_EQ(request.params.logprobs, -1);
  EXPECT_EQ(request.params.tokens_max, 1024 - static_cast<int>(request.prompt.size()));
  EXPECT_FALSE(call->is_stream);
}

TEST_F(OpenAiChatTest, SeedsDifferWhereNoneWasGiven) {
  auto one = chat(""), other = chat(""), given = chat(R"("seed":-7)");
  EXPECT_NE(one->requests[0].params.seed, other->requests[0].params.seed);
  EXPECT_EQ(given->requests[0].params.seed, static_cast<std::uint64_t>(-7));
}

TEST_F(OpenAiChatTest, EveryParameterArrives) {
  auto call = chat(
      R"("n":3,"temperature":0.5,"top_p":0.9,"top_k":40,"min_p":0.1,"repetition_penalty":1.2,)"
      R"("presence_penalty":-1,"frequency_penalty":2,"seed":5,"max_tokens":9,"min_tokens":2,)"
      R"("stop":["a","b"],"stop_token_ids":[7],"ignore_eos":true,"logit_bias":{"9":-100,"3":5},)"
      R"("include_stop_str_in_output":true,"skip_special_tokens":false,"priority":-3,)"
      R"("cache_salt":"a/\u0000\n b","logprobs":true,"top_logprobs":4,"stream":true,)"
      R"("stream_options":{"include_usage":true})");
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  const Request& request = call->requests[0];
  const SamplingParams& params = request.params;
  EXPECT_EQ(request.n, 3);
  EXPECT_EQ(request.priority, -3);
  EXPECT_EQ(request.cache_salt.size(), 6u);
  EXPECT_FLOAT_EQ(params.temperature, 0.5f);
  EXPECT_FLOAT_EQ(params.top_p, 0.9f);
  EXPECT_EQ(params.top_k, 40);
  EXPECT_FLOAT_EQ(params.min_p, 0.1f);
  EXPECT_FLOAT_EQ(params.repetition_penalty, 1.2f);
  EXPECT_FLOAT_EQ(params.presence_penalty, -1);
  EXPECT_FLOAT_EQ(params.frequency_penalty, 2);
  EXPECT_EQ(params.seed, 5u);
  EXPECT_EQ(params.tokens_max, 9);
  EXPECT_EQ(params.tokens_min, 2);
  EXPECT_EQ(params.stop_strings, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(params.stop_ids, std::vector<TokenId>{7});
  EXPECT_TRUE(params.ignore_eos);
  EXPECT_TRUE(params.include_stop);
  EXPECT_FALSE(params.skip_special_tokens);
  ASSERT_EQ(params.logit_bias.size(), 2u);
  EXPECT_EQ(params.logit_bias[0].token, 3) << "ascending";
  EXPECT_EQ(params.logprobs, 4);
  EXPECT_TRUE(call->is_stream);
}

TEST_F(OpenAiChatTest, NeutralValuesOfWhatWeDoNotDeliverAreFine) {
  auto call = chat(R"("tools":[],"tool_choice":"none","response_format":{"type":"text"},)"
                   R"("functions":null,"modalities":["text"],"audio":null,"user":"u",)"
                   R"("metadata":{"a":"b"},"store":true,"service_tier":"auto","top_k":-1,)"
                   R"("parallel_tool_calls":true,"length_penalty":1,"verbosity":"medium")");
  EXPECT_TRUE(call.is_ok()) << call.error().message;
}

TEST_F(OpenAiChatTest, MistakesNameTheirField) {
  const struct {
    const char* fields;
    const char* param;
    const char* code;
  } kCases[] = {
      {R"("temperature":-1)", "temperature", "invalid_value"},
      {R"("temperature":2.0001)", "temperature", "invalid_value"},
      {R"("temperature":"nan")", "temperature", "invalid_value"},
      {R"("top_p":-0.01)", "top_p", "invalid_value"},
      {R"("top_p":1.01)", "top_p", "invalid_value"},
      {R"("top_k":1.5)", "top_k", "invalid_value"},
      {R"("min_p":2)", "min_p", "invalid_value"},
      {R"("max_tokens":0)", "max_tokens", "invalid_value"},
      {R"("max_tokens":2147483648)", "max_tokens", "invalid_value"},
      {R"("max_tokens":9223372036854775808)", "max_tokens", "invalid_value"},
      {R"("max_tokens":1024)", "messages", "context_length_exceeded"},
      {R"("n":0)", "n", "invalid_value"},
      {R"("n":1000000000)", "n", "invalid_value"},
      {R"("seed":9223372036854775808)", "seed", "invalid_value"},
      {R"("seed":-9223372036854775809)", "seed", "invalid_json"},
      {R"("stop":[""])", "stop", "invalid_value"},
      {R"("logit_bias":{"999":1})", "logit_bias", "invalid_value"},
      {R"("logit_bias":{"1e2":1})", "logit_bias", "invalid_value"},
      {R"("logit_bias":{"1":101})", "logit_bias", "invalid_value"},
      {R"("top_logprobs":3)", "top_logprobs", "invalid_value"},
      {R"("logprobs":true,"top_logprobs":21)", "top_logprobs", "invalid_value"},
      {R"("stream":"true")", "stream", "invalid_value"},
      {R"("stream_options":{"include_usage":true})", "stream_options", "invalid_value"},
      {R"("stream":true,"stream_options":{"x":1})", "stream_options.x", "invalid_value"},
      {R"("min_tokens":100,"max_tokens":5)", "min_tokens", "invalid_value"},
      {R"("cache_salt":"")", "cache_salt", "invalid_value"},
      {R"("tools":[{"type":"function"}])", "tools[0].function", "invalid_value"},
      {R"("response_format":{"type":"yaml"})", "response_format.type", "invalid_value"},
      {R"("response_format":{"type":"json_object"},"guided_regex":"a")", "guided_regex",
       "invalid_value"},
      {R"("allowed_token_ids":[])", "allowed_token_ids", "invalid_value"},
      {R"("allowed_token_ids":[100000])", "allowed_token_ids", "invalid_value"},
      {R"("bad_words":[""])", "bad_words", "invalid_value"},
      {R"("bad_words":"a")", "bad_words", "invalid_value"},
      {R"("repetition_detection":{"max_pattern_size":2})", "repetition_detection", "invalid_value"},
      {R"("repetition_detection":{"x":2})", "repetition_detection", "invalid_value"},
      {R"("truncate_prompt_tokens":0)", "truncate_prompt_tokens", "invalid_value"},
      {R"("truncate_prompt_tokens":100000)", "truncate_prompt_tokens", "invalid_value"},
      {R"("truncation_side":"up")", "truncation_side", "invalid_value"},
      {R"("stream_interval":0)", "stream_interval", "invalid_value"},
      {R"("service_tier":"best")", "service_tier", "invalid_value"},
      {R"("request_id":"a b")", "request_id", "invalid_value"},
      {R"("documents":[{"text":"x"}])", "documents", "unsupported_parameter"},
      {R"("documents":["x"])", "documents", "invalid_value"},
      {R"("prediction":{"type":"x"})", "prediction", "invalid_value"},
      {R"("chat_template":"x")", "chat_template", "unsupported_parameter"},
      {R"("chat_template_kwargs":{"messages":1})", "chat_template_kwargs", "unsupported_parameter"},
      {R"("no_such_field":1)", "no_such_field", "unknown_parameter"},
      {R"("suffix":"x")", "suffix", "unknown_parameter"},
      {R"("continue_final_message":true)", "continue_final_message",
       "mutually_exclusive_parameters"},
      {R"("prompt_logprobs":1,"stream":true)", "prompt_logprobs", "invalid_value"},
  };
  for (const auto& [fields, param, code] : kCases) {
    auto call = chat(fields);
    ASSERT_FALSE(call.is_ok()) << fields;
    EXPECT_EQ(call.error().status, 400) << fields;
    EXPECT_EQ(call.error().param, param) << fields;
    EXPECT_EQ(call.error().code, code) << fields;
  }
}

TEST_F(OpenAiChatTest, MessagesAreChecked) {
  const struct {
    const char* messages;
    const char* param;
  } kCases[] = {
      {"[]", "messages"},
      {"{}", "messages"},
      {R"([5])", "messages[0]"},
      {R"([{"role":"root","content":"x"}])", "messages[0].role"},
      {R"([{"role":"user","content":5}])", "messages[0].content"},
      {R"([{"role":"user"}])", "messages[0].content"},
      {R"([{"content":"x"}])", "messages[0].role"},
      {R"([{"role":"user","content":"x","spell":1}])", "messages[0].spell"},
      {R"([{"role":"user","content":[{"type":"exe","exe":"x"}]}])", "messages[0].content[0].type"},
      {R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///x"}}]}])",
       "messages[0].content[0].type"},
  };
  for (const auto& [messages, param] : kCases) {
    auto call = parse(R"({"model":"m","messages":)" + std::string(messages) + "}");
    ASSERT_FALSE(call.is_ok()) << messages;
    EXPECT_EQ(call.error().param, param) << messages;
  }
}

TEST_F(OpenAiChatTest, TextPartsAndDeveloperAreReadAsText) {
  auto parts = parse(R"({"model":"m","messages":[{"role":"developer","content":)"
                     R"([{"type":"text","text":"a"},{"type":"text","text":"b"}]}]})");
  auto plain = parse(R"({"model":"m","messages":[{"role":"system","content":"a\nb"}]})");
  ASSERT_TRUE(parts.is_ok()) << parts.error().message;
  EXPECT_EQ(parts->requests[0].prompt, plain->requests[0].prompt);
}

TEST_F(OpenAiChatTest, ModelsAreFoundByEveryName) {
  const char* other = R"({"model":"other-name","messages":[{"role":"user","content":"x"}]})";
  EXPECT_TRUE(parse(other).is_ok());
  auto unknown = parse(R"({"model":"../x","messages":[{"role":"user","content":"x"}]})");
  ASSERT_FALSE(unknown.is_ok());
  EXPECT_EQ(unknown.error().status, 404);
  EXPECT_EQ(unknown.error().code, "model_not_found");
  auto missing = parse(R"({"messages":[{"role":"user","content":"x"}]})");
  ASSERT_FALSE(missing.is_ok());
  EXPECT_EQ(missing.error().param, "model");
}

TEST_F(OpenAiChatTest, WhereAnyNameWillDoNoneWillDo) {
  host_ = make_test_host({.names = {"m", kAnyName}}, std::make_shared<StepGate>());
  context_.models.host = host_.get();
  for (const char* model : {"", R"("model":null,)"}) {
    auto call = parse("{" + std::string(model) + R"("messages":[{"role":"user","content":"x"}]})");
    ASSERT_TRUE(call.is_ok()) << call.error().message;
    std::string out;
    call->writer->finish(out);
    EXPECT_NE(out.find(R"("model":"m")"), std::string::npos) << out;
  }
  EXPECT_FALSE(parse(R"({"model":5,"messages":[{"role":"user","content":"x"}]})").is_ok());
}

TEST_F(OpenAiChatTest, UnknownFieldsCanBeWarningsInstead) {
  context_.unknown_fields_warn = true;
  auto call = chat(R"("no_such_field":1)");
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  EXPECT_EQ(call->unknown_fields, 1u);
  std::string out;
  call->writer->finish(out);
  const Json body = *parse_json(out);
  ASSERT_NE(body.find("warnings"), nullptr);
  EXPECT_EQ(body.find("warnings")->items()[0].find("param")->as_string(), "no_such_field");
}

TEST_F(OpenAiChatTest, AModelWithoutATemplateSaysSo) {
  host_ = make_test_host({.has_template = false}, std::make_shared<StepGate>());
  context_.models.host = host_.get();
  auto call = chat("");
  ASSERT_FALSE(call.is_ok());
  EXPECT_NE(call.error().message.find("--chat-template"), std::string::npos);
}

// --- the bytes of an answer ---

TokenEvent event_of(std::string text, std::vector<TokenId> tokens) {
  TokenEvent event;
  event.text = std::move(text);
  event.accepted = std::move(tokens);
  event.usage = {.prompt_tokens = 9, .cached_tokens = 4,
                 .generated_tokens = static_cast<std::uint32_t>(event.accepted.size())};
  return event;
}

// The JSON of each `data:` line; the terminator is checked and left out.
std::vector<Json> events_of(std::string_view stream) {
  std::vector<Json> events;
  while (!stream.empty()) {
    const std::size_t end = stream.find("\n\n");
    std::string_view line = stream.substr(0, end);
    EXPECT_TRUE(line.starts_with("data: ")) << line;
    line.remove_prefix(6);
    stream.remove_prefix(end + 2);
    if (line == "[DONE]") {
      EXPECT_TRUE(stream.empty());
      break;
    }
    events.push_back(*parse_json(line));
  }
  return events;
}

TEST_F(OpenAiChatTest, StreamedChunksHaveOpenAisShape) {
  auto call = chat(R"("stream":true,"stream_options":{"include_usage":true})");
  std::string out;
  call->writer->take(0, event_of("H", {72}), out);
  TokenEvent last = event_of("i", {105});
  last.usage.generated_tokens = 2;
  last.finish = FinishReason::kStop;
  last.is_last = true;
  call->writer->take(0, last, out);
  call->writer->finish(out);
  EXPECT_TRUE(out.ends_with("data: [DONE]\n\n"));
  const std::vector<Json> events = events_of(out);
  ASSERT_EQ(events.size(), 5u);
  const auto choice = [&](std::size_t i) { return events[i].find("choices")->items().at(0); };
  EXPECT_EQ(dump(*choice(0).find("delta")), R"({"role":"assistant","content":"","refusal":null})");
  EXPECT_EQ(dump(*choice(1).find("delta")), R"({"content":"H"})");
  EXPECT_EQ(dump(*choice(2).find("delta")), R"({"content":"i"})");
  EXPECT_TRUE(choice(2).find("finish_reason")->is_null());
  EXPECT_EQ(dump(*choice(3).find("delta")), "{}");
  EXPECT_EQ(choice(3).find("finish_reason")->as_string(), "stop");
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(events[i].find("object")->as_string(), "chat.completion.chunk");
    EXPECT_EQ(events[i].find("id")->as_string(), events[0].find("id")->as_string());
    EXPECT_TRUE(events[i].find("usage")->is_null());
  }
  EXPECT_TRUE(events[4].find("choices")->items().empty());
  const Json& usage = *events[4].find("usage");
  EXPECT_EQ(usage.find("completion_tokens")->as_int(), 2);
  EXPECT_EQ(usage.find("prompt_tokens_details")->find("cached_tokens")->as_int(), 4);
}

TEST_F(OpenAiChatTest, ChoicesOfTokensReachTheEngine) {
  auto call = chat(R"("allowed_token_ids":[1,33],"bad_words":["ab"],)"
                   R"("repetition_detection":{"max_pattern_size":4,"min_count":3})");
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  const SamplingParams& params = call->requests[0].params;
  EXPECT_EQ(params.allowed[0], 2u);
  EXPECT_EQ(params.allowed[1], 2u);
  EXPECT_EQ(params.bad_sequences,
            (std::vector<std::vector<TokenId>>{{'a', 'b'}, {' ', 'a', 'b'}}));
  EXPECT_EQ(params.repetition.pattern_min, 1);
  EXPECT_EQ(params.repetition.pattern_max, 4);
  EXPECT_EQ(params.repetition.count, 3);
}

TEST_F(OpenAiChatTest, ALongPromptIsCutWhereTheRequestWantsIt) {
  const std::vector<TokenId> whole = chat("")->requests[0].prompt;
  auto left = chat(R"("truncate_prompt_tokens":3)");
  ASSERT_TRUE(left.is_ok()) << left.error().message;
  EXPECT_EQ(left->requests[0].prompt, std::vector<TokenId>(whole.end() - 3, whole.end()));
  auto right = chat(R"("truncate_prompt_tokens":3,"truncation_side":"right")");
  EXPECT_EQ(right->requests[0].prompt, std::vector<TokenId>(whole.begin(), whole.begin() + 3));
  auto fitted = chat(R"("truncate_prompt_tokens":-1,"max_tokens":1022)");
  ASSERT_TRUE(fitted.is_ok()) << fitted.error().message;
  EXPECT_EQ(fitted->requests[0].prompt.size(), 2u);
}

TEST_F(OpenAiChatTest, ChunksGatherAsManyTokensAsAsked) {
  auto call = chat(R"("stream":true,"stream_interval":3)");
  std::string out;
  for (const char* text : {"a", "b", "c", "d"}) {
    call->writer->take(0, event_of(text, {text[0]}), out);
  }
  TokenEvent last = event_of("e", {'e'});
  last.finish = FinishReason::kRepetition;
  call->writer->take(0, last, out);
  call->writer->finish(out);
  const std::vector<Json> events = events_of(out);
  ASSERT_EQ(events.size(), 4u);
  const auto choice = [&](std::size_t i) { return events[i].find("choices")->items().at(0); };
  EXPECT_EQ(dump(*choice(1).find("delta")), R"({"content":"abc"})");
  EXPECT_EQ(dump(*choice(2).find("delta")), R"({"content":"de"})");
  EXPECT_EQ(choice(3).find("finish_reason")->as_string(), "repetition");
  EXPECT_EQ(choice(3).find("stop_reason")->as_string(), "repetition_detected");
}

TEST_F(OpenAiChatTest, IdsTiersAndEchoesAreTheClients) {
  auto call = chat(R"("request_id":"mine-1","service_tier":"flex","echo":true)");
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  EXPECT_EQ(call->writer->id(), "chatcmpl-mine-1");
  EXPECT_GT(call->requests[0].priority, 0);
  TokenEvent event = event_of("H", {72});
  event.finish = FinishReason::kStop;
  std::string out;
  call->writer->take(0, event, out);
  call->writer->finish(out);
  const Json body = *parse_json(out);
  EXPECT_EQ(body.find("service_tier")->as_string(), "flex");
  const Json* message = body.find("choices")->items()[0].find("message");
  EXPECT_EQ(message->find("content")->as_string(), "H") << "the last message is the user's";
}

TEST_F(OpenAiChatTest, LogprobsNameTokensWithTheirBytes) {
  auto call = chat(R"("logprobs":true,"top_logprobs":1)");
  TokenEvent event = event_of("H", {72});
  event.scores = {{.token = 72, .logprob = -0.5f, .rank = 1, .top = {{72, -0.5f}}}};
  event.finish = FinishReason::kLength;
  std::string out;
  call->writer->take(0, event, out);
  call->writer->finish(out);
  const Json body = *parse_json(out);
  const Json& choice = body.find("choices")->items()[0];
  EXPECT_EQ(choice.find("message")->find("content")->as_string(), "H");
  EXPECT_EQ(choice.find("finish_reason")->as_string(), "length");
  const Json& entry = choice.find("logprobs")->find("content")->items()[0];
  EXPECT_EQ(entry.find("logprob")->as_double(), -0.5);
  EXPECT_EQ(dump(*entry.find("bytes")), "[72]");
  EXPECT_EQ(entry.find("top_logprobs")->items().size(), 1u);
}

TEST_F(OpenAiChatTest, LogprobsOfNamedTokensStandBehindTheOneThatWasDrawn) {
  auto call = chat(R"("logprobs":true,"logprob_token_ids":[73,72,74,73])");
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  EXPECT_EQ(call->requests[0].params.logprob_ids, (std::vector<TokenId>{73, 72, 74}));
  TokenEvent event = event_of("H", {72});
  event.scores = {{.token = 72, .logprob = -0.5f, .rank = 1,
                   .top = {{73, -1.0f}, {72, -0.5f}, {74, -2.0f}}}};
  event.finish = FinishReason::kLength;
  std::string out;
  call->writer->take(0, event, out);
  call->writer->finish(out);
  const Json body = *parse_json(out);
  const Json& logprobs = *body.find("choices")->items()[0].find("logprobs");
  std::string names;
  for (const Json& top : logprobs.find("content")->items()[0].find("top_logprobs")->items()) {
    names += top.find("token")->as_string();
  }
  EXPECT_EQ(names, "HIJ");
  for (const char* ids : {"[]", "[1000000]", R"(["1"])", "[-1]", "1"}) {
    auto bad = chat(R"("logprobs":true,"logprob_token_ids":)" + std::string(ids));
    EXPECT_EQ(bad.error().param, "logprob_token_ids") << ids;
  }
  EXPECT_EQ(chat(R"("logprob_token_ids":[1])").error().param, "logprob_token_ids");
}

TEST_F(OpenAiChatTest, AnErrorEndsAStreamAsAnEvent) {
  auto call = chat(R"("stream":true)");
  std::string out;
  call->writer->fail({.status = 500, .message = "x", .type = "server_error"}, out);
  EXPECT_EQ(out, "data: {\"error\":{\"message\":\"x\",\"type\":\"server_error\",\"param\":null,"
                 "\"code\":null}}\n\n");
}

}  // namespace
}  // namespace quire
