// Requests of TGI with the Call that they become, each refusal in TGI's words, events with the
// exact bytes of the answer, and the whole over real sockets.
#include "serve/dialects/tgi/tgi.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/dialects/tgi/errors.h"
#include "serve/dialects/tgi/generate.h"
#include "serve/dialects/tgi/token_spans.h"
#include "serve/dialects/tgi/tokenize.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

class TgiTest : public ::testing::Test {
 protected:
  TgiTest() : host_(make_test_host({}, std::make_shared<StepGate>())) {
    context_.models.host = host_.get();
  }

  Parsed<Call> generate(const std::string& parameters, const std::string& more = "") {
    return parse_tgi_generate(context_, request(parameters, more));
  }
  Parsed<Call> stream(const std::string& parameters) {
    return parse_tgi_stream(context_, request(parameters, ""));
  }
  static http::Request request(const std::string& parameters, const std::string& more) {
    http::Request made;
    made.body = R"({"inputs":"abc","parameters":{)" + parameters + "}" + more + "}";
    return made;
  }
  static std::string refusal_of(const Parsed<Call>& call) {
    if (call.is_ok()) return "(accepted)";
    const http::Response told = render_tgi_error(call.error(), {});
    return std::to_string(told.status) + " " + told.body;
  }
  static std::string validation(const std::string& detail) {
    return R"(422 {"error":"Input validation error: )" + detail + R"(","error_type":"validation"})";
  }

  std::unique_ptr<ModelHost> host_;
  DialectContext context_;
};

TokenEvent event_of(const std::vector<TokenId>& tokens, const std::string& text, bool is_scored) {
  TokenEvent event;
  event.text = text;
  event.accepted = tokens;
  for (std::size_t i = 0; is_scored && i < tokens.size(); ++i) {
    event.scores.push_back({.token = tokens[i], .logprob = -0.4f, .rank = 1,
                            .top = {{tokens[i], -0.4f}, {'z', -2.5f}}});
  }
  return event;
}

TEST_F(TgiTest, DefaultsAreThoseOfTgi) {
  auto call = generate("");
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  const SamplingParams& params = call->requests.at(0).params;
  EXPECT_EQ(call->requests[0].prompt, (std::vector<TokenId>{'a', 'b', 'c'}));
  EXPECT_EQ(params.temperature, 0) << "greedy";
  EXPECT_EQ(params.tokens_max, 1021) << "what the context leaves";
  EXPECT_EQ(params.logprobs, -1);
  http::Request bare;
  bare.body = R"({"inputs":"abc"})";
  EXPECT_EQ(parse_tgi_generate(context_, bare)->requests[0].params.temperature, 1)
      << "without parameters TGI draws";
}

