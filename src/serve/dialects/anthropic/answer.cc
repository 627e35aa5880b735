#include "serve/dialects/anthropic/answer.h"

#include <utility>

#include "serve/dialects/anthropic/errors.h"

namespace quire {
namespace {

// Clients send it back with the thought; nothing is read from it. It is not empty, since some drop
// thoughts without one.
constexpr const char* kSignature = "quire";

void append_named(std::string_view name, const std::string& data, std::string& out) {
  out.append("event: ").append(name).append("\ndata: ").append(data).append("\n\n");
}

void append_named(const Json& event, std::string& out) {
  append_named(event.find("type")->as_string(), dump(event), out);
}

}  // namespace

MessageAnswer::MessageAnswer(const AnthropicRequest& request, const std::vector<Request>& requests)
    : request_(request), counts_(requests), id_(random_id("msg_")),
      parts_(request.shape, request.model, id_, 0), notes_(request.warned) {
  counts_.begin_thought(0, request.shape.begins_in_thought);
}

Json MessageAnswer::head() const {
  return Json::object({{"id", id_}, {"type", "message"}, {"role", "assistant"},
                       {"model", request_.model_name}});
}

Json MessageAnswer::usage(bool is_start) const {
  const std::uint64_t cached = counts_.cached_tokens();
  const std::uint64_t output = is_start              ? 1
                               : request_.is_warming ? 0
                                                     : counts_.generated_tokens();
  return Json::object({{"input_tokens", counts_.prompt_tokens() - cached},
                       {"cache_creation_input_tokens", 0},
                       {"cache_read_input_tokens", cached},
                       {"cache_creation", Json::object({{"ephemeral_5m_input_tokens", 0},
                                                        {"ephemeral_1h_input_tokens", 0}})},
                       {"output_tokens", output},
                       {"output_tokens_details",
                        Json::object({{"thinking_tokens", counts_.thought_tokens()}})},
                       {"service_tier", "standard"}});
}

Json MessageAnswer::stop_reason() const {
  if (!stop_string_.empty()) return "stop_sequence";
  if (finish_ == FinishReason::kLength) {
    return request_.is_capped ? "model_context_window_exceeded" : "max_tokens";
  }
  return has_calls_ ? "tool_use" : "end_turn";
}

void MessageAnswer::take(std::size_t prompt, const TokenEvent& event, std::string& out) {
  counts_.count(prompt, event);
  if (event.finish != FinishReason::kNone) {
    finish_ = event.finish;
    stop_string_ = event.stop_string;
  }
  if (request_.is_stream && !is_begun_) begin_stream(out);
  if (request_.is_warming) {  // whatever its one token was
    finish_ = FinishReason::kLength;
    return;
  }
  std::vector<PartDelta> parts;
  parts_.take(event, parts);
  counts_.count_thought(0, event, parts);
  take_parts(parts, out);
}

void MessageAnswer::begin_stream(std::string& out) {
  is_begun_ = true;
  Json message = head();
  message.set("content", Json::array());
  message.set("stop_reason", Json());
  message.set("stop_sequence", Json());
  message.set("usage", usage(true));
  notes_.add_to(message);
  append_named(Json::object({{"type", "message_start"}, {"message", std::move(message)}}), out);
}

void MessageAnswer::take_parts(const std::vector<PartDelta>& parts, std::string& out) {
  if (request_.is_stream && !is_begun_) begin_stream(out);
  for (const PartDelta& part : parts) {
    const bool goes_on = !blocks_.empty() && blocks_.back().kind == part.kind &&
                         blocks_.back().part == part.index;
    if (!goes_on) open_block(part, out);
    Block& block = blocks_.back();
    const bool is_hidden = part.kind == PartKind::kReasoning && request_.hides_thinking;
    if (part.text.empty() || is_hidden) continue;
    if (!request_.is_stream) {
      block.text += part.text;
    } else if (part.kind == PartKind::kText) {
      append_delta(Json::object({{"type", "text_delta"}, {"text", part.text}}), out);
    } else if (part.kind == PartKind::kReasoning) {
      append_delta(Json::object({{"type", "thinking_delta"}, {"thinking", part.text}}), out);
    } else {
      append_delta(Json::object({{"type", "input_json_delta"}, {"partial_json", part.text}}), out);
    }
  }
}

void MessageAnswer::open_block(const PartDelta& part, std::string& out) {
  close_block(out);
  Block& block = blocks_.emplace_back(Block{.kind = part.kind, .part = part.index});
  if (part.kind == PartKind::kToolCall) {
    has_calls_ = true;
    block.call_id = part.call_id.empty() ? random_id("toolu_") : part.call_id;
    block.call_name = part.call_name;
  }
  if (!request_.is_stream) return;
  is_open_ = true;
  const std::size_t index = blocks_.size() - 1;
  Json start = block_json(block);
  if (part.kind == PartKind::kReasoning) start.set("signature", "");
  append_named(Json::object({{"type", "content_block_start"}, {"index", index},
                             {"content_block", std::move(start)}}), out);
  if (index == 0) append_named(Json::object({{"type", "ping"}}), out);
}

void MessageAnswer::close_block(std::string& out) {
  if (!std::exchange(is_open_, false)) return;
  if (blocks_.back().kind == PartKind::kReasoning) {
    append_delta(Json::object({{"type", "signature_delta"}, {"signature", kSignature}}), out);
  }
  append_named(Json::object({{"type", "content_block_stop"}, {"index", blocks_.size() - 1}}), out);
}

void MessageAnswer::append_delta(Json delta, std::string& out) {
  append_named(Json::object({{"type", "content_block_delta"}, {"index", blocks_.size() - 1},
                             {"delta", std::move(delta)}}), out);
}

// Arguments that are no object (cut short, or not JSON at all) leave an empty input and a warning.
Json MessageAnswer::block_json(const Block& block) {
  if (block.kind == PartKind::kText) {
    return Json::object({{"type", "text"}, {"text", block.text}});
  }
  if (block.kind == PartKind::kReasoning) {
    return Json::object({{"type", "thinking"}, {"thinking", block.text},
                         {"signature", kSignature}});
  }
  Json input = Json::object();
  if (!block.text.empty()) {
    const Result<Json> read = parse_json(block.text);
    const bool is_object = read.is_ok() && read->is_object();
    if (is_object) input = *read;
    if (!is_object) {
      notes_.add("tool_input_not_an_object", block.call_id,
                 "The model's arguments are no JSON object: " + shown(Json(block.text)));
    }
  }
  return Json::object({{"type", "tool_use"}, {"id", block.call_id}, {"name", block.call_name},
                       {"input", std::move(input)}});
}

void MessageAnswer::ping(std::string& out) { append_named(Json::object({{"type", "ping"}}), out); }

void MessageAnswer::finish(std::string& out) {
  const Json stop_sequence = stop_string_.empty() ? Json() : Json(stop_string_);
  if (request_.is_stream) {
    if (!is_begun_) begin_stream(out);
    close_block(out);
    append_named(Json::object({{"type", "message_delta"},
                               {"delta", Json::object({{"stop_reason", stop_reason()},
                                                       {"stop_sequence", stop_sequence}})},
                               {"usage", usage(false)}}), out);
    append_named(Json::object({{"type", "message_stop"}}), out);
    return;
  }
  Json content = Json::array();
  for (const Block& block : blocks_) content.push(block_json(block));
  Json body = head();
  body.set("content", std::move(content));
  body.set("stop_reason", stop_reason());
  body.set("stop_sequence", stop_sequence);
  body.set("usage", usage(false));
  notes_.add_to(body);
  out += dump(body);
}

void MessageAnswer::fail(const ApiError& error, std::string& out) {
  append_named("error", anthropic_error_body(error, request_.request_id), out);
}

}  // namespace quire
