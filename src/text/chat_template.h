// ChatTemplate: messages to the prompt's text, as the model's own template says: Jinja's language,
// or Go's, as a Modelfile has it; whoever renders a chat need not know which. Templates
// come from model files and are not trusted: a rendering is bounded in steps, bytes and depth and
// reaches nothing but its context. Immutable after creation; any thread. Used by serve and the
// command line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

struct QuireTemplate;

namespace quire {

class GoTemplate;

// How a template reads the content of a message.
enum class ContentForm : std::uint8_t {
  kText,    // a string
  kParts,   // a list of {"type": "text", "text": ...}
  kEither,  // whichever it is given
};

std::string_view content_form_name(ContentForm form);

struct RenderLimits {
  std::uint64_t steps_max = 1'000'000;
  std::size_t output_size_max = std::size_t{16} << 20;  // bytes; serve sets it from the context
  std::int64_t unix_seconds = 0;                        // what strftime_now() shows
  std::int32_t utc_offset_seconds = 0;                  // of its local time
};

class ChatTemplate {
 public:
  static Result<std::shared_ptr<const ChatTemplate>> compile(std::string_view source);
  static Result<std::shared_ptr<const ChatTemplate>> compile_go(std::string_view source);

  ChatTemplate(const ChatTemplate&) = delete;
  ChatTemplate& operator=(const ChatTemplate&) = delete;
  ~ChatTemplate();

  const std::string& source() const { return source_; }
  const GoTemplate* go() const { return go_.get(); }  // null: it is Jinja's

  // `context` is a JSON object: messages, tools, add_generation_prompt, bos_token, eos_token, ...
  // kInvalidArgument: the template objects (raise_exception) or fails; kResourceExhausted: a limit.
  Result<std::string> render(std::string_view context, const RenderLimits& limits) const;

  // The names of the variables that the template reads, sorted: what a client may set.
  const std::vector<std::string>& variables() const { return variables_; }
  bool has_variable(std::string_view name) const;

  // What the template makes of messages of a role; found out once by rendering some.
  ContentForm content_form(std::string_view role) const;

  // Whether the arguments of a call have to come as the text of a JSON object instead of an object.
  bool wants_arguments_as_text() const { return wants_arguments_as_text_; }

  // Whether calls come out only of a message whose content is null.
  bool wants_calls_alone() const { return wants_calls_alone_; }

  // The member of an assistant's message in which the template looks for a thought; empty: none.
  std::string_view thought_member() const { return thought_member_; }

  // Whether the names of an assistant's `tool_calls`, the words of a "tool" message, and those of a
  // system message behind others come out; found out likewise.
  bool shows_tool_calls() const { return shows_tool_calls_; }
  bool shows_tool_results() const { return shows_tool_results_; }
  bool shows_late_system() const { return shows_late_system_; }

 private:
  explicit ChatTemplate(QuireTemplate* raw) : raw_(raw) {}
  void look_at_forms();
  ContentForm try_content(std::string_view role) const;
  bool shows_content(std::string_view role, bool is_parts) const;
  bool shows_probe(std::vector<Json> messages) const;
  void probe_tools();

  QuireTemplate* raw_;  // null: go_ is there
  std::shared_ptr<const GoTemplate> go_;
  std::vector<std::string> variables_;
  std::string source_;
  ContentForm user_form_ = ContentForm::kText;
  ContentForm system_form_ = ContentForm::kText;
  ContentForm assistant_form_ = ContentForm::kText;
  std::string_view thought_member_;
  bool wants_arguments_as_text_ = false, wants_calls_alone_ = false;
  bool shows_tool_calls_ = false, shows_tool_results_ = false, shows_late_system_ = false;
};

}  // namespace quire