TEST_F(TgiTest, WhateverDrawsTurnsDrawingOn) {
  for (const char* field : {R"("do_sample":true)", R"("temperature":0.5)", R"("top_k":3)",
                            R"("top_p":0.5)", R"("typical_p":0.5)"}) {
    EXPECT_GT(generate(field)->requests[0].params.temperature, 0) << field;
  }
  EXPECT_EQ(generate(R"("temperature":1.0)")->requests[0].params.temperature, 0) << "as in TGI";
  const SamplingParams params =
      generate(R"("temperature":0.5,"top_k":3,"top_p":0.5,"typical_p":0.25,"seed":7,)"
               R"("repetition_penalty":1.25,"frequency_penalty":-2,"max_new_tokens":5,)"
               R"("stop":["x","y"])")->requests[0].params;
  EXPECT_EQ(params.temperature, 0.5f);
  EXPECT_EQ(params.top_k, 3);
  EXPECT_EQ(params.top_p, 0.5f);
  EXPECT_EQ(params.typical_p, 0.25f);
  EXPECT_EQ(params.seed, 7u);
  EXPECT_EQ(params.repetition_penalty, 1.25f);
  EXPECT_EQ(params.frequency_penalty, -2);
  EXPECT_EQ(params.tokens_max, 5);
  EXPECT_EQ(params.stop_strings, (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(params.include_stop) << "a stop sequence stays in the text";
  EXPECT_EQ(generate(R"("seed":18446744073709551615)")->requests[0].params.seed, ~0ull);
}

TEST_F(TgiTest, WhatIsNotAllowedIsToldInTgisWords) {
  const std::pair<const char*, const char*> kCases[] = {
      {R"("best_of":0)", "`best_of` must be > 0 and <= 2. Given: 0"},
      {R"("best_of":3)", "`best_of` must be > 0 and <= 2. Given: 3"},
      {R"("best_of":2)", "you must use sampling when `best_of` is > 1"},
      {R"("best_of":2,"do_sample":true,"seed":1)", "`seed` must not be set when `best_of` > 1"},
      {R"("temperature":0)", "`temperature` must be strictly positive"},
      {R"("temperature":-1)", "`temperature` must be strictly positive"},
      {R"("repetition_penalty":0)", "`repetition_penalty` must be strictly positive"},
      {R"("frequency_penalty":2.5)", "`frequency_penalty` must be >= -2.0 and <= 2.0"},
      {R"("top_p":1.0)", "`top_p` must be > 0.0 and < 1.0"},
      {R"("top_p":0)", "`top_p` must be > 0.0 and < 1.0"},
      {R"("typical_p":1)", "`typical_p` must be > 0.0 and < 1.0"},
      {R"("top_k":0)", "`top_k` must be strictly positive"},
      {R"("top_k":-1)", "`top_k` must be strictly positive"},
      {R"("top_n_tokens":6)", "`top_n_tokens` must be >= 0 and <= 5. Given: 6"},
      {R"("truncate":0)", "`truncate` must be strictly positive and less than 1023. Given: 0"},
      {R"("truncate":5000)",
       "`truncate` must be strictly positive and less than 1023. Given: 5000"},
      {R"("max_new_tokens":0)", "`max_new_tokens` must be strictly positive"},
      {R"("max_new_tokens":1022)",
       "`inputs` tokens + `max_new_tokens` must be <= 1024. Given: 3 `inputs` tokens and 1022 "
       "`max_new_tokens`"},
      {R"("stop":["a","b","c","d","e"])", "`stop` supports up to 4 stop sequences. Given: 5"},
      {R"("stop":[""])", "`stop` sequences must have 1 to 4096 bytes. Given: 0"},
      {R"("watermark":true)", "`watermark` is not supported: this server marks no text"},
      {R"("adapter_id":"x")",
       R"(`adapter_id` is not supported: a model has its adapters when it is loaded (quire serve )"
       R"(--adapter). Given: \"x\")"},
  };
  for (const auto& [field, detail] : kCases) {
    EXPECT_EQ(refusal_of(generate(field)), validation(detail)) << field;
  }
  EXPECT_EQ(refusal_of(stream(R"("best_of":2,"do_sample":true)")),
            validation("`best_of` != 1 is not supported when streaming tokens"));
  EXPECT_EQ(refusal_of(stream(R"("decoder_input_details":true)")),
            validation("`decoder_input_details` == true is not supported when streaming tokens"));
  http::Request empty;
  empty.body = R"({"inputs":""})";
  EXPECT_EQ(refusal_of(parse_tgi_generate(context_, empty)),
            validation("`inputs` cannot be empty"));
  http::Request longer;
  longer.body = R"({"inputs":")" + std::string(1024, 'x') + "\"}";
  EXPECT_EQ(refusal_of(parse_tgi_generate(context_, longer)),
            validation("`inputs` must have less than 1023 tokens. Given: 1024"));
}

// As TGI's web framework: plain text, 422 for types, 400 for what is no JSON.
TEST_F(TgiTest, ABodyOfAnotherShapeIsToldInPlainText) {
  for (const char* body :
       {R"({})", R"({"inputs":5})", R"({"inputs":null})", R"({"inputs":["a"]})", "[]", "5",
        R"({"inputs":"a","parameters":[]})", R"({"inputs":"a","parameters":{"top_k":"x"}})",
        R"({"inputs":"a","parameters":{"top_k":1.5}})",
        R"({"inputs":"a","parameters":{"best_of":-1}})",
        R"({"inputs":"a","parameters":{"seed":-1}})",
        R"({"inputs":"a","parameters":{"stop":"x"}})",
        R"({"inputs":"a","parameters":{"stop":[1]}})",
        R"({"inputs":"a","parameters":{"do_sample":1}})",
        R"({"inputs":"a","parameters":{"temperature":"1"}})",
        R"({"inputs":"a","parameters":{"max_new_tokens":4294967296}})",
        R"({"inputs":"a","parameters":{"grammar":"x"}})",
        R"({"inputs":"a","parameters":{"grammar":{"value":1}}})",
        R"({"inputs":"a","parameters":{"grammar":{"type":"json"}}})",
        R"({"inputs":"a","parameters":{"grammar":{"type":"regex"}}})",
        R"({"inputs":"a","parameters":{"grammar":{"type":5,"value":1}}})",
        R"({"inputs":"a","parameters":{"grammar":{"type":"json","value":null}}})",
        R"({"inputs":"a","parameters":{"grammar":{"type":"json_schema","value":{"name":"n"}}}})",
        R"({"inputs":"a","parameters":{"grammar":{"type":"json_schema","value":{"schem":{}}}}})",
        R"({"inputs":"a","model":5})", R"({"inputs":"a","parameters":{"adapter_id":1}})",
        R"({"inputs":"a","parameters":{"watermark":"x"}})", R"({"inputs":"a","stream":1})"}) {
    http::Request request;
    request.body = body;
    const auto call = parse_tgi_compat(context_, request);
    ASSERT_FALSE(call.is_ok()) << body;
    const http::Response told = render_tgi_error(call.error(), request);
    EXPECT_EQ(told.status, 422) << body;
    EXPECT_EQ(told.content_type, "text/plain; charset=utf-8") << body;
    EXPECT_TRUE(told.body.starts_with("Failed to deserialize the JSON body into the target type"))
        << told.body;
  }
  http::Request broken;
  broken.body = R"({"inputs":"a)";
  const http::Response told =
      render_tgi_error(parse_tgi_generate(context_, broken).error(), broken);
  http::Request large;
  large.body = R"({"inputs":"a","parameters":{"seed":18446744073709551616}})";
  EXPECT_EQ(render_tgi_error(parse_tgi_generate(context_, large).error(), large).status, 422)
      << "a number of no type is one of another";
  EXPECT_EQ(told.status, 400);
  EXPECT_TRUE(told.body.starts_with("Failed to parse the request body as JSON")) << told.body;
}

