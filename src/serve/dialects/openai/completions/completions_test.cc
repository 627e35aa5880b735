#include "serve/dialects/openai/completions/completions.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

class OpenAiCompletionsTest : public ::testing::Test {
 protected:
  OpenAiCompletionsTest() : host_(make_test_host({}, std::make_shared<StepGate>())) {
    context_.models.host = host_.get();
  }

  Parsed<Call> complete(const std::string& fields) {
    http::Request request;
    request.body = R"({"model":"m",)" + fields + "}";
    return parse_openai_completion(context_, request);
  }

  std::unique_ptr<ModelHost> host_;
  DialectContext context_;
};

TEST_F(OpenAiCompletionsTest, PromptsComeInFourForms) {
  EXPECT_EQ(complete(R"("prompt":"abc")")->requests.size(), 1u);
  EXPECT_EQ(complete(R"("prompt":["abc","d"])")->requests.size(), 2u);
  auto ids = complete(R"("prompt":[1,2,3])");
  ASSERT_EQ(ids->requests.size(), 1u);
  EXPECT_EQ(ids->requests[0].prompt, (std::vector<TokenId>{1, 2, 3}));
  EXPECT_EQ(complete(R"("prompt":[[1],[2,3]])")->requests.size(), 2u);
  EXPECT_EQ(complete(R"("prompt":"abc")")->requests[0].params.tokens_max, 16);
}

TEST_F(OpenAiCompletionsTest, BadPromptsAreRefusedByName) {
  for (const char* prompt : {"[]", "\"\"", "null", "[\"\"]", "[null]", "[\"a\",1]", "[1,\"a\"]",
                             "[-1]", "[258]", "[1.5]", "{}", "5", "[[]]", "[[[1]]]",
                             "\"\\ud800\""}) {
    auto call = complete(std::string("\"prompt\":") + prompt);
    ASSERT_FALSE(call.is_ok()) << prompt;
    EXPECT_EQ(call.error().status, 400) << prompt;
    EXPECT_EQ(call.error().param, "prompt") << prompt;
  }
  std::string many = "[";
  for (int i = 0; i < 129; ++i) many += i == 0 ? "\"a\"" : ",\"a\"";
  EXPECT_EQ(complete("\"prompt\":" + many + "]").error().param, "prompt");
  EXPECT_EQ(complete("\"n\":1").error().param, "prompt");
}

// OpenAI's schema: nullable, "as if from the beginning of a new document".
TEST_F(OpenAiCompletionsTest, NoPromptBeginsANewDocument) {
  TestModelOptions options;
  options.bos_id = kTestImStart;
  host_ = make_test_host(options, std::make_shared<StepGate>());
  context_.models.host = host_.get();
  for (const char* prompt : {"null", "\"\"", "[\"\"]"}) {
    auto call = complete(std::string("\"prompt\":") + prompt);
    ASSERT_TRUE(call.is_ok()) << prompt << call.error().message;
    ASSERT_EQ(call->requests.size(), 1u) << prompt;
    EXPECT_EQ(call->requests[0].prompt, std::vector<TokenId>{kTestImStart}) << prompt;
  }
  EXPECT_EQ(complete(R"("prompt":["","a"])")->requests[1].prompt, std::vector<TokenId>{97});
  EXPECT_EQ(complete(R"("n":1)").error().param, "prompt") << "left out it is missing";
}

