// Each documented parameter of chat and text completions, OpenAI's and vLLM's, tried: it acts (a
// call or its answer differs), or it is accepted because it can change no answer, or it is refused
// by name. What is found is the protocol's table in docs/compatibility.md.
#include <gtest/gtest.h>

#include <regex>

#include "base/json.h"
#include "serve/dialects/openai/chat.h"
#include "serve/dialects/openai/completions/completions.h"
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

const Try kBoth[] = {
    {"frequency_penalty", "acts", R"("frequency_penalty":1)", "-2 to 2"},
    {"presence_penalty", "acts", R"("presence_penalty":1)", "-2 to 2"},
    {"logit_bias", "acts", R"("logit_bias":{"1":5})", "at most 1024 tokens, -100 to 100"},
    {"n", "acts", R"("n":2)", "1 to 128; greedy choices are equal"},
    {"seed", "acts", R"("seed":5)", "the same answer for the same seed, whatever else runs"},
    {"stop", "acts", R"("stop":["x"])", "at most 16 strings"},
    {"stream", "acts", R"("stream":true)", ""},
    {"stream_options.include_usage", "acts",
     R"("stream":true,"stream_options":{"include_usage":true})", "`continuous_usage_stats` too"},
    {"temperature", "acts", R"("temperature":0.5)", "0 to 2"},
    {"top_p", "acts", R"("top_p":0.5)", "0 to 1"},
    {"service_tier", "acts", R"("service_tier":"flex")",
     "flex waits for everybody else; the others are the default, which the answer says"},
    {"user", "accepted", R"("user":"me")", ""},
    {"safety_identifier", "accepted", R"("safety_identifier":"x")", ""},
    {"prompt_cache_key", "accepted", R"("prompt_cache_key":"x")",
     "one process has one cache, whose prefixes are found without a hint"},
    {"metadata", "accepted", R"("metadata":{"a":"b"})", ""},
    {"top_k", "acts", R"("top_k":3)", "0 and -1: off"},
    {"min_p", "acts", R"("min_p":0.1)", ""},
    {"repetition_penalty", "acts", R"("repetition_penalty":1.5)", ""},
    {"stop_token_ids", "acts", R"("stop_token_ids":[7])", ""},
    {"include_stop_str_in_output", "acts", R"("include_stop_str_in_output":true)", ""},
    {"ignore_eos", "acts", R"("ignore_eos":true)", ""},
    {"min_tokens", "acts", R"("min_tokens":2)", ""},
    {"skip_special_tokens", "acts", R"("skip_special_tokens":false)", ""},
    {"allowed_token_ids", "acts", R"("allowed_token_ids":[1,2])", ""},
    {"bad_words", "acts", R"("bad_words":["x"])", "with and without a blank before them"},
    {"repetition_detection", "acts",
     R"("repetition_detection":{"max_pattern_size":4,"min_count":3})",
     "`finish_reason` is `repetition`"},
    {"truncate_prompt_tokens", "acts", R"("truncate_prompt_tokens":1)", "-1: to what fits"},
    {"truncation_side", "acts", R"("truncate_prompt_tokens":1,"truncation_side":"right")",
     "which end goes: left, unless said"},
    {"prompt_logprobs", "acts", R"("prompt_logprobs":1)", "at most 20"},
    {"priority", "acts", R"("priority":3)", "within the client's own requests"},
    {"cache_salt", "acts", R"("cache_salt":"x")", ""},
    {"request_id", "acts", R"("request_id":"x1")", ""},
    {"return_token_ids", "acts", R"("return_token_ids":true)", ""},
    {"stream_interval", "acts", R"("stream":true,"stream_interval":2)", ""},
    {"session_id", "accepted", R"("session_id":"x")", ""},
    {"use_beam_search", "refused", R"("use_beam_search":true)", ""},
    {"length_penalty", "refused", R"("length_penalty":2.0)", "of beams"},
    {"logits_processors", "refused", R"("logits_processors":["x"])", ""},
    {"logprob_token_ids", "acts", R"("logprobs":1,"logprob_token_ids":[121,120])",
     "1 to 128 tokens, with `logprobs`: in place of the likeliest, behind the one that was drawn"},
    {"response_format", "acts", R"("response_format":{"type":"json_object"})",
     "text, json_object, json_schema, regex, grammar ([what is accepted](constrained.md))"},
    {"structured_outputs", "acts", R"("structured_outputs":{"json":{}})",
     "json, json_object, regex, choice, grammar"},
    {"guided_json", "acts", R"("guided_json":{})", "and the other `guided_*`"},
    {"guided_decoding_backend", "accepted", R"("guided_decoding_backend":"auto")", "there is one"},
    {"grammar", "acts", R"("grammar":"root ::= \"a\"")", "GBNF, Lark, or TGI's object"},
    {"json_schema", "acts", R"("json_schema":{})", "llama.cpp's"},
    {"structural_tag", "acts",
     R"("structural_tag":{"format":{"type":"const_string","value":"x"}})",
     "and in `response_format` and `structured_outputs`"},
    {"kv_transfer_params", "refused", R"("kv_transfer_params":{"x":1})", ""},
    {"vllm_xargs", "refused", R"("vllm_xargs":{"x":1})", ""},
    {"any other field", "refused", R"("no_such_field":1)",
     "named; with `--unknown-fields warn` a warning in the answer"},
};