TEST_F(TgiTest, TheLastTokensOfTheInputsAreKept) {
  EXPECT_EQ(generate(R"("truncate":2)")->requests[0].prompt, (std::vector<TokenId>{'b', 'c'}));
  http::Request longer;
  longer.body = R"({"inputs":")" + std::string(5000, 'x') + R"(","parameters":{"truncate":7}})";
  EXPECT_EQ(parse_tgi_generate(context_, longer)->requests[0].prompt.size(), 7u);
}

TEST_F(TgiTest, GrammarsOfItsThreeKinds) {
  EXPECT_TRUE(generate(R"("grammar":{"type":"regex","value":"[0-9]+"})")->grammar.has_value());
  const std::string schema = R"({"type":"object","properties":{"a":{"type":"integer"}}})";
  EXPECT_TRUE(generate(R"("grammar":{"type":"json","value":)" + schema + "}")->grammar);
  EXPECT_TRUE(generate(R"("grammar":{"type":"json_object","value":)" + schema + "}")->grammar);
  EXPECT_TRUE(generate(R"("grammar":{"type":"json","value":)" + dump(Json(schema)) + "}")->grammar)
      << "a schema in a string";
  EXPECT_TRUE(generate(R"("grammar":{"type":"json_schema","value":{"name":"n","schema":)" + schema +
                       "}}")->grammar);
  for (const char* bad : {R"({"type":"regex","value":"["})", R"({"type":"other","value":"x"})",
                          R"({"type":"json","value":{"type":"nothing"}})",
                          R"({"type":"json","value":"{"})"}) {
    const std::string told = refusal_of(generate(R"("grammar":)" + std::string(bad)));
    EXPECT_TRUE(told.starts_with(R"(422 {"error":"Input validation error: grammar is not valid: )"))
        << told;
  }
}

// The example of huggingface_hub: `properties`, and no type.
TEST_F(TgiTest, WhatListsPropertiesIsAnObject) {
  const std::string properties = R"({"properties":{"a":{"type":"integer"}},"required":["a"]})";
  auto usual = generate(R"("grammar":{"type":"json","value":{"type":"object","properties":{"a":)"
                        R"({"type":"integer"}},"required":["a"],"additionalProperties":false}})");
  for (const std::string& grammar :
       {R"({"type":"json","value":)" + properties + "}",
        R"({"type":"json_object","value":)" + dump(Json(properties)) + "}",
        R"({"type":"json_schema","value":{"schema":)" + properties + "}}"}) {
    auto call = generate(R"("grammar":)" + grammar);
    ASSERT_TRUE(call.is_ok()) << grammar << call.error().message;
    const Json asked = *parse_json(call->grammar->source.text);
    EXPECT_EQ(dump(*asked.find("type")), R"("object")") << grammar;
    EXPECT_EQ(dump(*asked.find("additionalProperties")), "false") << grammar;
    EXPECT_EQ(asked.members().size(),
              parse_json(usual->grammar->source.text)->members().size()) << grammar;
  }
}

TEST_F(TgiTest, WhatAGrammarLacksOrHasTooMuchIsNamed) {
  const auto told = [&](const std::string& grammar) {
    return refusal_of(generate(R"("grammar":)" + grammar));
  };
  const std::string missing = "422 Failed to deserialize the JSON body into the target type: "
                              "missing field `parameters.grammar.value";
  EXPECT_EQ(told(R"({"type":"regex"})"), missing + "`");
  EXPECT_EQ(told(R"({"type":"json_schema"})"), missing + "`");
  EXPECT_EQ(told(R"({"type":"json_schema","value":{"name":"n"}})"),
            "422 Failed to deserialize the JSON body into the target type: missing field "
            "`parameters.grammar.value.schema`");
  EXPECT_EQ(told(R"({"value":{}})"),
            "422 Failed to deserialize the JSON body into the target type: parameters.grammar: "
            "invalid type: an object, expected an object with a type");
  EXPECT_NE(told(R"({"type":"text"})").find("must be json, json_object, json_schema or regex"),
            std::string::npos);
  auto call = generate(R"("grammar":{"type":"json_schema","strict":true,"other":1,"value":)"
                       R"({"schema":{"type":"null"},"more":1}})");
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  EXPECT_EQ(call->unknown_fields, 2u);
  std::string out;
  call->writer->finish(out);
  EXPECT_NE(out.find(R"("param":"parameters.grammar.other")"), std::string::npos) << out;
  EXPECT_NE(out.find(R"("param":"parameters.grammar.value.more")"), std::string::npos) << out;
}

// Nothing is drawn where the grammar leaves nothing to draw; clients count the end all the same.
TEST_F(TgiTest, ATextThatItsGrammarEndsHasItsLastToken) {
  const auto events = [&](const std::string& parameters) {
    auto call = stream(R"("details":true,"grammar":{"type":"regex","value":"de"})" + parameters);
    std::string out;
    TokenEvent last = event_of({'d', 'e'}, "de", true);
    last.finish = FinishReason::kStop;
    call->writer->take(0, last, out);
    return out;
  };
  const std::string out = events("");
  EXPECT_NE(out.find(R"("index":3,"token":{"id":257,"text":"<|im_end|>","logprob":0.0,)"
                     R"("special":true},"generated_text":"de")"), std::string::npos) << out;
  EXPECT_NE(out.find(R"("generated_tokens":3)"), std::string::npos) << out;
  EXPECT_EQ(events(R"(,"max_new_tokens":2)").find(R"("index":3)"), std::string::npos)
      << "not beyond what was asked for";
}

TEST_F(TgiTest, AWholeAnswerHasWhatWasAskedFor) {
  auto call = generate(R"("details":true,"top_n_tokens":2,"max_new_tokens":3)");
  EXPECT_EQ(call->requests[0].params.logprobs, 2);
  std::string out;
  call->writer->take(0, event_of({'d', 'e'}, "de", true), out);
  TokenEvent last = event_of({kTestImEnd}, "", true);
  last.finish = FinishReason::kStop;
  last.stop_token = kTestImEnd;
  call->writer->take(0, last, out);
  EXPECT_EQ(out, "");
  call->writer->finish(out);
  const auto token = [](const char* id, const char* text, const char* special) {
    return std::string(R"({"id":)") + id + R"(,"text":")" + text +
           R"(","logprob":-0.4,"special":)" + special + "}";
  };
  const std::string z = R"(,{"id":122,"text":"z","logprob":-2.5,"special":false}])";
  const std::string d = token("100", "d", "false"), e = token("101", "e", "false");
  const std::string end = token("257", "<|im_end|>", "true");
  EXPECT_EQ(out, R"({"generated_text":"de","details":{"finish_reason":"eos_token",)"
                 R"("generated_tokens":3,"seed":null,"prefill":[],"tokens":[)" +
                     d + "," + e + "," + end + R"(],"top_tokens":[[)" + d + z + ",[" + e + z +
                     ",[" + end + z + "]}}");
}

