#include "terminal/chat/chat_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "terminal/nearest_word.h"
#include "terminal/terminal.h"

namespace quire {
namespace {

constexpr std::string_view kShowTopics[] = {"model", "settings", "history", "system", "template"};

Status surplus(std::string_view command, const std::string& rest) {
  return error(StatusCode::kInvalidArgument, "{} takes nothing behind it, not '{}'", command, rest);
}

std::string date_text(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  char text[32] = "";
  if (::localtime_r(&time, &parts) != nullptr) {
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
  }
  return text;
}

std::string counted(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string sessions_page() {
  const auto sessions = list_sessions();
  if (sessions.empty()) return "There are no saved sessions; /save NAME makes one.\n";
  std::string page;
  for (const SessionEntry& entry : sessions) {
    page += fmt::format("  {:<24} {}\n", entry.name, date_text(entry.saved_seconds));
  }
  return page;
}

std::string history_page(const std::vector<ChatMessage>& messages) {
  if (messages.empty()) return "Nothing has been said yet.\n";
  std::string page;
  for (const ChatMessage& message : messages) {
    page += fmt::format("{}: {}\n", message.role == "user" ? "You" : "Model", message.content);
  }
  return page;
}

constexpr std::string_view kTyping =
    "  \"\"\"            opens a message of several lines, and closes it\n"
    "  ... \\          a backslash at the end of a line goes on in the next one\n"
    "  Tab, arrows    complete a command; earlier lines (Ctrl-R searches them)\n"
    "  Ctrl-C         stops the answer and keeps what was said\n"
    "  Ctrl-D         leaves\n"
    "A message that begins with / is typed with a space before it.\n";

}  // namespace

struct ChatCommands::Command {
  std::string_view name;
  std::string_view also;
  std::string_view usage;
  std::string_view meaning;
  Result<CommandReply> (ChatCommands::*run)(const std::string& rest);
};

const std::vector<ChatCommands::Command>& ChatCommands::commands() {
  using C = ChatCommands;
  static const std::vector<Command> table = {
      {"/help", "/?", "/help", "this page", &C::help},
      {"/set", "", "/set NAME VALUE", "change a setting; /set alone lists them", &C::set},
      {"/show", "", "/show [TOPIC]", "model, settings, history, system or template", &C::show},
      {"/clear", "/new", "/clear", "forget the conversation, keep the settings", &C::clear},
      {"/save", "", "/save NAME", "keep conversation and settings in a file", &C::save},
      {"/load", "", "/load NAME", "take one up again; /load alone lists them", &C::load},
      {"/bye", "/exit", "/bye", "leave", &C::bye},
  };
  return table;
}

ChatCommands::ChatCommands(ChatState& state, ChatModelFacts facts)
    : state_(state), facts_(std::move(facts)) {}

Result<CommandReply> ChatCommands::obey(std::string_view line) {
  const std::size_t space = std::min(line.find_first_of(" \t\n"), line.size());
  const std::string name(line.substr(0, space));
  std::string rest(line.substr(space));
  rest.erase(0, std::min(rest.find_first_not_of(" \t"), rest.size()));
  while (!rest.empty() && (rest.back() == ' ' || rest.back() == '\n')) rest.pop_back();

  std::vector<std::string> names;
  for (const Command& command : commands()) {
    if (name == command.name || name == command.also) return (this->*command.run)(rest);
    names.emplace_back(command.name);
  }
  if (name == "/quit" || name == "/q") return bye(rest);
  const std::string near = nearest_word(name, names);
  return error(StatusCode::kInvalidArgument, "there is no command '{}'{}", name,
               near.empty() ? "; /help lists them. (With a space before it, it is a message.)"
                            : fmt::format("; did you mean '{}'?", near));
}

Result<CommandReply> ChatCommands::help(const std::string& rest) {
  if (!rest.empty()) return surplus("/help", rest);
  std::string page;
  for (const Command& command : commands()) {
    page += fmt::format("  {:<16} {}\n", command.usage, command.meaning);
  }
  return CommandReply{page + "\n" + std::string(kTyping)};
}

Result<CommandReply> ChatCommands::set(const std::string& rest) {
  if (rest.empty()) return CommandReply{settings_page(state_.settings)};
  QUIRE_ASSIGN_OR_RETURN(std::string said, change_setting(rest, state_.initial, state_.settings));
  return CommandReply{std::move(said)};
}

Result<CommandReply> ChatCommands::show(const std::string& rest) {
  const std::string& system = state_.settings.system;
  if (rest.empty() || rest == "model") {
    return CommandReply{fmt::format(
        "{}  so far   {}, {} of {} tokens of the context\n", facts_.page,
        counted(state_.messages.size(), "message"), grouped(state_.context_used),
        grouped(facts_.context_max))};
  }
  if (rest == "settings" || rest == "parameters") return set("");
  if (rest == "history") return CommandReply{history_page(state_.messages)};
  if (rest == "system") {
    return CommandReply{system.empty() ? "No system message is set; the model's template may have "
                                         "one of its own (/show template)."
                                       : system};
  }
  if (rest == "template") {
    return CommandReply{facts_.chat_template.empty()
                            ? "This model has no chat template: a message is its prompt as it is."
                            : facts_.chat_template};
  }
  const std::vector<std::string> topics(std::begin(kShowTopics), std::end(kShowTopics));
  const std::string near = nearest_word(rest, topics);
  return error(StatusCode::kInvalidArgument, "there is no /show {}{}", rest,
               near.empty() ? "; there are " + fmt::format("{}", fmt::join(topics, ", "))
                            : fmt::format("; did you mean '{}'?", near));
}

Result<CommandReply> ChatCommands::clear(const std::string& rest) {
  if (!rest.empty()) return surplus("/clear", rest);
  state_.messages.clear();
  state_.context_used = 0;
  state_.session.clear();
  return CommandReply{"The conversation is forgotten."};
}

Result<CommandReply> ChatCommands::save(const std::string& rest) {
  const bool is_forced = rest.starts_with("-f ");
  const std::string given = is_forced ? rest.substr(3) : rest;
  const std::string name = given.empty() ? state_.session : given;
  if (name.empty()) return error(StatusCode::kInvalidArgument, "/save NAME: a name is missing");
  QUIRE_RETURN_IF_ERROR(check_session_name(name));
  if (!is_forced && name != state_.session && has_session(name)) {
    return error(StatusCode::kInvalidArgument,
                 "there is a session '{}' already; /save -f {} replaces it", name, name);
  }
  QUIRE_RETURN_IF_ERROR(save_session(name, {facts_.name, state_.settings, state_.messages}));
  state_.session = name;
  return CommandReply{fmt::format("Saved {}; /load {} takes it up again.",
                                  counted(state_.messages.size(), "message"), name)};
}

Result<CommandReply> ChatCommands::load(const std::string& rest) {
  if (rest.empty()) return CommandReply{sessions_page()};
  QUIRE_RETURN_IF_ERROR(check_session_name(rest));
  if (!has_session(rest)) {
    std::vector<std::string> names;
    for (const SessionEntry& entry : list_sessions()) names.push_back(entry.name);
    const std::string near = nearest_word(rest, names);
    return error(StatusCode::kNotFound, "there is no session '{}'{}", rest,
                 near.empty() ? "; /load lists them"
                              : fmt::format("; did you mean '{}'?", near));
  }
  QUIRE_ASSIGN_OR_RETURN(ChatSession session, load_session(rest, state_.settings));
  std::string text = fmt::format("{}, {}.", rest, counted(session.messages.size(), "message"));
  if (session.model != facts_.name) {
    text += fmt::format(" It was held with {}; this is {}.", session.model, facts_.name);
  }
  state_.settings = std::move(session.settings);
  state_.messages = std::move(session.messages);
  state_.session = rest;
  state_.context_used = 0;
  return CommandReply{std::move(text)};
}

Result<CommandReply> ChatCommands::bye(const std::string& rest) {
  if (!rest.empty()) return surplus("/bye", rest);
  return CommandReply{"", true};
}

std::vector<std::string> ChatCommands::completions(std::string_view line) const {
  std::vector<std::string> all;
  for (const Command& command : commands()) all.emplace_back(command.name);
  if (line.starts_with("/set ")) {
    for (const std::string& name : setting_names()) all.push_back("/set " + name);
  }
  if (line.starts_with("/show ")) {
    for (const std::string_view topic : kShowTopics) all.push_back("/show " + std::string(topic));
  }
  if (line.starts_with("/load ")) {
    for (const SessionEntry& entry : list_sessions()) all.push_back("/load " + entry.name);
  }
  std::erase_if(all, [&](const std::string& whole) { return !whole.starts_with(line); });
  if (!line.starts_with('/')) all.clear();
  return all;
}

}  // namespace quire
