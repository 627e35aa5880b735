// GoTemplate: a text/template of Go as Ollama's models carry them: actions, pipelines, if, range,
// with, template, define, block, variables, Go's functions for texts and comparisons, and json,
// currentDate, yesterdayDate, toTypeScriptType. Templates come from files of strangers: sources,
// depth, steps and output are bounded, an unknown function is refused by name with its line, and
// nothing is reached but the data.
// OllamaChat: the same for a chat: what a template sees of messages and tools, and how one that
// knows no list of messages is rendered turn by turn.
// Immutable after creation; any thread. Used by chat_template and serve.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "text/go_template/renderer.h"
#include "text/go_template/syntax.h"

namespace quire {

class GoTemplate {
 public:
  static Result<std::shared_ptr<const GoTemplate>> compile(std::string_view source);

  const std::string& source() const { return source_; }
  bool has_field(std::string_view name) const;  // ".Messages" occurs somewhere

  // kInvalidArgument: the template fails; kResourceExhausted: a limit. Both name the line.
  Result<std::string> render(const Json& data, const go::Limits& limits) const;

  // As Ollama renders a chat. `context` has messages (role, content, reasoning_content, tool_calls,
  // name), perhaps tools, and whether and how hard to think: "enable_thinking",
  // "reasoning_effort".
  Result<std::string> render_chat(const Json& context, const go::Limits& limits) const;

  // A text whose gap the answer fills.
  Result<std::string> render_gap(std::string_view before, std::string_view behind,
                                 const go::Limits& limits) const;

 private:
  Result<std::string> render_turns(const Json& messages, const Json& common,
                                   const go::Limits& limits) const;

  std::string source_;
  go::Tree tree_;
};

}  // namespace quire
