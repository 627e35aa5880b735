// ChatSession: a conversation with its settings, as /save writes it and /load reads it: JSON in
// QUIRE_HOME/sessions. What is read is checked as strictly as what a client sends: bounded in size
// and messages, every field known and of its kind, roles in turn as a chat has them.
// Plain values and functions of files; main thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "terminal/chat/chat_settings.h"

namespace quire {

struct ChatMessage {
  std::string role;  // "user", "assistant"; "system" only on the way to the template
  std::string content;
  bool operator==(const ChatMessage&) const = default;
};

struct ChatSession {
  std::string model;  // that the conversation was held with
  ChatSettings settings;
  std::vector<ChatMessage> messages;
};

std::string session_text(const ChatSession& session);
// `initial` is what the switches (verbose, ...) keep: they belong to the screen.
Result<ChatSession> parse_session(const std::string& text, const ChatSettings& initial);

// Names are 1 to 64 letters, digits, '.', '-' and '_', and do not begin with '.'.
Status check_session_name(const std::string& name);

Result<std::string> session_path(const std::string& name);
Status save_session(const std::string& name, const ChatSession& session);
Result<ChatSession> load_session(const std::string& name, const ChatSettings& initial);
bool has_session(const std::string& name);

struct SessionEntry {
  std::string name;
  std::int64_t saved_seconds = 0;  // since 1970
};
// Newest first; at most 1000.
std::vector<SessionEntry> list_sessions();

}  // namespace quire
