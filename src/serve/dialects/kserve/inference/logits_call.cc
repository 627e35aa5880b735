#include "serve/dialects/kserve/inference/logits_call.h"

#include <fmt/format.h>

#include <atomic>
#include <utility>

#include "serve/dialects/kserve/inference/model_face.h"
#include "serve/intake/generation.h"

namespace quire {
namespace {

std::atomic<std::size_t> held_bytes{0};  // of all answers that are being made

// So many of the bytes that all answers may hold.
class LogitsRoom {
 public:
  // Null: there is no room now.
  static std::unique_ptr<LogitsRoom> take(std::size_t bytes) {
    std::size_t held = held_bytes.load();
    do {
      if (held + bytes > kLogitsHeldMax) return nullptr;
    } while (!held_bytes.compare_exchange_weak(held, held + bytes));
    return std::unique_ptr<LogitsRoom>(new LogitsRoom(bytes));
  }
  ~LogitsRoom() { held_bytes -= bytes_; }
  LogitsRoom(const LogitsRoom&) = delete;
  LogitsRoom& operator=(const LogitsRoom&) = delete;

 private:
  explicit LogitsRoom(std::size_t bytes) : bytes_(bytes) {}
  std::size_t bytes_;
};

class LogitsAnswer : public AnswerWriter {
 public:
  LogitsAnswer(InferResponse response, std::size_t rows, std::size_t row_bytes,
               std::unique_ptr<InferFormat> format, std::unique_ptr<LogitsRoom> room)
      : parts_(std::make_shared<Parts>()) {
    parts_->response = std::move(response);
    parts_->row_bytes = row_bytes;
    parts_->rows.resize(rows);
    parts_->format = std::move(format);
    parts_->room = std::move(room);
  }

  void take(std::size_t prompt, const TokenEvent& event, std::string&) override {
    if (event.logits.empty()) return;
    std::string& row = parts_->rows[prompt];
    row.reserve(parts_->row_bytes);
    row.append(reinterpret_cast<const char*>(event.logits.data()),
               event.logits.size() * sizeof(float));
  }

  std::string_view id() const override { return parts_->response.id; }

  // Some hundred megabytes take a while, which the I/O thread does not have.
  std::function<void()> closing() override {
    return [parts = parts_] { parts->write(); };
  }

  void finish(std::string& out) override { out = std::move(parts_->out); }

  void fail(const ApiError& error, std::string& out) override {
    parts_->format->append_error(error, out);
  }

  void complete_head(const CallTimes& times, http::Response& head) override {
    note_times(times, *parts_->format);
    parts_->format->complete_head(head);
  }

 private:
  struct Parts {
    InferResponse response;
    std::size_t row_bytes = 0;
    std::vector<std::string> rows;  // [batch] logits of all positions
    std::unique_ptr<InferFormat> format;
    std::unique_ptr<LogitsRoom> room;
    std::string out;

    void write() {
      std::string& bytes = response.outputs.front().bytes;
      if (rows.size() == 1) {
        bytes = std::move(rows.front());
      } else {
        bytes.reserve(rows.size() * row_bytes);
        for (std::string& row : rows) {
          bytes += row;
          row = {};
        }
      }
      QUIRE_CHECK(bytes.size() == rows.size() * row_bytes, "{} bytes of logits, not {} times {}",
                  bytes.size(), rows.size(), row_bytes);
      format->append(response, true, out);
      response.outputs.clear();
    }
  };

