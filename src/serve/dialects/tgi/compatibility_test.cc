// Each documented parameter of TGI's generate requests, tried: it acts (a call or its answer
// differs), or it is accepted because it can change no answer, or it is named in a warning, or
// refused by name. What is found is the protocol's table in docs/compatibility.md.
#include <gtest/gtest.h>

#include <regex>

#include "base/json.h"
#include "serve/dialects/tgi/generate.h"
#include "serve/testing/compatibility_page.h"
#include "serve/testing/test_model.h"

namespace quire {
namespace {

struct Try {
  const char* parameter;
  const char* outcome;
  const char* parameters;  // members of `parameters`
  const char* how;
  const char* more = "";   // members beside it
};

const Try kTries[] = {
    {"max_new_tokens", "acts", R"("max_new_tokens":3)", "unless said: what the context leaves"},
    {"do_sample", "acts", R"("do_sample":true)",
     "without it, and without a value that draws, the likeliest token is taken"},
    {"temperature", "acts", R"("temperature":0.5)", "above 0; 1 alone draws nothing, as in TGI"},
    {"top_k", "acts", R"("top_k":3)", "at least 1"},
    {"top_p", "acts", R"("top_p":0.5)", "above 0 and below 1"},
    {"typical_p", "acts", R"("typical_p":0.5)", "above 0 and below 1; after `top_p`"},
    {"seed", "acts", R"("do_sample":true,"seed":5)",
     "the same answer for the same seed, whatever else runs; `details` tells it"},
    {"repetition_penalty", "acts", R"("repetition_penalty":1.5)", "above 0"},
    {"frequency_penalty", "acts", R"("frequency_penalty":1)",
     "-2 to 2; of what was generated, times how often"},
    {"stop", "acts", R"("stop":["x"])", "at most 4 (`--tgi-limits`); it stays in the text"},
    {"return_full_text", "acts", R"("return_full_text":false)",
     "true unless said at `POST /` and `/invocations`"},
    {"details", "acts", R"("details":true)", "log-probabilities are those of the model, before "
                                             "penalties and temperature"},
    {"decoder_input_details", "acts", R"("decoder_input_details":true)", "not in a stream"},
    {"top_n_tokens", "acts", R"("details":true,"top_n_tokens":2)", "at most 5 (`--tgi-limits`)"},
    {"best_of", "acts", R"("do_sample":true,"best_of":2)",
     "at most 2 (`--tgi-limits`); the likeliest a token, each with a seed of its own"},
    {"truncate", "acts", R"("truncate":2)", "the last so many tokens are kept"},
    {"grammar", "acts", R"("grammar":{"type":"regex","value":"a"})",
     "json, json_object, json_schema, regex; [what is accepted](constrained.md)"},
    {"watermark", "refused", R"("watermark":true)", "false is taken"},
    {"adapter_id", "refused", R"("adapter_id":"x")",
     "a request chooses none: `--adapter` and Modelfiles add them to a model"},
    {"stream", "acts", "", "at `POST /` and `/invocations`", R"("stream":true)"},
    {"model", "acts", "", "which model answers; unless said the first one. TGI has none",
     R"("model":"second")"},
    {"options", "accepted", "", "of the hosted service", R"("options":{"use_cache":false})"},
    {"any other field", "warned", R"("no_such_field":1)", "whatever `--unknown-fields` says"},
};

class TgiCompatibilityTest : public ::testing::Test {
 protected:
  TgiCompatibilityTest() : host_(make_test_host({}, std::make_shared<StepGate>())) {
    TestModelOptions second;
    second.names = {"second"};
    EXPECT_TRUE(host_->add(make_test_recipe(second, std::make_shared<StepGate>())).is_ok());
    EXPECT_TRUE(host_->load_now(1).is_ok());
    context_.models.host = host_.get();
  }

  Parsed<Call> parse(const std::string& parameters, const std::string& more) {
    http::Request request;
    request.body = R"({"inputs":"abc","parameters":{)" + parameters + "}" +
                   (more.empty() ? "" : "," + more) + "}";
    return parse_tgi_compat(context_, request);
  }

  // Everything of a call by which its answer could differ, and the answer to some tokens.
  static std::string shown(Call& call, bool shows_seed) {
    const SamplingParams& p = call.requests.at(0).params;
    std::string out = fmt::format(
        "{} {} {} {} {} {} {} {} {} {} {}\n", call.model->name(), call.requests.size(),
        call.requests[0].prompt.size(), p.temperature, p.top_k, p.top_p, p.typical_p,
        p.repetition_penalty, p.frequency_penalty, p.tokens_max, p.stop_strings.size());
    if (call.grammar) out += call.grammar->source.text + "\n";
    if (shows_seed) out += fmt::format("seed {}\n", p.seed);
    for (std::size_t i = 0; i < call.requests.size(); ++i) {
      TokenEvent event;
      event.text = "x";
      event.accepted = {'x'};
      event.scores = {{.token = 'x', .logprob = -1, .rank = 1, .top = {{'y', -2.0f}}}};
      event.finish = FinishReason::kLength;
      call.writer->take(i, event, out);
    }
    call.writer->finish(out);
    return std::regex_replace(out, std::regex(R"("seed":\d+)"), "");
  }

  CompatibilityRow row(const Try& it) {
    const std::string name = it.parameter;
    const bool is_seed = name == "seed";
    const char* base = is_seed || name == "best_of" ? R"("do_sample":true)"
                       : name == "top_n_tokens"     ? R"("details":true)"
                                                    : "";
    auto without = parse(base, "");
    auto with = parse(it.parameters, it.more);
    std::string found = "refused";
    if (with.is_ok()) {
      found = shown(*with, is_seed) == shown(*without, is_seed) ? "accepted" : "acts";
      if (with->unknown_fields > 0) found = "warned";
    } else {
      EXPECT_EQ(with.error().param, name) << with.error().message;
    }
    EXPECT_EQ(found, it.outcome) << name << (with.is_ok() ? "" : ": " + with.error().message);
    return {name == "any other field" ? name : "`" + name + "`", found, it.how};
  }

  std::unique_ptr<ModelHost> host_;
  DialectContext context_;
};

TEST_F(TgiCompatibilityTest, ThePageSaysWhatEachParameterDoes) {
  std::vector<CompatibilityRow> rows;
  for (const Try& it : kTries) rows.push_back(row(it));
  const char* page = QUIRE_SOURCE_DIR "/docs/compatibility.md";
  EXPECT_EQ(settle_compatibility_page(page, "tgi", rows), "");
}

}  // namespace
}  // namespace quire
