// Parts: what an answer is made of, the same for every protocol: text, a thought, a call of a tool.
// PartStream cuts the text of one choice into parts as it comes, by the declaration of how the
// model writes them (formats/format.h). However the text is cut into events, the parts are the same
// and their pieces add up to the same texts.
//
// Nothing is lost: what turns out to be no call, or is not finished, is text again. To be able to,
// a call is held back until it is whole; under a grammar that guarantees it (is_guaranteed) it is
// passed on as it comes, and one that is cut off stays as far as it got. Where the model may call,
// the grammar begins where a call opens: what looks like a call and did not open as the grammar has
// it (a control token that is spelled in letters, an object whose name is not its first member) is
// held back as if there were none. White space around parts is dropped; an answer without a format
// passes as it is.
// One choice; I/O thread. Used by dialects.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/events.h"
#include "serve/answer/formats/format.h"
#include "serve/answer/formats/tool.h"

namespace quire {

enum class PartKind : std::uint8_t { kText, kReasoning, kToolCall };

// A piece of a part. Pieces of one part follow each other; the part ends where another begins.
struct PartDelta {
  PartKind kind = PartKind::kText;
  std::size_t index = 0;  // of the part in the answer, from 0
  std::string text;       // of a call: more of its arguments, which are the text of a JSON object
  std::string call_id, call_name;  // of a call: in its first piece
};

struct PartStreamOptions {
  AnswerFormat format;
  bool begins_in_thought = false;  // the prompt has opened it: ends_in_thought()
  bool reads_thoughts = true, reads_calls = true;  // else they are text
  bool is_guaranteed = false;      // the answer is held to lark_of_tools()
  // Not empty: the grammar holds it from where calls open; opening_tokens() of the format.
  std::vector<TokenId> opening_tokens;
  std::vector<Tool> tools;         // types of arguments; what a bare call may be named
  std::string request_id;          // ids of calls are made of it: the same again for the same
  int choice = 0;
};

class PartStream {
 public:
  PartStream();  // everything is text
  explicit PartStream(PartStreamOptions options);
  PartStream(PartStream&&) noexcept;
  PartStream& operator=(PartStream&&) noexcept;
  ~PartStream();

  // Before the first event: there is no grammar after all.
  void leave_free();

  // An event that finishes its branch finishes the parts too.
  void take(const TokenEvent& event, std::vector<PartDelta>& out);

  // The end of the answer; a second one says nothing.
  void finish(std::vector<PartDelta>& out);

 private:
  class Cutter;
  std::unique_ptr<Cutter> cutter_;  // null: everything is text
};

}  // namespace quire
