#include "serve/dialects/openai/responses/item_stream.h"

#include <utility>

#include "serve/answer/answer_counts.h"
#include "serve/dialects/openai/responses/sealed_text.h"

namespace quire {

void ItemStream::take(const PartDelta& delta, std::vector<Json> logprobs) {
  const bool continues = is_open_ && kind_ == delta.kind && index_ == delta.index;
  if (!continues) {
    end("completed");
    open(delta);
  }
  Json fresh = Json::array(std::move(logprobs));
  for (const Json& entry : fresh.items()) logprobs_.push(entry);
  text_ += delta.text;
  if (delta.text.empty() && fresh.items().empty()) return;
  Json body = place();
  body.set("delta", delta.text);
  if (kind_ == PartKind::kText) body.set("logprobs", std::move(fresh));
  tell(kind_ == PartKind::kText        ? "response.output_text.delta"
       : kind_ == PartKind::kReasoning ? "response.reasoning_text.delta"
                                       : "response.function_call_arguments.delta",
       std::move(body));
}

void ItemStream::take_scores(std::vector<Json> logprobs) {
  take({.kind = PartKind::kText, .index = index_}, std::move(logprobs));
}

void ItemStream::close(bool is_complete) {
  if (!is_open_ && output_.items().empty()) open({});
  end(is_complete ? "completed" : "incomplete");
}

void ItemStream::open(const PartDelta& delta) {
  is_open_ = true;
  kind_ = delta.kind;
  index_ = delta.index;
  text_.clear();
  logprobs_ = Json::array();
  id_ = random_id(kind_ == PartKind::kText        ? "msg_"
                  : kind_ == PartKind::kReasoning ? "rs_"
                                                  : "fc_");
  call_id_ = delta.call_id.empty() ? random_id("call_") : delta.call_id;
  call_name_ = delta.call_name;
  if (!emit_) return;
  Json added = item("in_progress");
  if (kind_ != PartKind::kToolCall) added.set("content", Json::array());
  tell("response.output_item.added",
       Json::object({{"output_index", output_.items().size()}, {"item", std::move(added)}}));
  if (kind_ == PartKind::kToolCall) return;
  Json body = place();
  body.set("part", part());
  tell("response.content_part.added", std::move(body));
}

void ItemStream::end(std::string_view status) {
  if (!std::exchange(is_open_, false)) return;
  if (emit_) end_part();
  Json done = item(status);
  tell("response.output_item.done",
       Json::object({{"output_index", output_.items().size()}, {"item", done}}));
  output_.push(std::move(done));
}

void ItemStream::end_part() {
  Json body = place();
  if (kind_ == PartKind::kToolCall) {
    body.set("name", call_name_);
    body.set("arguments", text_);
    return tell("response.function_call_arguments.done", std::move(body));
  }
  body.set("text", text_);
  if (kind_ == PartKind::kText) {
    body.set("logprobs", logprobs_);
    tell("response.output_text.done", std::move(body));
  } else {
    tell("response.reasoning_text.done", std::move(body));
  }
  body = place();
  body.set("part", part());
  tell("response.content_part.done", std::move(body));
}

Json ItemStream::part() const {
  if (kind_ == PartKind::kReasoning) {
    return Json::object({{"type", "reasoning_text"}, {"text", text_}});
  }
  return Json::object({{"type", "output_text"}, {"text", text_}, {"annotations", Json::array()},
                       {"logprobs", logprobs_}});
}

Json ItemStream::item(std::string_view status) const {
  if (kind_ == PartKind::kToolCall) {
    return Json::object({{"id", id_}, {"type", "function_call"}, {"status", status},
                         {"call_id", call_id_}, {"name", call_name_}, {"arguments", text_}});
  }
  Json item = Json::object({{"id", id_}});
  if (kind_ == PartKind::kText) {
    item.set("type", "message");
    item.set("status", status);
    item.set("role", "assistant");
  } else {
    item.set("type", "reasoning");
    item.set("status", status);
    item.set("summary", Json::array());
    if (seals_thoughts_ && status != "in_progress") item.set("encrypted_content", seal_text(text_));
  }
  item.set("content", Json::array({part()}));
  return item;
}

Json ItemStream::place() const {
  Json place = Json::object({{"item_id", id_}, {"output_index", output_.items().size()}});
  if (kind_ != PartKind::kToolCall) place.set("content_index", 0);
  return place;
}

void ItemStream::tell(std::string_view type, Json body) {
  if (emit_) emit_(type, std::move(body));
}

}  // namespace quire
