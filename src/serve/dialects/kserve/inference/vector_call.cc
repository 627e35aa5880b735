#include "serve/dialects/kserve/inference/vector_call.h"

#include <fmt/format.h>

#include <utility>

#include "serve/answer/vectors.h"
#include "serve/dialects/kserve/inference/model_face.h"
#include "serve/intake/pooled_prompt.h"
#include "serve/intake/skills.h"

namespace quire {
namespace {

class VectorAnswer : public AnswerWriter {
 public:
  // `has_rows`: the shape has a dimension of the batch.
  VectorAnswer(InferResponse response, const PooledInfo& info, std::size_t texts, bool has_rows,
               std::unique_ptr<InferFormat> format)
      : response_(std::move(response)), info_(info), vectors_(texts), has_rows_(has_rows),
        format_(std::move(format)) {}

  void take(std::size_t prompt, const TokenEvent& event, std::string&) override {
    if (!event.pooled.empty()) vectors_[prompt] = event.pooled;
  }

  std::string_view id() const override { return response_.id; }

  void finish(std::string& out) override {
    std::string bytes;
    for (std::vector<float>& vector : vectors_) {
      if (info_.wants_length_one && !info_.is_normalised) normalise(vector);
      for (const float value : vector) append_element(value, bytes);
    }
    const auto count = static_cast<std::int64_t>(vectors_.size());
    const auto width = static_cast<std::int64_t>(vectors_.empty() ? 0 : vectors_.front().size());
    std::vector<std::int64_t> shape = {width};
    if (has_rows_) shape.insert(shape.begin(), count);
    response_.outputs.push_back({"embedding", TensorType::kFp32, std::move(shape),
                                 std::move(bytes)});
    format_->append(response_, true, out);
  }

  void fail(const ApiError& error, std::string& out) override { format_->append_error(error, out); }

  void complete_head(const CallTimes& times, http::Response& head) override {
    note_times(times, *format_);
    format_->complete_head(head);
  }

 private:
  InferResponse response_;
  PooledInfo info_;
  std::vector<std::vector<float>> vectors_;
  bool has_rows_;
  std::unique_ptr<InferFormat> format_;
};

}  // namespace

Parsed<Call> make_vector_call(const DialectContext& context, const ModelLease& model,
                              const ModelFace& face, InferRequest request,
                              std::unique_ptr<InferFormat> format) {
  if (auto refusal = refuse_without(*model, Skill::kPool)) return *refusal;
  InferParameters rest;
  auto schedule = read_schedule(request, *model, rest);
  if (!schedule.is_ok()) return schedule.error();
  for (const auto& [name, value] : rest.all()) {
    return invalid_value(name, fmt::format("parameter '{}' is not known to model '{}', which makes "
                                           "vectors", name, request.model));
  }
  const PooledTexts texts{.model = model, .priority = schedule->priority};
  Call call{.model = model, .in_flight_max = kInferBatchMax, .prompt_field = "text_input"};
  const NamedTensor& input = *find_input(request, "text_input");
  const bool has_rows = face.batch_max > 0 || input.shape.size() > 1;
  for (const std::string_view text : texts_of(input)) {
    auto ids = encode_whole(texts, text, "text_input");
    if (!ids.is_ok()) return ids.error();
    call.requests.push_back(make_pooled(texts, context.tenant, std::move(*ids)));
    call.requests.back().deadline = schedule->deadline;
  }
  InferResponse response{.model = request.model, .version = request.version, .id = request.id};
  if (schedule->is_deadline_idle) {
    ++call.unknown_fields;
    response.parameters.set("quire_unknown_parameters", std::string("timeout"));
  }
  call.writer = std::make_unique<VectorAnswer>(std::move(response), model->info.pooled,
                                               call.requests.size(), has_rows,
                                               std::move(format));
  return call;
}

}  // namespace quire
