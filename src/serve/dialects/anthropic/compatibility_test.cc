// Each documented parameter of the Messages API, tried: it acts (a call or its answer differs), or
// it can change no answer, or it is named in a warning, or refused by name. What is found is the
// protocol's table in docs/compatibility.md.
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/dialects/anthropic/messages.h"
#include "serve/testing/compatibility_page.h"
#include "serve/testing/test_model.h"

namespace quire {
namespace {

constexpr const char* kTemplate =
    "{% if tools is defined %}<tool_call>{{ tools | tojson }}{% endif %}"
    "{% if enable_thinking is defined and enable_thinking %}<think>{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.reasoning_content is defined %}({{ m.reasoning_content }}){% endif %}{{ m.content }}"
    "{% for c in m.tool_calls or [] %}!{{ c.function.name }}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

constexpr const char* kTools = R"("tools":[{"name":"f","input_schema":{"type":"object"}}])";

enum class Claim { kActs, kAccepted, kWarned, kRefused };

struct Try {
  const char* parameter;  // as the page names it
  Claim claim;
  std::string fields;     // of a request beside model, max_tokens and messages
  const char* named;      // in the warning or the refusal
  const char* how;
};

const Try kTries[] = {
    {"`system` (string, text blocks)", Claim::kActs, R"("system":"s")", "", "the system message"},
    {"`stop_sequences`", Claim::kActs, R"("stop_sequences":["x"])", "",
     "at most 64; the text ends before them, `stop_sequence` names the one"},
    {"`temperature`", Claim::kActs, R"("temperature":0.1)", "", "0 to 2"},
    {"`top_k`", Claim::kActs, R"("top_k":3)", "", ""},
    {"`top_p`", Claim::kActs, R"("top_p":0.5)", "", ""},
    {"`stream`", Claim::kActs, R"("stream":true)", "", "the service's events, in its order"},
    {"`max_tokens` beyond the context", Claim::kActs, R"("max_tokens":100000)", "",
     "as many as fit; then `stop_reason` is `model_context_window_exceeded`"},
    {"`tools` (client tools)", Claim::kActs, kTools, "",
     "through the template; where it reads none, in words, which is warned of"},
    {"`tools` of the service (`web_search_...`)", Claim::kWarned,
     R"("tools":[{"type":"web_search_20250305","name":"web_search"}])", "tools.0", "left out"},
    {"`tools.*.defer_loading`, `input_examples`", Claim::kWarned,
     R"("tools":[{"name":"f","input_schema":{},"defer_loading":true}])", "tools.0.defer_loading",
     ""},
    {"`tool_choice` auto, none", Claim::kAccepted,
     R"("tool_choice":{"type":"auto","disable_parallel_tool_use":true})", "",
     "none: the template is not told of the tools; `disable_parallel_tool_use`: one call at most"},
    {"`tool_choice` any, tool", Claim::kActs,
     std::string(kTools) + R"(,"tool_choice":{"type":"any"})", "", ""},
    {"`thinking` adaptive, between_tools, disabled", Claim::kActs,
     R"("thinking":{"type":"adaptive"})", "",
     "the switch of templates that have one, warned where there is none"},
    {"`thinking.budget_tokens`", Claim::kActs,
     R"("max_tokens":2000,"thinking":{"type":"enabled","budget_tokens":1024})", "",
     "a longer thought is closed with the family's phrase"},
    {"`cache_control` (top level, blocks, tools)", Claim::kAccepted,
     R"("cache_control":{"type":"ephemeral"})", "",
     "models with states keep one there; others keep every block anyhow"},
    {"`metadata.user_id`", Claim::kAccepted, R"("metadata":{"user_id":"u"})", "", ""},
    {"`service_tier` auto, standard_only", Claim::kAccepted, R"("service_tier":"auto")", "", ""},
    {"`output_config.effort`", Claim::kWarned, R"("output_config":{"effort":"low"})",
     "output_config.effort", ""},
    {"`output_config.format`", Claim::kActs,
     R"("output_config":{"format":{"type":"json_schema","schema":{}}})", "",
     "[what is accepted](constrained.md)"},
    {"`output_format`", Claim::kActs, R"("output_format":{"type":"json_schema","schema":{}})", "",
     "its name before"},
    {"`container`", Claim::kWarned, R"("container":"c")", "container", ""},
    {"`context_management`", Claim::kWarned, R"("context_management":{"edits":[]})",
     "context_management", ""},
    {"`diagnostics`", Claim::kWarned, R"("diagnostics":{"previous_message_id":null})",
     "diagnostics", "`/debug/requests/{id}` says where a prompt leaves the earlier one"},
    {"`speed` standard", Claim::kAccepted, R"("speed":"standard")", "", ""},
    {"`speed` fast", Claim::kWarned, R"("speed":"fast")", "speed", ""},
    {"`inference_geo`", Claim::kWarned, R"("inference_geo":"eu")", "inference_geo", ""},
    {"`mcp_servers`", Claim::kWarned, R"("mcp_servers":[{"name":"x"}])", "mcp_servers", ""},
    {"any other field", Claim::kWarned, R"("no_such_field":1)", "no_such_field",
     "whatever `--unknown-fields` says"},
};

// Blocks and turns.
const Try kContents[] = {
    {"`text`", Claim::kActs, R"({"role":"user","content":[{"type":"text","text":"x"}]})", "",
     "several are joined by line ends"},
    {"`thinking`", Claim::kActs,
     R"({"role":"assistant","content":[{"type":"thinking","thinking":"x"},)"
     R"({"type":"text","text":"y"}]})", "",
     "`reasoning_content` of the template; any signature is taken"},
    {"`redacted_thinking`", Claim::kAccepted,
     R"({"role":"assistant","content":[{"type":"redacted_thinking","data":"x"}]},)"
     R"({"role":"user","content":"?"})", "", "nobody here can read it"},
    {"`tool_use`, `tool_result`", Claim::kActs,
     R"({"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]},)"
     R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"r"}]})", "",
     "through the template; as text, with a warning, where it has no place for them"},
    {"`image`", Claim::kRefused, R"({"role":"user","content":[{"type":"image","source":{}}]})",
     "messages.1.content.0", "this server reads text"},
    {"`document`", Claim::kRefused,
     R"({"role":"user","content":[{"type":"document","source":{}}]})", "messages.1.content.0",
     "this server reads text"},
    {"`search_result`, other blocks of the service", Claim::kWarned,
     R"({"role":"user","content":[{"type":"search_result","source":"s","title":"t","content":)"
     R"([{"type":"text","text":"w"}]}]})", "search_result", "only their text is read"},
    {"a last `assistant` turn", Claim::kActs, R"({"role":"assistant","content":"x"})", "",
     "is gone on with; the answer has only what follows"},
    {"`system` turns", Claim::kActs, R"({"role":"system","content":"x"})", "",
     "as such where the template takes them there, else as a user's words"},
};

