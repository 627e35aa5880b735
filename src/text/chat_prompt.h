// Chat prompts: from messages to token ids, the same way for every front end. The model's template
// renders the messages and the text is encoded as a whole; where a message's own words read like a
// control token ("<|im_end|>"), that place stays letters, so that nobody speaks as somebody else.
// A content is handed over in the form that the template reads (text or parts), a message that is
// to be continued stays open exactly where its own words end, and a model whose file says that a
// prompt begins with BOS gets one, whether its template writes it or not.
// Pure but for the date that a template may ask for; any thread. Used by serve and the terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace quire {

// What a model's files say about its prompts.
struct ChatWords {
  std::string bos_text, eos_text;  // as templates see them
  TokenId bos_id = -1;             // -1: none
  bool adds_bos = false;           // a chat begins with one BOS whatever the template writes
};

struct ChatModel {
  const Tokenizer& tokenizer;
  const ChatTemplate& chat_template;
  const ChatWords& words;
  std::size_t context_max;  // positions
};

struct ChatPrompt {
  // Objects with role and content; a content is text or a list of {"type": "text", "text": ...}. An
  // assistant's may have tool_calls, whose arguments are objects or their JSON texts, and
  // reasoning_content: both reach the template in the form and under the name that it reads.
  std::vector<Json> messages;
  // What the template reads beside them, by name, such as tools and documents: whatever is written
  // in there, names of members too, stays letters as the messages' words do.
  std::vector<Json::Member> materials;
  std::vector<Json::Member> template_kwargs;  // of the operator's or checked: taken as they are
  bool add_generation_prompt = true;
  bool continue_final_message = false;  // the last message stays open
  bool add_special_tokens = false;
  bool is_dressed = false;  // what the model's Modelfile puts in front is there already
  bool settles_bos = true;  // one BOS where the model's file wants one; else the template's own
};

// kResourceExhausted: the messages cannot fit ("your messages have at least 5 tokens");
// kInvalidArgument: a sentence that says what is wrong with them. REQUIRES: at least one message.
Result<std::vector<TokenId>> encode_chat(const ChatModel& model, const ChatPrompt& chat);

// The message as the template reads it.
Json fit_content(const Json& message, ContentForm form);
Json fit_calls(const Json& message, const ChatTemplate& chat_template);

}  // namespace quire
