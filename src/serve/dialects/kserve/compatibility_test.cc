// Each parameter that clients of the Open Inference Protocol and of Triton's LLM backends send,
// tried over generate and infer against a server with a scripted model: it acts, or can change no
// answer, or is refused by name; the table of docs/compatibility.md.
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/testing/compatibility_page.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

struct KserveTry {
  const char* parameter;
  const char* outcome;
  const char* members;  // of generate's object beside text_input, max_tokens and seed
  const char* how;
  const char* named = nullptr;  // in a refusal; null: the parameter
  bool is_unseen = false;       // it acts, but not on what the scripted model draws
};

const KserveTry kTries[] = {
    {"max_tokens", "acts", R"("max_tokens":2)", "20 where nothing is said"},
    {"temperature", "acts", R"("temperature":0)", "0 to 2", nullptr, true},
    {"top_k", "acts", R"("top_k":3)", "", nullptr, true},
    {"top_p", "acts", R"("top_p":0.5)", "", nullptr, true},
    {"min_p", "acts", R"("min_p":0.5)", "", nullptr, true},
    {"seed, random_seed", "acts", R"("seed":null,"random_seed":99)", "any 64 bits"},
    {"repetition_penalty, presence_penalty, frequency_penalty", "acts",
     R"("presence_penalty":1.0)", "", nullptr, true},
    {"min_tokens, min_length", "acts", R"("min_length":1)", "", nullptr, true},
    {"stop, stop_words", "acts", R"("stop_words":["a","b","c","d","e"," ","x"])",
     "at most 16; the text ends before them; empty ones are none", nullptr, true},
    {"bad_words", "acts", R"("bad_words":["zz"])", "at most 128; empty ones are none", nullptr,
     true},
    {"end_id", "acts", R"("end_id":5)", "a token that ends the text", nullptr, true},
    {"pad_id", "accepted", R"("pad_id":0)", "batches have no gaps"},
    {"sampling_parameters", "acts",
     R"("max_tokens":null,"sampling_parameters":"{\"max_tokens\":\"2\"}")",
     "the text of a JSON object of vLLM's fields; numbers may be strings"},
    {"stream", "refused", R"("stream":true)",
     "acts in generate_stream and ModelStreamInfer; one response has no pieces"},
    {"exclude_input_in_output", "acts", R"("exclude_input_in_output":true)",
     "a whole answer begins with its input unless it is set; a stream never does"},
    {"return_finish_reason", "acts", R"("return_finish_reason":true)", "an output `finish_reason`"},
    {"return_cumulative_logprob", "acts", R"("return_cumulative_logprob":true)",
     "an output `cumulative_logprob`"},
    {"return_logprobs", "acts", R"("return_logprobs":true)",
     "an output `logprobs`, as vLLM's JSON"},
    {"return_num_input_tokens, return_num_output_tokens", "acts",
     R"("return_num_input_tokens":true)", "outputs of those names"},
    {"details", "acts", R"("details":true)", "of generate: `finish_reason` and the tokens"},
    {"lora_weights, lora_config, embedding_bias_words, embedding_bias_weights", "refused",
     R"("lora_weights":[1.0])", "empty ones are none"},
    {"guided_decoding_guide_type, guided_decoding_guide", "refused",
     R"("guided_decoding_guide_type":"tag")", "act: json, json_schema, regex, ebnf_grammar"},
    {"num_return_sequences", "refused", R"("num_return_sequences":2)", "1 is taken"},
    {"beam_width", "refused", R"("beam_width":4)", "1 is taken"},
    {"length_penalty", "refused", R"("length_penalty":2.0)", "of beams"},
    {"return_log_probs", "refused", R"("return_log_probs":true)", "`return_logprobs` acts"},
    {"return_context_logits", "refused", R"("return_context_logits":true)",
     "`input_ids` are answered with them"},
    {"image", "refused", R"("image":"x")", "this server reads text"},
    {"lora_name", "refused", R"("lora_name":"x")", ""},
    {"priority", "acts", R"("priority":2)", "1 is the highest, and the default", nullptr, true},
    {"timeout", "acts", R"("timeout":60000000)", "microseconds, of the whole request", nullptr,
     true},
    {"sequence_id", "refused", R"("sequence_id":7)", "no model keeps a state between requests"},
    {"sequence_start, sequence_end", "refused", R"("sequence_start":true)", "", "sequence_start"},
    {"headers, triton_...", "refused", R"("triton_x":1)", "the protocol keeps them to itself",
     "triton_x"},
    {"any other parameter", "refused", R"("no_such_parameter":1)",
     "named; with `--unknown-fields warn` told in the answer", "no_such_parameter"},
};

// The object with further members, which take the place of those of their names.
std::string with_members(const std::string& base, const std::string& members) {
  Json all = *parse_json("{" + base + "}");
  const Json added = *parse_json("{" + members + "}");
  for (const auto& [name, value] : added.members()) all.set(name, value);
  return dump(all);
}

TEST(KserveCompatibility, ThePageSaysWhatEachParameterDoes) {
  TestServer server;
  const char* path = "/v2/models/m/generate";
  const std::string base = R"("text_input":"abcd","max_tokens":4,"seed":3,"temperature":1)";
  const TestResponse plain = server.client().post(path, with_members(base, ""));
  ASSERT_EQ(plain.status, 200) << plain.body;
  std::vector<CompatibilityRow> rows;
  for (const KserveTry& it : kTries) {
    const TestResponse answer = server.client().post(path, with_members(base, it.members));
    std::string found = "refused";
    if (answer.status == 200) {
      found = answer.body == plain.body ? "accepted" : "acts";
    } else {
      const std::string parameter(it.parameter);
      const std::string name = it.named != nullptr ? it.named
                                                   : parameter.substr(0, parameter.find(','));
      EXPECT_NE(answer.body.find(name), std::string::npos) << answer.body;
    }
    const bool is_hidden = it.is_unseen && found != "refused";
    EXPECT_TRUE(found == it.outcome || is_hidden) << it.parameter << " " << answer.body;
    const bool is_name = std::string_view(it.parameter).find(' ') == std::string_view::npos ||
                         std::string_view(it.parameter).find(',') != std::string_view::npos;
    std::string shown = is_name ? "`" : "";
    for (const char* c = it.parameter; *c != '\0'; ++c) {
      shown += *c == ',' ? "`," : std::string(1, *c);
      if (*c == ' ' && is_name) shown += '`';
    }
    if (is_name) shown += '`';
    rows.push_back({shown, it.outcome, it.how});
  }
  const char* page = QUIRE_SOURCE_DIR "/docs/compatibility.md";
  EXPECT_EQ(settle_compatibility_page(page, "kserve", rows), "");
}

}  // namespace
}  // namespace quire
