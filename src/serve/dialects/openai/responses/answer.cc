#include "serve/dialects/openai/responses/answer.h"

#include "base/clock.h"
#include "serve/dialects/openai/answer.h"

namespace quire {

Json response_json(const ResponseFacts& facts, std::string_view status, const Json& output,
                   const Json& usage, const Json& error) {
  Json body = Json::object({{"id", facts.id}, {"object", "response"},
                            {"created_at", facts.created}, {"status", status},
                            {"error", error}, {"incomplete_details", Json()},
                            {"model", facts.model}, {"output", output}});
  if (status == "incomplete") {
    body.set("incomplete_details", Json::object({{"reason", "max_output_tokens"}}));
  }
  if (status == "completed") body.set("completed_at", SteadyClock::unix_seconds());
  for (const auto& [name, value] : facts.echo.members()) body.set(name, value);
  if (!usage.is_null()) body.set("usage", usage);
  if (!facts.notes.items().empty()) body.set("warnings", facts.notes);
  return body;
}

std::string response_event(std::string_view type, std::size_t number, Json body) {
  Json event = Json::object({{"type", type}, {"sequence_number", number}});
  for (const auto& [name, value] : body.members()) event.set(name, value);
  std::string text = "event: ";
  text += type;
  text += "\ndata: ";
  text += dump(event);
  text += "\n\n";
  return text;
}

ResponsesAnswer::ResponsesAnswer(const ResponsesRequest& request,
                                 const std::vector<Request>& requests, ResponseFacts facts,
                                 Turn turn, std::shared_ptr<DetachedAnswer> detached,
                                 DetachedAnswers* list)
    : is_stream_(request.is_stream),
      params_(request.params),
      names_(request.model->tokenizer, request.tokens_as_ids),
      counts_(requests),
      facts_(std::move(facts)),
      ending_(std::make_shared<Ending>(Ending{.turn = std::move(turn)})),
      detached_(std::move(detached)),
      list_(list),
      parts_(request.shape, request.model, facts_.id, 0),
      items_(is_stream_ || detached_ != nullptr
                 ? ItemStream::Emit([this](auto type, Json body) { emit(type, std::move(body)); })
                 : ItemStream::Emit(),
             request.seals_thoughts) {
  counts_.begin_thought(0, request.shape.begins_in_thought);
}

void ResponsesAnswer::emit(std::string_view type, Json body) {
  if (!is_stream_ && detached_ == nullptr) return;
  const std::string event = response_event(type, number_++, std::move(body));
  if (detached_ == nullptr) {
    tail_ += event;
  } else {
    detached_->add(event);
    if (is_stream_) events_ += event;
  }
}

void ResponsesAnswer::begin() {
  if (std::exchange(is_begun_, true)) return;
  const auto at = [&](std::string_view status) {
    return Json::object({{"response", response_json(facts_, status, Json::array(), {}, {})}});
  };
  if (detached_ != nullptr) {
    emit("response.created", at("queued"));
    emit("response.queued", at("queued"));
    detached_->show(dump(*at("in_progress").find("response")));
  } else {
    emit("response.created", at("in_progress"));
  }
  emit("response.in_progress", at("in_progress"));
}

std::vector<Json> ResponsesAnswer::take_scores(const TokenEvent& event) const {
  std::vector<Json> scores;
  if (params_.logprobs < 0) return scores;
  for (const TokenScore& score : event.scores) {
    scores.push_back(score_json(names_, score, params_));
  }
  return scores;
}

void ResponsesAnswer::take(std::size_t prompt, const TokenEvent& event, std::string& out) {
  counts_.count(prompt, event);
  std::vector<PartDelta> parts;
  parts_.take(event, parts);
  take_parts(parts, event, out);
}

void ResponsesAnswer::take_parts(const std::vector<PartDelta>& parts, const TokenEvent& event,
                                 std::string& out) {
  begin();
  for (Json& score : take_scores(event)) scores_.push_back(std::move(score));
  counts_.count_thought(0, event, parts);
  for (const PartDelta& part : parts) {
    std::vector<Json> scores = std::exchange(scores_, {});
    if (part.kind != PartKind::kText) scores.clear();
    items_.take(part, std::move(scores));
  }
  if (event.finish != FinishReason::kNone) finish_ = event.finish;
  out += std::exchange(tail_, {});
}

std::string_view ResponsesAnswer::status() const {
  return finish_ == FinishReason::kLength ? "incomplete" : "completed";
}

Json ResponsesAnswer::usage() const {
  const std::uint64_t input = counts_.prompt_tokens(), output = counts_.generated_tokens();
  Json usage = Json::object({{"input_tokens", input}});
  usage.set("input_tokens_details", Json::object({{"cached_tokens", counts_.cached_tokens()},
                                                  {"cache_write_tokens", 0}}));
  usage.set("output_tokens", output);
  usage.set("output_tokens_details",
            Json::object({{"reasoning_tokens", counts_.thought_tokens()}}));
  usage.set("total_tokens", input + output);
  return usage;
}

Json ResponsesAnswer::final_body(const Json& error) const {
  return response_json(facts_, error.is_null() ? status() : "failed", items_.output(), usage(),
                       error);
}

std::function<void()> ResponsesAnswer::closing() {
  begin();
  if (!scores_.empty() && items_.is_text_open()) items_.take_scores(std::exchange(scores_, {}));
  items_.close(status() == "completed");
  if (detached_ != nullptr) detached_->commit();
  ending_->body = final_body({});
  if (ending_->turn.archive == nullptr) return nullptr;
  if (detached_ != nullptr && is_stream_) {
    ending_->turn.kept.events =
        events_ + response_event(std::string("response.") + std::string(status()), number_,
                                 Json::object({{"response", ending_->body}}));
  }
  return [ending = ending_] { ending->status = keep_turn(ending->turn, ending->body); };
}

void ResponsesAnswer::finish(std::string& out) {
  Json& body = ending_->body;
  if (!ending_->status.is_ok()) {
    facts_.echo.set("store", false);
    add_note(facts_.notes, "not_stored", "store", archive_error(ending_->status).message);
    body = final_body({});
  }
  const std::string type = std::string("response.") + std::string(status());
  emit(type, Json::object({{"response", body}}));
  if (detached_ != nullptr) {
    detached_->show(dump(body));
    detached_->end();
    // What could not be kept is shown until the program ends.
    if (ending_->status.is_ok()) list_->remove(facts_.id);
    return;
  }
  out += std::exchange(tail_, {});
  if (!is_stream_) out += dump(body);
}

void ResponsesAnswer::warn(const Warning& warning) {
  add_note(facts_.notes, warning.code, warning.param, warning.message);
  if (warning.code == kToolsNotEnforced) parts_.leave_free();
}

void ResponsesAnswer::fail(const ApiError& error, std::string& out) {
  begin();
  items_.close(false);
  const Json why = Json::object({{"code", "server_error"}, {"message", error.message}});
  emit("response.failed", Json::object({{"response", final_body(why)}}));
  out += std::exchange(tail_, {});
}

}  // namespace quire