TEST_F(TgiTest, WithoutDetailsThereIsTheTextAlone) {
  auto call = generate(R"("return_full_text":true)");
  TokenEvent event = event_of({'d'}, "d", false);
  event.finish = FinishReason::kLength;
  std::string out;
  call->writer->take(0, event, out);
  call->writer->finish(out);
  EXPECT_EQ(out, R"({"generated_text":"abcd"})");
}

TEST_F(TgiTest, ThePrefillIsThePrompt) {
  auto call = generate(R"("decoder_input_details":true)");
  EXPECT_EQ(call->requests[0].params.prompt_logprobs, 0);
  TokenEvent event = event_of({'d'}, "d", true);
  event.prompt_scores = {{.token = 'b', .logprob = -1.5f}, {.token = 'c', .logprob = -0.25f}};
  event.finish = FinishReason::kLength;
  std::string out;
  call->writer->take(0, event, out);
  call->writer->finish(out);
  EXPECT_EQ(dump(*parse_json(out)->find("details")->find("prefill")),
            R"([{"id":97,"text":"a","logprob":null},{"id":98,"text":"b","logprob":-1.5},)"
            R"({"id":99,"text":"c","logprob":-0.25}])");
}

TEST_F(TgiTest, TheBestOfSeveralIsTheLikeliestAToken) {
  auto call = generate(R"("best_of":2,"do_sample":true,"details":true)");
  ASSERT_EQ(call->requests.size(), 2u);
  EXPECT_NE(call->requests[0].params.seed, call->requests[1].params.seed);
  std::string out;
  for (std::size_t i = 0; i < 2; ++i) {
    TokenEvent event = event_of({'d'}, i == 0 ? "d" : "e", false);
    event.scores = {{.token = 'd', .logprob = i == 0 ? -2.0f : -1.0f}};
    event.finish = FinishReason::kLength;
    call->writer->take(i, event, out);
  }
  call->writer->finish(out);
  const Json body = *parse_json(out);
  EXPECT_EQ(body.find("generated_text")->as_string(), "e");
  EXPECT_EQ(body.find("details")->find("seed")->as_uint(), call->requests[1].params.seed);
  const Json& others = *body.find("details")->find("best_of_sequences");
  ASSERT_EQ(others.items().size(), 1u);
  EXPECT_EQ(others.items()[0].find("generated_text")->as_string(), "d");
  EXPECT_EQ(others.items()[0].find("seed")->as_uint(), call->requests[0].params.seed);
  EXPECT_EQ(others.items()[0].find("finish_reason")->as_string(), "length");
}

