// ResponsesRequest: what POST /v1/responses and its relatives ask for, read and checked: sampling
// as everywhere in this dialect, the new items, what they go on from, what the answer repeats.
// Pure but for the archive; worker threads. Used by endpoints.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "serve/dialects/openai/generation.h"
#include "serve/intake/tools/offered_tools.h"
#include "serve/intake/tools/thinking.h"
#include "text/chat_prompt.h"

namespace quire {

struct ResponsesRequest : OpenAiRequest {
  std::vector<Json> input;    // new items
  std::vector<Json> history;  // those before them: of earlier answers or of the conversation
  std::optional<Json> instructions;
  std::string previous;      // an answer's id; empty: none
  std::string conversation;  // likewise
  bool is_kept = true;       // store
  bool is_background = false;
  bool truncates = false;
  bool seals_thoughts = false;  // include reasoning.encrypted_content
  OfferedTools offered;
  ThinkingWish thinking;
  Json echo = Json::object();  // fields that the answer repeats, as they hold
  Json notes = Json::array();  // warnings
};

// Mistakes go to `fields`. What is unknown is not looked for.
ResponsesRequest read_responses_request(Fields& fields, const DialectContext& context);

// The token ids of the whole, cut where the request allows it; `note` is then told.
Parsed<std::vector<TokenId>> encode_turn(ResponsesRequest& request);

void add_note(Json& notes, std::string_view code, std::string_view param, std::string message);

}  // namespace quire
