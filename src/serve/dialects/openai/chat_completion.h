// ChatCompletion: the answer of POST /v1/chat/completions, whole or as chunks: text is `content`, a
// thought is `reasoning_content` and `reasoning` (both names are read), a call is one of
// `tool_calls`, or `function_call` where the request is of that time. Of a call the first chunk has
// id and name, the following ones pieces of its arguments.
// One call; I/O thread. Used by chat.
#pragma once

#include <string>
#include <vector>

#include "serve/answer/shaped_parts.h"
#include "serve/dialects/openai/answer.h"

namespace quire {

// What a chat asks for beside what all endpoints of this dialect read.
struct ChatRequest : OpenAiRequest {
  bool shows_thoughts = true;       // include_reasoning
  bool has_function_call = false;   // the answer's calls are of that time
  bool has_named_call = false;      // the client has named the function: finish_reason stays "stop"
};

class ChatCompletion : public OpenAiAnswer {
 public:
  // `echoes`: [requests] what stands in front of their answers. `shapes`: [requests]
  ChatCompletion(const ChatRequest& request, const std::vector<Request>& requests,
             std::vector<std::string> echoes, const std::vector<AnswerShape>& shapes);

  void take(std::size_t prompt, const TokenEvent& event, std::string& out) override;
  void finish(std::string& out) override;
  void warn(const Warning& warning) override;

  // What take() does with the parts of an event of a choice.
  void take_parts(std::size_t choice, std::vector<PartDelta> parts, const TokenEvent& event,
                  std::string& out);

 private:
  struct CalledTool {
    std::size_t part;
    std::string id, name, arguments;
  };

  struct Choice {
    ShapedParts parts;
    std::string content, thought;   // of a whole answer
    std::vector<CalledTool> calls;  // of a stream: without their arguments
    std::vector<PartDelta> fresh;   // of a stream: since the last chunk
    Json logprobs = Json::array();  // likewise; of a whole answer: all
    std::vector<TokenId> token_ids;
    std::size_t tokens = 0;
    Json finish_reason, stop_reason;
    bool is_begun = false;
  };

  static constexpr std::string_view kChunk = "chat.completion.chunk";

  void keep(Choice& choice, PartDelta part);
  void keep_tokens(Choice& choice, const TokenEvent& event);
  void stream(std::size_t index, Choice& choice, bool is_last, std::string& out);
  void stream_fresh(std::size_t index, Choice& choice, std::string& out);
  Json chunk_choice(std::size_t index, Json delta, Json logprobs) const;
  Json delta_json(Choice& choice, const PartDelta& part) const;
  Json message_json(const Choice& choice) const;
  Json finish_of(const Choice& choice, FinishReason reason) const;

  const bool shows_thoughts_, has_function_call_, has_named_call_;
  std::vector<Choice> choices_;
  Json prompt_logprobs_;
};

}  // namespace quire
