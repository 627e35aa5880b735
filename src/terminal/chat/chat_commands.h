// ChatCommands: what a line that begins with '/' does: /help /set /show /clear /save /load /bye.
// They work on the state of the conversation and answer with text for the screen; a mistake is an
// error with the nearest name that exists. No terminal and no model are needed, so tests run them.
// Main thread. Called by Conversation.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "terminal/chat/chat_partner.h"
#include "terminal/chat/chat_session.h"
#include "terminal/chat/chat_settings.h"

namespace quire {

struct ChatState {
  ChatSettings initial;   // as the program was started
  ChatSettings settings;
  std::vector<ChatMessage> messages;  // user and assistant in turn
  std::string session;                // the name that /save or /load used last
  std::uint32_t context_used = 0;     // tokens, after the last answer
};

struct CommandReply {
  std::string text;
  bool is_leaving = false;
};

class ChatCommands {
 public:
  ChatCommands(ChatState& state, ChatModelFacts facts);

  Result<CommandReply> obey(std::string_view line);

  // Whole lines that a typed "/..." may become.
  std::vector<std::string> completions(std::string_view line) const;

 private:
  Result<CommandReply> help(const std::string& rest);
  Result<CommandReply> set(const std::string& rest);
  Result<CommandReply> show(const std::string& rest);
  Result<CommandReply> clear(const std::string& rest);
  Result<CommandReply> save(const std::string& rest);
  Result<CommandReply> load(const std::string& rest);
  Result<CommandReply> bye(const std::string& rest);

  struct Command;
  static const std::vector<Command>& commands();

  ChatState& state_;
  ChatModelFacts facts_;
};

}  // namespace quire