TEST_F(TgiTest, AStreamHasAnEventForEveryToken) {
  auto call = stream(R"("details":true,"top_n_tokens":1)");
  EXPECT_TRUE(call->is_stream);
  EXPECT_EQ(call->stream_type, "text/event-stream");
  std::string out;
  call->writer->take(0, event_of({'d', 'e'}, "de", true), out);
  const std::string d = R"({"id":100,"text":"d","logprob":-0.4,"special":false})";
  const std::string e = R"({"id":101,"text":"e","logprob":-0.4,"special":false})";
  EXPECT_EQ(out, R"(data: {"index":1,"token":)" + d + R"(,"top_tokens":[)" + d +
                     R"(],"generated_text":null,"details":null})" "\n\n"
                     R"(data: {"index":2,"token":)" + e + R"(,"top_tokens":[)" + e +
                     R"(],"generated_text":null,"details":null})" "\n\n");
  out.clear();
  TokenEvent last = event_of({'f'}, "f", true);
  last.finish = FinishReason::kLength;
  call->writer->take(0, last, out);
  call->writer->finish(out);
  const std::string f = R"({"id":102,"text":"f","logprob":-0.4,"special":false})";
  EXPECT_EQ(out, R"(data: {"index":3,"token":)" + f + R"(,"top_tokens":[)" + f +
                     R"(],"generated_text":"def","details":{"finish_reason":"length",)"
                     R"("generated_tokens":3,"seed":null,"input_length":3}})" "\n\n")
      << "no [DONE]";
  out.clear();
  call->writer->ping(out);
  EXPECT_EQ(out, ":\n\n");
}

