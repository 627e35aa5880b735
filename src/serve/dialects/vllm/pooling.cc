#include "serve/dialects/vllm/pooling.h"

#include <fmt/format.h>

#include "serve/dialects/vllm/pair_scores.h"
#include "serve/intake/generation.h"

namespace quire {
namespace {

struct PoolingOptions {
  VectorForm form;
  bool is_activated = true;  // of length one, or probabilities; else as the model gives it
};

class PoolingAnswer : public PooledAnswer {
 public:
  PoolingAnswer(const ModelLease& model, std::size_t inputs, const PoolingOptions& options,
                std::vector<std::string> ignored)
      : PooledAnswer(model, inputs, "pool-", std::move(ignored)), options_(options) {}

  void finish(std::string& out) override {
    std::string list = "[";
    for (std::size_t i = 0; i < vectors_.count(); ++i) {
      std::vector<float>& vector = vectors_[i];
      if (options_.is_activated && info_.labels > 0) make_probabilities(info_, vector);
      const bool is_short = info_.wants_length_one && !info_.is_normalised;
      if (options_.is_activated && is_short) normalise(vector);
      list += fmt::format(R"({}{{"index":{},"object":"pooling","data":)", i > 0 ? "," : "", i);
      append_vector(vector, options_.form, list);
      list += '}';
    }
    append_body(head("list"), "data", list + "]", out);
  }

 private:
  const PoolingOptions options_;
};

// "embed", "classify", "score": must be what the model does; of single tokens it tells nothing.
void read_task(Fields& fields, const PooledTexts& texts) {
  constexpr std::size_t kTaskSizeMax = 64;
  const std::string* task = fields.text("task", kTaskSizeMax);
  if (task == nullptr || texts.model == nullptr) return;
  if (task->starts_with("token_")) {
    return fields.fail(unsupported_parameter("task", "Unsupported parameter: 'task': this server "
                                                     "makes one vector of a text, none of each "
                                                     "token."));
  }
  const bool is_known = *task == "embed" || *task == "classify" || *task == "score" ||
                        *task == "encode";
  if (!is_known) {
    return fields.fail(invalid_value("task", "Invalid 'task': expected 'embed', 'classify' or "
                                             "'score', got " + shown(Json(*task)) + "."));
  }
  const Skill skill = *task == "embed"      ? Skill::kEmbed
                      : *task == "classify" ? Skill::kClassify
                      : *task == "score"    ? Skill::kScore
                                            : Skill::kPool;
  if (auto refusal = refuse_without(*texts.model, skill)) fields.fail(std::move(*refusal));
}

}  // namespace

Parsed<Call> parse_vllm_pooling(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const PooledTexts texts = read_pooled_texts(fields, context, Skill::kPool);
  read_task(fields, texts);
  PoolingOptions options = {.form = read_vector_form(fields),
                            .is_activated = read_activation(fields)};
  for (const char* name : {"normalize", "softmax"}) {
    if (const auto asked = fields.boolean(name)) options.is_activated = *asked;
  }
  if (!options.is_activated && texts.model != nullptr && texts.model->info.pooled.is_normalised) {
    fields.fail(unsupported_parameter("use_activation", "Unsupported parameter: 'use_activation': "
                                                        "this model's own last step scales "
                                                        "vectors to length one."));
  }
  std::vector<std::string> ignored;
  auto call = read_pooled_call(fields, context, texts, "", ignored);
  if (!call.is_ok()) return call.error();
  call->writer = std::make_unique<PoolingAnswer>(texts.model, call->requests.size(), options,
                                                 std::move(ignored));
  return call;
}

}  // namespace quire