// Inclusive bounds of OpenAI's schema, and what lies beyond them.
TEST_F(OpenAiCompletionsTest, BoundsAreTheSchemas) {
  for (const char* field :
       {R"("top_p":0)", R"("top_p":1)", R"("temperature":0)", R"("temperature":2)",
        R"("presence_penalty":-2)", R"("presence_penalty":2)", R"("frequency_penalty":-2)",
        R"("frequency_penalty":2)", R"("n":128)", R"("logprobs":0)", R"("logprobs":5)",
        R"("max_tokens":0)", R"("best_of":0)", R"("logit_bias":{"0":-100,"1":100})",
        R"("seed":-9223372036854775808)", R"("seed":9223372036854775807)",
        R"("stop":["a","b","c","d"])"}) {
    const auto call = complete(std::string(R"("prompt":"a",)") + field);
    EXPECT_TRUE(call.is_ok()) << field;
  }
  for (const char* field :
       {R"("top_p":-0.01)", R"("top_p":1.01)", R"("temperature":-0.01)", R"("temperature":2.01)",
        R"("presence_penalty":-2.01)", R"("frequency_penalty":2.01)", R"("n":0)", R"("n":129)",
        R"("logprobs":-1)", R"("max_tokens":-1)", R"("best_of":-1)", R"("logit_bias":{"0":101})"}) {
    EXPECT_FALSE(complete(std::string(R"("prompt":"a",)") + field).is_ok()) << field;
  }
}

TEST_F(OpenAiCompletionsTest, TheBestOfSeveralAreShown) {
  EXPECT_TRUE(complete(R"("prompt":"a","n":2,"best_of":2)").is_ok());
  EXPECT_EQ(complete(R"("prompt":"a","n":3,"best_of":2)").error().param, "best_of");
  EXPECT_EQ(complete(R"("prompt":"a","best_of":1000000000)").error().param, "best_of");
  EXPECT_EQ(complete(R"("prompt":"a","best_of":2,"stream":true)").error().param, "best_of");
  auto call = complete(R"("prompt":["a","b"],"n":2,"best_of":3)");
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  EXPECT_EQ(call->requests[0].n, 3);
  EXPECT_EQ(call->requests[0].params.logprobs, 0) << "to choose by";
  std::string out;
  for (std::size_t prompt = 0; prompt < 2; ++prompt) {
    for (int branch = 0; branch < 3; ++branch) {
      TokenEvent event;
      event.branch = branch;
      event.text = std::to_string(prompt) + std::to_string(branch);
      event.accepted = {1};
      const float logprobs[2][3] = {{-3, -1, -2}, {-1, -2, -3}};
      event.scores = {{.token = 1, .logprob = logprobs[prompt][branch]}};
      event.usage.generated_tokens = 1;
      event.finish = FinishReason::kLength;
      call->writer->take(prompt, event, out);
    }
  }
  call->writer->finish(out);
  const Json body = *parse_json(out);
  std::string shown;
  for (const Json& choice : body.find("choices")->items()) {
    shown += dump(*choice.find("index")) + ":" + choice.find("text")->as_string() + " ";
    EXPECT_TRUE(choice.find("logprobs")->is_null());
  }
  EXPECT_EQ(shown, "0:01 1:02 2:10 3:11 ");
  EXPECT_EQ(body.find("usage")->find("completion_tokens")->as_int(), 6) << "of all that were made";
}

TEST_F(OpenAiCompletionsTest, ASuffixWantsTokensForIt) {
  EXPECT_EQ(complete(R"("prompt":"a","suffix":"b")").error().param, "suffix");
  EXPECT_TRUE(complete(R"("prompt":"a","suffix":null)").is_ok());
  EXPECT_TRUE(complete(R"("prompt":"a","suffix":"")").is_ok());
}

TEST_F(OpenAiCompletionsTest, ScoringGeneratesNothing) {
  EXPECT_EQ(complete(R"("prompt":"a","max_tokens":0)")->requests[0].params.tokens_max, 0);
  auto echo = complete(R"("prompt":"ab","max_tokens":0,"echo":true,"logprobs":2)");
  ASSERT_TRUE(echo.is_ok()) << echo.error().message;
  EXPECT_EQ(echo->requests[0].params.tokens_max, 0);
  EXPECT_EQ(echo->requests[0].params.prompt_logprobs, 2);
  EXPECT_EQ(complete(R"("prompt":"a","prompt_logprobs":1000000)").error().param, "prompt_logprobs");
}