  std::shared_ptr<Parts> parts_;
};

std::optional<ApiError> refuse_others(const InferRequest& request, const InferParameters& rest) {
  for (const NamedTensor& input : request.inputs) {
    if (input.name == "input_ids") continue;
    return invalid_value(input.name, fmt::format("input '{}' acts on 'text_input'; with "
                                                 "'input_ids' nothing is generated", input.name));
  }
  for (const auto& [name, value] : rest.all()) {
    return invalid_value(name, fmt::format("parameter '{}' is not supported for 'input_ids', with "
                                           "which nothing is generated", name));
  }
  for (const RequestedOutput& output : request.outputs) {
    if (output.name == "logits") continue;
    return invalid_value(output.name, fmt::format("output '{}' is there for 'text_input'; "
                                                  "'input_ids' are answered with 'logits'",
                                                  output.name));
  }
  return std::nullopt;
}

Parsed<std::vector<TokenId>> read_ids(std::span<const std::int64_t> row, const ModelInfo& info) {
  std::vector<TokenId> ids;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i] < 0 || row[i] >= static_cast<std::int64_t>(info.vocab)) {
      return invalid_value("input_ids", fmt::format(
          "input 'input_ids' has {} at position {}; token ids are 0 to {}", row[i], i,
          info.vocab - 1));
    }
    ids.push_back(static_cast<TokenId>(row[i]));
  }
  return ids;
}

SamplingParams scoring_params() {
  SamplingParams params;
  params.temperature = 0;
  params.prompt_logprobs = 0;
  params.raw_logits = true;
  params.tokens_max = 1;  // drawn for the logits that it is drawn from, and fed to nobody
  params.ignore_eos = true;
  return params;
}

}  // namespace

Parsed<Call> make_logits_call(const DialectContext& context, const ModelLease& model,
                              InferRequest request, std::unique_ptr<InferFormat> format) {
  const ModelInfo& info = model->info;
  InferParameters rest;
  auto schedule = read_schedule(request, *model, rest);
  if (!schedule.is_ok()) return schedule.error();
  if (auto refusal = refuse_others(request, rest)) return *refusal;

  const NamedTensor& input = *find_input(request, "input_ids");
  const std::size_t batch = input.shape.size() == 1 ? 1 : static_cast<std::size_t>(input.shape[0]);
  const auto tokens = static_cast<std::size_t>(input.shape.back());
  if (tokens == 0 || tokens > info.context_max) {
    return invalid_value("input_ids", fmt::format(
        "input 'input_ids' has {} tokens; this model takes 1 to {}", tokens,
        info.context_max));
  }
  const std::size_t row_bytes = tokens * info.vocab * sizeof(float);
  if (row_bytes > kLogitsBytesMax / batch) {
    return invalid_value("input_ids", fmt::format(
        "logits of {} x {} positions with {} entries each have more than the {} MiB that one "
        "answer may have; ask for fewer positions at once", batch, tokens, info.vocab,
        kLogitsBytesMax >> 20));
  }
  auto room = LogitsRoom::take(batch * row_bytes);
  if (room == nullptr) {
    return ApiError{.status = 503,
                    .message = fmt::format("answers with logits hold the {} MiB that they may have "
                                           "together; come again", kLogitsHeldMax >> 20),
                    .type = "service_unavailable_error", .retry_after_s = 1};
  }
  Call call{.model = model, .in_flight_max = kInferBatchMax, .prompt_field = "input_ids"};
  Generation generation{.model = model, .params = scoring_params(),
                        .priority = schedule->priority};
  const std::vector<std::int64_t> values = integers_of(input);
  for (std::size_t row = 0; row < batch; ++row) {
    auto ids = read_ids(std::span(values).subspan(row * tokens, tokens), info);
    if (!ids.is_ok()) return ids.error();
    call.requests.push_back(make_request(generation, context.tenant, std::move(*ids)));
    call.requests.back().deadline = schedule->deadline;
  }
  InferResponse response{.model = request.model, .version = request.version, .id = request.id};
  if (schedule->is_deadline_idle) {
    ++call.unknown_fields;
    response.parameters.set("quire_unknown_parameters", std::string("timeout"));
  }
  std::vector<std::int64_t> shape = input.shape;
  shape.push_back(info.vocab);
  response.outputs.push_back({"logits", TensorType::kFp32, std::move(shape), {}});
  call.writer = std::make_unique<LogitsAnswer>(std::move(response), batch, row_bytes,
                                               std::move(format), std::move(room));
  return call;
}

}  // namespace quire