// What the engine holds back, since it may begin a stop sequence, is told at once: it stays anyway.
TEST_F(TgiTest, AStopSequenceStaysAndEndsTheText) {
  auto call = stream(R"("stop":["ef"])");
  std::string out;
  call->writer->take(0, event_of({'d', 'e'}, "d", true), out);
  EXPECT_NE(out.find(R"("text":"e")"), std::string::npos) << out;
  TokenEvent last = event_of({'f'}, "ef", true);
  last.finish = FinishReason::kStop;
  last.stop_string = "ef";
  out.clear();
  call->writer->take(0, last, out);
  EXPECT_NE(out.find(R"("generated_text":"def","details":null)"), std::string::npos) << out;
}

TEST_F(TgiTest, AFailureInAStreamIsAnEvent) {
  auto call = stream("");
  std::string out;
  call->writer->fail({.status = 500, .message = "The model failed."}, out);
  EXPECT_EQ(out, R"(data: {"error":"Request failed during generation: The model failed.",)"
                 R"("error_type":"generation"})" "\n\n");
}

TEST_F(TgiTest, FieldsThatNobodyKnowsAreNamedInAWarning) {
  auto call = generate(R"("details":false,"length_penalty":2)", R"(,"new":1)");
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  EXPECT_EQ(call->unknown_fields, 2u);
  std::string out;
  call->writer->finish(out);
  EXPECT_NE(out.find(R"("param":"parameters.length_penalty")"), std::string::npos) << out;
  EXPECT_NE(out.find(R"("param":"new")"), std::string::npos) << out;
  EXPECT_NE([&] {
    http::Request request;
    request.body = R"({"inputs":"a","stream":true})";
    auto whole = parse_tgi_generate(context_, request);
    std::string text;
    whole->writer->finish(text);
    return text.find(R"("code":"no_effect","param":"stream")");
  }(), std::string::npos) << "/generate does not stream";
}

