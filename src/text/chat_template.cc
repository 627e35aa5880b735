// ChatTemplate over the crate.
#include "text/chat_template.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/text/ascii.h"
#include "text/go_template/go_template.h"
#include "text/rust_boundary.h"

namespace quire {
namespace {

// Of the messages that are rendered to see what a template reads: words that no template has, and a
// member that shows where a list of parts is written as it stands.
constexpr std::string_view kProbe = "quire-probe-content";
constexpr std::string_view kProbeMember = "quire_probe_member";
constexpr std::string_view kProbeCall = "call00001";  // nine letters and digits, as Mistral wants

Json probe(std::string_view role, std::string_view words, bool is_parts) {
  Json content = words;
  if (is_parts) {
    content = Json::array({Json::object(
        {{"type", "text"}, {"text", words}, {std::string(kProbeMember), 1}})});
  }
  return Json::object({{"role", role}, {"content", std::move(content)}});
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// Families differ in the name. Read from the source: what a template does with a thought depends on
// where its message stands.
std::string_view find_thought_member(std::string_view source) {
  for (const std::string_view name : {"reasoning_content", "reasoning", "thinking"}) {
    for (const char* form : {".{}", "['{}']", "[\"{}\"]", "'{}' in ", "\"{}\" in "}) {
      const std::string written = fmt::format(fmt::runtime(form), name);
      for (std::size_t at = source.find(written); at != std::string_view::npos;
           at = source.find(written, at + 1)) {
        const std::size_t end = at + written.size();
        const bool goes_on = form[0] == '.' && end < source.size() &&
                             (is_letter_or_digit(source[end]) || source[end] == '_');
        if (!goes_on) return name;
      }
    }
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const ChatTemplate>> ChatTemplate::compile(std::string_view source) {
  QuireTemplate* raw = nullptr;
  QUIRE_RETURN_IF_ERROR(
      rust::to_status(quire_template_new(rust::bytes_of(source), source.size(), &raw)));
  std::shared_ptr<ChatTemplate> chat_template(new ChatTemplate(raw));
  rust::Buffer variables;
  QUIRE_RETURN_IF_ERROR(rust::to_status(quire_template_variables(raw, variables.out())));
  chat_template->variables_ = lines_of(variables.text());
  chat_template->source_ = source;
  chat_template->look_at_forms();
  chat_template->thought_member_ = find_thought_member(source);
  return std::shared_ptr<const ChatTemplate>(std::move(chat_template));
}

Result<std::shared_ptr<const ChatTemplate>> ChatTemplate::compile_go(std::string_view source) {
  std::shared_ptr<ChatTemplate> chat_template(new ChatTemplate(nullptr));
  QUIRE_ASSIGN_OR_RETURN(chat_template->go_, GoTemplate::compile(source));
  const GoTemplate& go = *chat_template->go_;
  chat_template->source_ = source;
  if (go.has_field("Think") || go.has_field("IsThinkSet")) {
    chat_template->variables_.emplace_back("enable_thinking");
  }
  chat_template->variables_.emplace_back("messages");
  if (go.has_field("ThinkLevel")) chat_template->variables_.emplace_back("reasoning_effort");
  if (go.has_field("Tools")) chat_template->variables_.emplace_back("tools");
  chat_template->look_at_forms();
  if (go.has_field("Thinking")) chat_template->thought_member_ = "reasoning_content";
  return std::shared_ptr<const ChatTemplate>(std::move(chat_template));
}

void ChatTemplate::look_at_forms() {
  user_form_ = try_content("user");
  system_form_ = try_content("system");
  assistant_form_ = try_content("assistant");
  probe_tools();
}

ChatTemplate::~ChatTemplate() {
  if (raw_ != nullptr) quire_template_free(raw_);
}

Result<std::string> ChatTemplate::render(std::string_view context,
                                         const RenderLimits& limits) const {
  if (go_ != nullptr) {
    QUIRE_ASSIGN_OR_RETURN(const Json parsed, parse_json(context));
    return go_->render_chat(parsed, {.steps_max = limits.steps_max,
                                     .output_max = limits.output_size_max,
                                     .now = {limits.unix_seconds, limits.utc_offset_seconds}});
  }
  const QuireRenderLimits raw_limits = {limits.steps_max, limits.output_size_max,
                                        limits.unix_seconds, limits.utc_offset_seconds};
  rust::Buffer text;
  QUIRE_RETURN_IF_ERROR(rust::to_status(quire_template_render(
      raw_, rust::bytes_of(context), context.size(), raw_limits, text.out())));
  return std::string(text.text());
}

// Whether the words of a message of that role come out, as words.
bool ChatTemplate::shows_content(std::string_view role, bool is_parts) const {
  const bool is_user_parts = role == "user" ? is_parts : user_form_ == ContentForm::kParts;
  Json messages = Json::array();
  if (role == "system") messages.push(probe(role, kProbe, is_parts));
  messages.push(probe("user", role == "user" ? kProbe : "?", is_user_parts));
  if (role == "assistant") {
    messages.push(probe(role, kProbe, is_parts));
    messages.push(probe("user", "?", is_user_parts));
  }
  return shows_probe(messages.items());
}

bool ChatTemplate::shows_probe(std::vector<Json> messages) const {
  const Json context = Json::object({{"messages", Json::array(std::move(messages))},
                                     {"add_generation_prompt", true},
                                     {"bos_token", ""},
                                     {"eos_token", ""}});
  RenderLimits limits;
  limits.steps_max = 200'000;
  limits.output_size_max = std::size_t{1} << 20;
  const Result<std::string> text = render(dump(context), limits);
  return text.is_ok() && text->find(kProbe) != std::string::npos &&
         text->find(kProbeMember) == std::string::npos;
}

void ChatTemplate::probe_tools() {
  const auto is_parts = [this](std::string_view role) {
    return content_form(role) == ContentForm::kParts;
  };
  const auto plain = [&](std::string_view role, std::string_view words) {
    return probe(role, words, is_parts(role));
  };
  const auto calling = [&](std::string_view name, const Json& arguments) {
    Json message = plain("assistant", "");
    if (wants_calls_alone_) message.set("content", Json());
    Json function = Json::object({{"name", name}, {"arguments", arguments}});
    message.set("tool_calls", Json::array({Json::object({{"id", kProbeCall}, {"type", "function"},
                                                         {"function", std::move(function)}})}));
    return message;
  };
  const auto answering = [&](std::string_view words) {
    Json message = plain("tool", words);
    message.set("name", "f");
    message.set("tool_call_id", kProbeCall);
    return message;
  };
  const Json question = plain("user", "?");
  // Some want an answer to the result before another question, or none behind it.
  const Json answer = plain("assistant", "!");
  const auto shows = [&](const Json& call, const Json& result) {
    return shows_probe({question, call, result, answer, question}) ||
           shows_probe({question, call, result, question}) ||
           shows_probe({question, call, result});
  };
  const auto shows_arguments = [&](const Json& arguments) {
    return shows(calling("f", arguments), answering("?"));
  };
  const Json object = Json::object({{"a", kProbe}});
  if (!shows_arguments(object) && !shows_arguments(dump(object))) {
    wants_calls_alone_ = true;
    wants_calls_alone_ = shows_arguments(object) || shows_arguments(dump(object));
  }
  wants_arguments_as_text_ = !shows_arguments(object) && shows_arguments(dump(object));
  const Json one = wants_arguments_as_text_ ? Json(R"({"a":1})") : Json::object({{"a", 1}});
  shows_tool_calls_ = shows(calling(kProbe, one), answering("?"));
  shows_tool_results_ = shows(calling("f", one), answering(kProbe));
  shows_late_system_ =
      shows_probe({question, plain("assistant", "!"), plain("system", kProbe), question});
}

ContentForm ChatTemplate::try_content(std::string_view role) const {
  const bool shows_text = shows_content(role, false);
  const bool shows_parts = shows_content(role, true);
  if (shows_parts) return shows_text ? ContentForm::kEither : ContentForm::kParts;
  // Nothing came out at all: it objects to the role, or wants what a probe does not have.
  return shows_text || role == "user" ? ContentForm::kText : user_form_;
}

ContentForm ChatTemplate::content_form(std::string_view role) const {
  if (role == "system") return system_form_;
  return role == "assistant" ? assistant_form_ : user_form_;
}

std::string_view content_form_name(ContentForm form) {
  switch (form) {
    case ContentForm::kText:
      return "text";
    case ContentForm::kParts:
      return "parts";
    case ContentForm::kEither:
      return "text or parts";
  }
  return "";
}

bool ChatTemplate::has_variable(std::string_view name) const {
  return std::binary_search(variables_.begin(), variables_.end(), name);
}

}  // namespace quire