const Try kChat[] = {
    {"logprobs, top_logprobs", "acts", R"("logprobs":true,"top_logprobs":2)", "at most 20"},
    {"max_completion_tokens, max_tokens", "acts", R"("max_completion_tokens":3)",
     "what does not fit beside the prompt is refused"},
    {"continue_final_message", "acts",
     R"("continue_final_message":true,"add_generation_prompt":false)", ""},
    {"add_generation_prompt", "acts", R"("add_generation_prompt":false)", ""},
    {"add_special_tokens", "accepted", R"("add_special_tokens":false)",
     "acts where the vocabulary adds any"},
    {"prediction", "accepted", R"("prediction":{"type":"content","content":"x"})",
     "a hint: it changes no answer"},
    {"store", "accepted", R"("store":false)", ""},
    {"tools", "acts", R"("tools":[{"type":"function","function":{"name":"f"}}])",
     "functions; other kinds are refused by name ([tools](tools.md))"},
    {"tool_choice", "acts",
     R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required")",
     "auto, none, required, a function, allowed_tools; TGI's: a name alone, a function without "
     "its type"},
    {"tool_prompt", "acts",
     R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_prompt":"Use it.")",
     "TGI's: said behind the last message, where tools may be called"},
    {"parallel_tool_calls", "accepted", R"("parallel_tool_calls":false)",
     "acts where there are tools: one call at most"},
    {"functions, function_call", "acts", R"("functions":[{"name":"f"}],"function_call":"auto")",
     "the answer has a `function_call`"},
    {"reasoning_effort", "acts", R"("reasoning_effort":"high")",
     "where the chat template has a switch for it; else a warning in the answer"},
    {"thinking_token_budget", "acts", R"("thinking_token_budget":5)",
     "of models that think: a longer thought is closed with the family's phrase; -1: no bound"},
    {"include_reasoning", "accepted", R"("include_reasoning":false)",
     "acts where the model thinks: `reasoning` and `reasoning_content` are left out"},
    {"documents", "refused", R"("documents":[{"text":"x"}])",
     "acts where the chat template reads them"},
    {"chat_template_kwargs", "acts", R"("chat_template_kwargs":{"enable_thinking":true})",
     "booleans, numbers and words that the chat template reads"},
    {"chat_template", "refused", R"("chat_template":"x")", "templates of clients are not run"},
    {"verbosity", "refused", R"("verbosity":"low")", ""},
    {"modalities", "refused", R"("modalities":["audio"])", ""},
    {"audio", "refused", R"("audio":{})", ""},
    {"web_search_options", "refused", R"("web_search_options":{})", ""},
};

const Try kCompletions[] = {
    {"thinking_token_budget", "refused", R"("thinking_token_budget":5)", "of chats"},
    {"max_tokens", "acts", R"("max_tokens":3)", "16, unless said; 0 scores the prompt"},
    {"best_of", "acts", R"("best_of":3)", "the likeliest a token; not with `stream`"},
    {"echo", "acts", R"("echo":true)", ""},
    {"logprobs", "acts", R"("logprobs":2)", "at most 20"},
    {"suffix", "refused", R"("suffix":"x")",
     "acts where the vocabulary has tokens to fill in the middle with"},
    {"prompt_embeds", "refused", R"("prompt_embeds":"x")", ""},
};

constexpr const char* kTemplate =
    "{% if tools %}<tool_call>{{ tools | tojson }}{% endif %}{{ reasoning_effort or '' }}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking %}<think>{% endif %}{% endif %}";

class OpenAiCompatibilityTest : public ::testing::Test {
 protected:
  OpenAiCompatibilityTest()
      : host_(make_test_host({.chat_template = kTemplate}, std::make_shared<StepGate>())) {
    context_.models.host = host_.get();
  }

