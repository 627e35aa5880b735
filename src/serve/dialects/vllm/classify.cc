#include "serve/dialects/vllm/classify.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/dialects/vllm/pair_scores.h"
#include "serve/intake/generation.h"

namespace quire {
namespace {

class ClassifyAnswer : public PooledAnswer {
 public:
  ClassifyAnswer(const ModelLease& model, std::size_t inputs, bool is_activated,
                 std::vector<std::string> ignored)
      : PooledAnswer(model, inputs, "classify-", std::move(ignored)),
        is_activated_(is_activated) {}

  void finish(std::string& out) override {
    std::string list = "[";
    for (std::size_t i = 0; i < vectors_.count(); ++i) {
      std::vector<float>& scores = vectors_[i];
      const auto best = static_cast<std::size_t>(
          std::max_element(scores.begin(), scores.end()) - scores.begin());
      if (is_activated_) make_probabilities(info_, scores);
      list += fmt::format(R"({}{{"index":{},"label":)", i > 0 ? "," : "", i);
      append_json_string(label(best), list);
      list += R"(,"probs":)";
      append_vector(scores, {}, list);
      list += fmt::format(R"(,"num_classes":{}}})", scores.size());
    }
    append_body(head("list"), "data", list + "]", out);
  }

 private:
  std::string label(std::size_t index) const {
    const std::vector<std::string>& names = info_.words.labels;
    return index < names.size() ? names[index] : fmt::format("LABEL_{}", index);
  }

  const bool is_activated_;
};

}  // namespace

Parsed<Call> parse_vllm_classify(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const PooledTexts texts = read_pooled_texts(fields, context, Skill::kClassify);
  const bool is_activated = read_activation(fields);
  std::vector<std::string> ignored;
  auto call = read_pooled_call(fields, context, texts, "", ignored);
  if (!call.is_ok()) return call.error();
  call->writer = std::make_unique<ClassifyAnswer>(texts.model, call->requests.size(), is_activated,
                                                  std::move(ignored));
  return call;
}

}  // namespace quire