class AnthropicCompatibilityTest : public ::testing::Test {
 protected:
  AnthropicCompatibilityTest()
      : host_(make_test_host({.chat_template = kTemplate}, std::make_shared<StepGate>())) {
    context_.models.host = host_.get();
  }

  Parsed<Call> parse(const std::string& fields, const std::string& more_turns) {
    http::Request request;
    const std::string tokens_max =
        fields.find("max_tokens") == std::string::npos ? R"("max_tokens":8,)" : "";
    const auto behind_comma = [](const std::string& text) {
      return text.empty() ? "" : "," + text;
    };
    request.body = R"({"model":"m",)" + tokens_max +
                   R"("messages":[{"role":"user","content":"q"})" + behind_comma(more_turns) + "]" +
                   behind_comma(fields) + "}";
    return parse_anthropic_message(context_, request);
  }

  static bool is_same(const Call& a, const Call& b) {
    const SamplingParams &p = a.requests[0].params, &q = b.requests[0].params;
    return a.requests[0].prompt == b.requests[0].prompt && p.temperature == q.temperature &&
           p.top_k == q.top_k && p.top_p == q.top_p && p.stop_strings == q.stop_strings &&
           p.tokens_max == q.tokens_max && a.is_stream == b.is_stream &&
           a.grammar.has_value() == b.grammar.has_value();
  }

  static bool warns_of(Call& call, const std::string& param) {
    std::string out;
    call.writer->finish(out);
    return out.find("\"param\":" + dump(Json(param))) != std::string::npos;
  }

  // What was found, which must be what is claimed.
  CompatibilityRow row(const Try& it, bool is_content) {
    auto without = parse("", "");
    auto with = is_content ? parse("", it.fields) : parse(it.fields, "");
    std::string found = "refused";
    if (with.is_ok()) {
      const bool is_warned = *it.named != '\0' && warns_of(*with, it.named);
      found = is_warned ? "warned" : is_same(*with, *without) ? "accepted" : "acts";
    } else {
      EXPECT_TRUE(with.error().param.starts_with(it.named)) << with.error().message;
    }
    constexpr const char* kWords[] = {"acts", "accepted", "warned", "refused"};
    // What is no part of the answer's making differs in the prompt alone.
    const bool is_turn = is_content && it.claim == Claim::kAccepted && found == "acts";
    if (is_turn) found = "accepted";
    EXPECT_EQ(found, kWords[static_cast<std::size_t>(it.claim)])
        << it.parameter << (with.is_ok() ? "" : ": " + with.error().message);
    return {it.parameter, found, it.how};
  }

  std::unique_ptr<ModelHost> host_;
  DialectContext context_;
};

TEST_F(AnthropicCompatibilityTest, ThePageSaysWhatEachParameterDoes) {
  std::vector<CompatibilityRow> rows = {
      {"`model`, `messages`, `max_tokens`", "acts",
       "required; `max_tokens` 0 computes the prompt, and no more"}};
  for (const Try& it : kTries) rows.push_back(row(it, false));
  for (const Try& it : kContents) rows.push_back(row(it, true));
  const char* page = QUIRE_SOURCE_DIR "/docs/compatibility.md";
  EXPECT_EQ(settle_compatibility_page(page, "anthropic", rows), "");
}

}  // namespace
}  // namespace quire
