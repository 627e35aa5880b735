#include "serve/dialects/vllm/score.h"

#include <fmt/format.h>

#include "serve/dialects/vllm/pair_scores.h"
#include "serve/intake/generation.h"

namespace quire {
namespace {

class ScoreAnswer : public PooledAnswer {
 public:
  ScoreAnswer(const PairedCall& paired, bool is_activated, std::vector<std::string> ignored)
      : PooledAnswer(paired.call.model, paired.call.requests.size(), "score-", std::move(ignored)),
        pairs_(paired.pairs),
        is_activated_(is_activated) {}

  void finish(std::string& out) override {
    const std::vector<float> scores = scores_of(info_, vectors_, pairs_, is_activated_);
    std::string list = "[";
    for (std::size_t i = 0; i < scores.size(); ++i) {
      list += fmt::format(R"({}{{"index":{},"object":"score","score":{}}})", i > 0 ? "," : "", i,
                          scores[i]);
    }
    append_body(head("list"), "data", list + "]", out);
  }

 private:
  const std::vector<PairedCall::Pair> pairs_;
  const bool is_activated_;
};

struct Names {
  const char* first;
  const char* second;
};
constexpr Names kNames[] = {{"text_1", "text_2"}, {"queries", "documents"}, {"queries", "items"},
                            {"data_1", "data_2"}};

// The pair of names that the client uses; the first where it uses none.
Names names_of(const Fields& fields) {
  for (const Names& names : kNames) {
    if (fields.has(names.second)) return names;
  }
  for (const Names& names : kNames) {
    if (fields.has(names.first)) return names;
  }
  return kNames[0];
}

}  // namespace

Parsed<Call> parse_vllm_score(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const PooledTexts texts = read_pooled_texts(fields, context, Skill::kScore);
  const Names names = names_of(fields);
  const NamedTexts firsts = read_texts(fields, names.first);
  const NamedTexts seconds = read_texts(fields, names.second);
  const bool is_activated = read_activation(fields);
  std::vector<std::string> ignored;
  refuse_unknown(fields, context.unknown_fields_warn, ignored);
  if (fields.error()) return *fields.error();
  auto paired = pair_up(context, texts, firsts, seconds);
  if (!paired.is_ok()) return paired.error();
  paired->call.unknown_fields = ignored.size();
  paired->call.writer = std::make_unique<ScoreAnswer>(*paired, is_activated, std::move(ignored));
  return std::move(paired->call);
}

}  // namespace quire
