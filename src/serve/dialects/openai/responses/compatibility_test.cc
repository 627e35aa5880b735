// Each documented parameter of the Responses API that needs no store, tried: it acts, or can change
// no answer, or is named in a warning, or is refused by name; the table of docs/compatibility.md.
// What the store is for is in responses_test.
#include <gtest/gtest.h>

#include <regex>

#include "base/json.h"
#include "serve/dialects/openai/responses/endpoints.h"
#include "serve/testing/compatibility_page.h"
#include "serve/testing/test_model.h"

namespace quire {
namespace {

struct Try {
  const char* parameter;
  const char* outcome;
  const char* field;  // the member, "name":value
  const char* how;
};

const Try kAll[] = {
    {"instructions", "acts", R"("instructions":"Be brief.")", "a system message before the rest"},
    {"max_output_tokens", "acts", R"("max_output_tokens":5)",
     "an upper bound, cut to the room that there is"},
    {"temperature", "acts", R"("temperature":0.5)", "0 to 2"},
    {"top_p", "acts", R"("top_p":0.5)", "0 to 1"},
    {"top_logprobs", "acts", R"("top_logprobs":2)", "at most 20"},
    {"include: message.output_text.logprobs", "acts",
     R"("include":["message.output_text.logprobs"])", ""},
    {"include: reasoning.encrypted_content", "accepted",
     R"("include":["reasoning.encrypted_content"])", "acts where a model thinks"},
    {"include: web_search_call.results", "accepted", R"("include":["web_search_call.results"])",
     "and those of other tools that are not here"},
    {"stream", "acts", R"("stream":true)", ""},
    {"stream_options.include_obfuscation", "accepted",
     R"("stream":true,"stream_options":{"include_obfuscation":false})", "there is none"},
    {"truncation", "accepted", R"("truncation":"auto")",
     "acts where the input does not fit, and says so"},
    {"tools", "acts", R"("tools":[{"type":"function","name":"f","parameters":{}}])",
     "functions; where the chat template reads no tools the model is told in words, and the "
     "answer warns of it"},
    {"tools of other types", "warned", R"("tools":[{"type":"web_search"}])", "left out"},
    {"tool_choice", "acts",
     R"("tools":[{"type":"function","name":"f"}],"tool_choice":"required")",
     "auto, none, required, a function, allowed_tools; other kinds are refused"},
    {"parallel_tool_calls", "accepted", R"("parallel_tool_calls":false)",
     "acts where there are tools: one call at most"},
    {"max_tool_calls", "accepted", R"("max_tool_calls":3)", "of tools that the server would run"},
    {"text.format", "acts", R"("text":{"format":{"type":"json_object"}})",
     "text, json_object, json_schema ([what is accepted](constrained.md))"},
    {"text.verbosity", "warned", R"("text":{"verbosity":"low"})", ""},
    {"reasoning.effort", "acts", R"("reasoning":{"effort":"low"})",
     "where the chat template has a switch for it; else warned of"},
    {"reasoning.summary", "warned", R"("reasoning":{"summary":"auto"})",
     "thoughts are shown as they are"},
    {"metadata", "accepted", R"("metadata":{"a":"b"})", "kept and shown"},
    {"user", "accepted", R"("user":"me")", ""},
    {"safety_identifier", "accepted", R"("safety_identifier":"x")", ""},
    {"prompt_cache_key", "accepted", R"("prompt_cache_key":"x")",
     "one process has one cache, whose prefixes are found without a hint"},
    {"service_tier", "acts", R"("service_tier":"flex")", "flex waits for everybody else"},
    {"prompt", "refused", R"("prompt":{"id":"p"})", ""},
    {"context_management", "refused", R"("context_management":[{"type":"compaction"}])", ""},
    {"moderation", "refused", R"("moderation":{"model":"m"})", ""},
    {"n", "refused", R"("n":2)", ""},
    {"any other field", "refused", R"("no_such_field":1)",
     "named; with `--unknown-fields warn` a warning in the answer"},
};

constexpr const char* kTemplate =
    "{% if tools %}<tool_call>{{ tools | tojson }}{% endif %}{{ reasoning_effort or '' }}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

class ResponsesCompatibilityTest : public ::testing::Test {
 protected:
  ResponsesCompatibilityTest()
      : host_(make_test_host({.chat_template = kTemplate}, std::make_shared<StepGate>())) {
    context_.models.host = host_.get();
  }

  Parsed<Call> parse(const std::string& fields) {
    http::Request request;
    request.body = R"({"model":"m","store":false,"input":"q")" +
                   (fields.empty() ? "" : "," + fields) + "}";
    return parse_create_response(context_, request);
  }

  // Everything by which an answer could differ, but for what it repeats of its request.
  static std::string shown(Call& call) {
    const Request& request = call.requests.at(0);
    const SamplingParams& p = request.params;
    std::string out;
    for (const TokenId token : request.prompt) out += std::to_string(token) + ",";
    out += fmt::format(" {} {} {} {} {} {}\n", p.temperature, p.top_p, p.tokens_max, p.logprobs,
                       request.priority, call.is_stream);
    if (call.grammar) out += call.grammar->source.text;
    std::string said;
    TokenEvent event;
    event.text = "x";
    event.accepted = {'x'};
    event.scores = {{.token = 'x', .logprob = -1, .rank = 1, .top = {{'y', -2.0f}}}};
    event.finish = FinishReason::kStop;
    call.writer->take(0, event, said);
    if (const auto work = call.writer->closing()) work();
    call.writer->finish(said);
    const Result<Json> body = parse_json(said);
    if (!body.is_ok()) return out + "a stream";
    for (const char* name : {"output", "usage", "status", "warnings"}) {
      const Json* value = body->find(name);
      out += value != nullptr ? std::string(name) + dump(*value) + "\n" : "";
    }
    return std::regex_replace(out, std::regex(R"(msg_[0-9a-f]{24})"), "msg");
  }

  std::string outcome_of(const Try& it) {
    const bool is_stream = std::string(it.field).starts_with(R"("stream":true,)");
    auto without = parse(is_stream ? R"("stream":true)" : "");
    auto with = parse(it.field);
    if (!with.is_ok()) {
      const std::string param = with.error().param.substr(0, with.error().param.find('.'));
      EXPECT_NE(std::string(it.field).find("\"" + param + "\""), std::string::npos)
          << with.error().message;
      return "refused";
    }
    const std::string answer = shown(*with);
    if (answer.find("warnings") != std::string::npos) return "warned";
    return answer == shown(*without) ? "accepted" : "acts";
  }

  std::unique_ptr<ModelHost> host_;
  DialectContext context_;
};

TEST_F(ResponsesCompatibilityTest, ThePageSaysWhatEachParameterDoes) {
  std::vector<CompatibilityRow> rows;
  for (const Try& it : kAll) {
    const std::string found = outcome_of(it);
    EXPECT_EQ(found, it.outcome) << it.parameter;
    const bool is_name = std::string(it.parameter) != "any other field";
    rows.push_back({is_name ? "`" + std::string(it.parameter) + "`" : it.parameter, found, it.how});
  }
  const char* page = QUIRE_SOURCE_DIR "/docs/compatibility.md";
  EXPECT_EQ(settle_compatibility_page(page, "openai-responses", rows), "");
}

}  // namespace
}  // namespace quire