TEST_F(OpenAiCompletionsTest, EchoWithLogprobsIsOneTable) {
  auto call = complete(R"("prompt":"ab","max_tokens":1,"echo":true,"logprobs":1)");
  TokenEvent event;
  event.text = "c";
  event.accepted = {99};
  event.prompt_scores = {{.token = 98, .logprob = -1.0f, .rank = 2, .top = {{103, -0.5f}}}};
  event.scores = {{.token = 99, .logprob = -0.25f, .rank = 1, .top = {{99, -0.25f}}}};
  event.finish = FinishReason::kLength;
  std::string out;
  call->writer->take(0, event, out);
  call->writer->finish(out);
  const Json choice = parse_json(out)->find("choices")->items()[0];
  EXPECT_EQ(choice.find("text")->as_string(), "abc");
  const Json& table = *choice.find("logprobs");
  EXPECT_EQ(dump(*table.find("tokens")), R"(["a","b","c"])");
  EXPECT_EQ(dump(*table.find("token_logprobs")), "[null,-1.0,-0.25]");
  EXPECT_EQ(dump(*table.find("text_offset")), "[0,1,2]");
  EXPECT_EQ(dump(*table.find("top_logprobs")), R"([null,{"g":-0.5,"b":-1.0},{"c":-0.25}])");
}

TEST_F(OpenAiCompletionsTest, LogprobsOfNamedTokens) {
  auto call = complete(R"("prompt":"ab","logprobs":1,"logprob_token_ids":[100,101])");
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  EXPECT_EQ(call->requests[0].params.logprobs, 1);
  TokenEvent event;
  event.text = "c";
  event.accepted = {99};
  event.scores = {{.token = 99, .logprob = -0.25f, .rank = 1, .top = {{100, -4.0f}, {101, -5.0f}}}};
  event.finish = FinishReason::kLength;
  std::string out;
  call->writer->take(0, event, out);
  call->writer->finish(out);
  const Json table = *parse_json(out)->find("choices")->items()[0].find("logprobs");
  EXPECT_EQ(dump(*table.find("top_logprobs")), R"([{"d":-4.0,"e":-5.0,"c":-0.25}])");
  EXPECT_EQ(complete(R"("prompt":"ab","logprob_token_ids":[1])").error().param,
            "logprob_token_ids");
}

// Offsets are of the text as it is returned: a token that is a part of a character begins where the
// character does, and tokens that are not shown take no room.
TEST_F(OpenAiCompletionsTest, OffsetsIndexTheText) {
  auto call = complete(R"("prompt":[256,195,169,97],"max_tokens":9,"echo":true,"logprobs":0)");
  TokenEvent event;
  event.text = "\xF0\x9F\x91\x8D!b";
  event.accepted = {0xF0, 0x9F, 0x91, 0x8D, '!', kTestImStart, 'b'};
  for (const TokenId token : {195, 169, 97}) event.prompt_scores.push_back({.token = token});
  for (const TokenId token : event.accepted) event.scores.push_back({.token = token});
  event.finish = FinishReason::kLength;
  std::string out;
  call->writer->take(0, event, out);
  call->writer->finish(out);
  const Json choice = parse_json(out)->find("choices")->items()[0];
  EXPECT_EQ(choice.find("text")->as_string(), "<|im_start|>\xC3\xA9" "a\xF0\x9F\x91\x8D!b");
  EXPECT_EQ(dump(*choice.find("logprobs")->find("text_offset")),
            "[0,12,12,13,14,14,14,14,15,16,16]");
}

TEST_F(OpenAiCompletionsTest, TokensCanBeNamedByTheirIds) {
  auto call = complete(R"("prompt":[1,2],"logprobs":0,"return_tokens_as_token_ids":true,)"
                       R"("return_token_ids":true)");
  TokenEvent event;
  event.accepted = {66};
  event.scores = {{.token = 66, .logprob = -0.25f}};
  event.finish = FinishReason::kStop;
  event.stop_token = 66;
  std::string out;
  call->writer->take(0, event, out);
  call->writer->finish(out);
  const Json choice = parse_json(out)->find("choices")->items()[0];
  EXPECT_EQ(dump(*choice.find("logprobs")->find("tokens")), R"(["token_id:66"])");
  EXPECT_EQ(dump(*choice.find("token_ids")), "[66]");
  EXPECT_EQ(dump(*choice.find("prompt_token_ids")), "[1,2]");
  EXPECT_EQ(dump(*choice.find("stop_reason")), "66");
}