  Parsed<Call> parse(bool is_chat, const std::string& fields) {
    http::Request request;
    const std::string rest = fields.empty() ? "" : "," + fields;
    if (!is_chat) {
      request.body = R"({"model":"m","prompt":"abc")" + rest + "}";
      return parse_openai_completion(context_, request);
    }
    const bool is_open = fields.find("continue_final_message") != std::string::npos;
    request.body = R"({"model":"m","messages":[{"role":"user","content":"q"})" +
                   std::string(is_open ? R"(,{"role":"assistant","content":"a"})" : "") + "]" +
                   rest + "}";
    return parse_openai_chat(context_, request);
  }

  // Everything of a call by which its answer could differ, and the answer to some tokens.
  static std::string shown(Call& call, bool shows_seed) {
    const Request& request = call.requests.at(0);
    const SamplingParams& p = request.params;
    std::string out = fmt::format(
        "{} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}", fmt::join(request.prompt, ","),
        p.temperature, p.top_k, p.top_p, p.min_p, p.repetition_penalty, p.presence_penalty,
        p.frequency_penalty, p.logit_bias.size(), p.allowed.size(), p.bad_sequences.size(),
        p.repetition.pattern_max, p.tokens_max, p.tokens_min, p.stop_ids.size(),
        p.stop_strings.size(), p.ignore_eos, p.include_stop, p.skip_special_tokens);
    out += fmt::format(" {} {} {} {} {} {} {}\n", request.n, request.priority, request.cache_salt,
                       call.is_stream, p.logprobs, p.prompt_logprobs, p.logprob_ids.size());
    if (call.grammar) out += call.grammar->source.text + "\n";
    if (call.frame && call.frame(0, nullptr) != nullptr) out += "a thought with a budget\n";
    if (shows_seed) out += fmt::format("seed {}\n", p.seed);
    for (int i = 0; i < 3; ++i) {
      TokenEvent event;
      event.text = "x";
      event.accepted = {'x'};
      event.scores = {{.token = 'x', .logprob = -1, .rank = 1, .top = {{'y', -2.0f}}}};
      if (i == 2) event.finish = FinishReason::kLength;
      call.writer->take(0, event, out);
    }
    call.writer->finish(out);
    out = std::regex_replace(out, std::regex(R"((cmpl-)[0-9a-f]{24})"), "$1");
    return std::regex_replace(out, std::regex(R"("created":\d+)"), "");
  }

  CompatibilityRow row(bool is_chat, const Try& it) {
    const std::string name(it.parameter);
    const bool is_stream = std::string(it.field).find(R"("stream":true)") != std::string::npos &&
                           name != "stream";
    auto without = parse(is_chat, is_stream ? R"("stream":true)"
                         : name == "truncation_side" ? R"("truncate_prompt_tokens":1)" : "");
    // vLLM's field beside the `logprobs` of either endpoint.
    const bool is_named = name == "logprob_token_ids";
    const std::string logprobs = is_chat ? R"("logprobs":true)" : R"("logprobs":1)";
    const std::string field =
        is_named ? std::regex_replace(it.field, std::regex(R"("logprobs":1)"), logprobs) : it.field;
    if (is_named) without = parse(is_chat, logprobs);
    auto with = parse(is_chat, field);
    std::string found = "refused";
    if (with.is_ok()) {
      const bool is_seed = name == "seed";
      found = shown(*with, is_seed) == shown(*without, is_seed) ? "accepted" : "acts";
    } else {
      EXPECT_NE(std::string(it.field).find("\"" + with.error().param + "\""), std::string::npos)
          << with.error().message;
    }
    EXPECT_EQ(found, it.outcome) << name << (with.is_ok() ? "" : ": " + with.error().message);
    const bool is_name = name != "any other field";
    return {is_name ? "`" + std::regex_replace(name, std::regex(", "), "`, `") + "`" : name, found,
            it.how};
  }

  void settle(bool is_chat, std::string_view table, std::span<const Try> own) {
    std::vector<CompatibilityRow> rows;
    for (const Try& it : own) rows.push_back(row(is_chat, it));
    for (const Try& it : kBoth) rows.push_back(row(is_chat, it));
    const char* page = QUIRE_SOURCE_DIR "/docs/compatibility.md";
    EXPECT_EQ(settle_compatibility_page(page, table, rows), "");
  }

  std::unique_ptr<ModelHost> host_;
  DialectContext context_;
};

TEST_F(OpenAiCompatibilityTest, ThePageSaysWhatEachParameterOfAChatDoes) {
  settle(true, "openai-chat", kChat);
}

TEST_F(OpenAiCompatibilityTest, ThePageSaysWhatEachParameterOfACompletionDoes) {
  settle(false, "openai-completions", kCompletions);
}

}  // namespace
}  // namespace quire
