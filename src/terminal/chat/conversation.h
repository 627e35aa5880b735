// Conversation: `quire run` at a terminal: reads messages and commands, shows answers, keeps what
// was said. A stopped answer stays in the conversation; a question that could not be answered does
// not. Main thread. Called by run.
#pragma once

#include <string>

#include "terminal/chat/chat.h"
#include "terminal/chat/chat_commands.h"
#include "terminal/chat/chat_screen.h"
#include "terminal/line_reader.h"
#include "terminal/message_lines.h"

namespace quire {

// The messages for the template: the system message, if one is set, and what was said.
std::vector<ChatMessage> messages_for(const ChatState& state);

// Asks and shows the answer; the caller keeps it. Errors are the model's and the prompt's.
Result<ChatAnswer> ask(Chat& chat, const ChatState& state, ChatScreen& screen);

class Conversation {
 public:
  Conversation(Chat& chat, ChatState state);

  void hold();  // until the person leaves

 private:
  struct Message {
    std::string text;
    bool is_command = false;  // typed with a '/' first; what is pasted or quoted is not
  };

  bool read_message(Message& message);      // false: leave
  bool obey(const std::string& line);       // false: leave
  void reply_to(std::string message);
  void load_history();
  void save_history();

  Chat& chat_;
  ChatState state_;
  ChatScreen screen_;
  ChatCommands commands_;
  LineReader reader_;
  std::string history_path_;  // empty: none is kept
};

}  // namespace quire