TEST_F(OpenAiCompletionsTest, PromptLogprobsAreInVllmsForm) {
  auto call = complete(R"("prompt":"ab","prompt_logprobs":1)");
  TokenEvent event;
  event.prompt_scores = {{.token = 98, .logprob = -1.0f, .rank = 2, .top = {{103, -0.5f}}}};
  event.finish = FinishReason::kLength;
  std::string out;
  call->writer->take(0, event, out);
  call->writer->finish(out);
  const Json choice = parse_json(out)->find("choices")->items()[0];
  EXPECT_EQ(dump(*choice.find("prompt_logprobs")),
            R"([null,{"98":{"logprob":-1.0,"rank":2,"decoded_token":"b"},)"
            R"("103":{"logprob":-0.5,"rank":1,"decoded_token":"g"}}])");
}

TEST_F(OpenAiCompletionsTest, ChoicesOfSeveralPromptsAreNumberedThrough) {
  auto call = complete(R"("prompt":["a","b"],"n":2)");
  std::string out;
  for (std::size_t prompt = 0; prompt < 2; ++prompt) {
    for (int branch = 0; branch < 2; ++branch) {
      TokenEvent event;
      event.branch = branch;
      event.text = std::to_string(prompt) + std::to_string(branch);
      event.usage.generated_tokens = 1;
      event.finish = FinishReason::kLength;
      call->writer->take(prompt, event, out);
    }
  }
  call->writer->finish(out);
  const Json body = *parse_json(out);
  const auto& choices = body.find("choices")->items();
  ASSERT_EQ(choices.size(), 4u);
  EXPECT_EQ(choices[3].find("index")->as_int(), 3);
  EXPECT_EQ(choices[3].find("text")->as_string(), "11");
  EXPECT_EQ(body.find("usage")->find("completion_tokens")->as_int(), 4);
  EXPECT_EQ(body.find("usage")->find("prompt_tokens")->as_int(), 2) << "each prompt once";
}

// T5 and its like: the prompt is the encoder's, the answer begins as the files say.
TEST_F(OpenAiCompletionsTest, AnEncoderReadsThePrompt) {
  host_ = make_test_host({.has_encoder = true}, std::make_shared<StepGate>());
  context_.models.host = host_.get();
  auto call = complete(R"("prompt":["abc","de"],"max_tokens":7)");
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  ASSERT_EQ(call->requests.size(), 2u);
  EXPECT_EQ(call->requests[0].encoder_input, (std::vector<TokenId>{'a', 'b', 'c'}));
  EXPECT_EQ(call->requests[0].prompt, (std::vector<TokenId>{kTestImStart}));
  EXPECT_EQ(call->requests[1].params.tokens_max, 7);
  for (const char* fields : {R"("echo":true)", R"("suffix":"x")", R"("prompt_logprobs":1)"}) {
    EXPECT_EQ(complete(std::string(R"("prompt":"a",)") + fields).error().code,
              "unsupported_parameter") << fields;
  }
  EXPECT_EQ(complete("\"prompt\":\"" + std::string(1025, 'x') + "\"").error().code,
            "context_length_exceeded");
}

TEST(OpenAiCompletionsServerTest, AnEncodersDecoderAnswers) {
  TestServer server({}, {.has_encoder = true});
  const auto answer = [&](const char* prompt) {
    const TestResponse made = server.client().post(
        "/v1/completions",
        std::string(R"({"model":"m","max_tokens":5,"seed":1,"prompt":")") + prompt + "\"}");
    EXPECT_EQ(made.status, 200) << made.body;
    return parse_json(made.body).value();
  };
  const auto text = [](const Json& body) {
    return body.find("choices")->items()[0].find("text")->as_string();
  };
  EXPECT_EQ(text(answer("abc")), text(answer("abc")));
  EXPECT_NE(text(answer("abc")), text(answer("abd")));
  EXPECT_EQ(answer("abc").find("usage")->find("prompt_tokens")->as_int(), 3);
}

}  // namespace
}  // namespace quire