TEST_F(TgiTest, AnEncodersAnswerBeginsAnew) {
  host_ = make_test_host({.has_encoder = true}, std::make_shared<StepGate>());
  context_.models.host = host_.get();
  auto call = generate(R"("max_new_tokens":7)");
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  EXPECT_EQ(call->requests[0].encoder_input, (std::vector<TokenId>{'a', 'b', 'c'}));
  EXPECT_EQ(call->requests[0].params.tokens_max, 7);
  EXPECT_FALSE(generate(R"("max_new_tokens":1024)").is_ok());
}

TEST_F(TgiTest, TokensHavePlacesInTheText) {
  http::Request request;
  request.body = R"({"inputs":"h\u00e9<|im_end|>!"})";
  const auto shown = [&] { return parse_tgi_tokenize(context_, request)->ready->body; };
  EXPECT_EQ(shown(), R"([{"id":104,"text":"h","start":0,"stop":1},)"
                     R"({"id":195,"text":"é","start":1,"stop":2},)"
                     R"({"id":169,"text":"é","start":1,"stop":2},)"
                     R"({"id":257,"text":"<|im_end|>","start":2,"stop":12},)"
                     R"({"id":33,"text":"!","start":12,"stop":13}])");
  request.body = R"({"inputs":"abc","parameters":{"truncate":1}})";
  EXPECT_EQ(shown(), R"([{"id":99,"text":"c","start":2,"stop":3}])");
  request.body = R"({"inputs":"abc","new":1,"a b":2})";
  auto told = parse_tgi_tokenize(context_, request);
  EXPECT_EQ(told->unknown_fields, 2u);
  EXPECT_EQ(told->ready->headers.back().value, "new, (another)");
  const auto tokenizer = make_test_tokenizer();
  const auto added = token_spans(*tokenizer, "a", {kTestImStart, 'a'});
  EXPECT_EQ(added[0].stop, 0u) << "a token that was added stands nowhere";
  EXPECT_EQ(added[1].stop, 1u);
  const auto normalised = token_spans(*tokenizer, "Xb", {'x', 'b'});
  EXPECT_EQ(normalised[0].text, "X");
  EXPECT_EQ(normalised[1].text, "b");
}

TEST_F(TgiTest, AChatIsShownAsItsTemplateWritesIt) {
  http::Request request;
  request.body = R"({"messages":[{"role":"user","content":"q"}],"max_tokens":3})";
  auto call = parse_tgi_chat_tokenize(context_, request);
  ASSERT_TRUE(call.is_ok()) << call.error().message;
  const Json body = *parse_json(call->ready->body);
  const std::string text = "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n";
  EXPECT_EQ(body.find("templated_text")->as_string(), text);
  const Json& tokens = *body.find("tokenize_response");
  EXPECT_EQ(tokens.items().front().find("id")->as_int(), kTestImStart);
  EXPECT_EQ(tokens.items().back().find("stop")->as_uint(), text.size());
  request.body = R"({"messages":[]})";
  EXPECT_EQ(render_tgi_error(parse_tgi_chat_tokenize(context_, request).error(), request).status,
            422);
  request.body = "{}";
  EXPECT_TRUE(refusal_of(parse_tgi_chat_tokenize(context_, request)).starts_with("422 Failed"));
}

}  // namespace
}  // namespace quire
