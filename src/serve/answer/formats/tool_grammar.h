// The grammar of declared tools, in the Lark that text/grammar compiles: free text until something
// opens a call, then nothing but a call of a declared tool, and free again; or, where a call is
// required, nothing but that. Made from the declaration by which PartStream reads the answer.
// Pure; any thread. Used by dialects before a request is submitted.
#pragma once

#include <span>
#include <vector>

#include "base/status.h"
#include "serve/answer/formats/format.h"
#include "serve/answer/formats/tool.h"
#include "text/grammar/source.h"
#include "text/tokenizer.h"

namespace quire {

struct ToolGrammar {
  AnswerFormat format;             // with calls
  std::span<const Tool> tools;     // at least one, of different names
  ToolChoice choice;               // not kNone
  bool begins_in_thought = false;  // as PartStreamOptions has it
};

// An error names the tool and what of it cannot be enforced: "tools[0] (f): parameters
// /properties/a/pattern: not supported where arguments are written as Python's". Keywords that the
// grammar cannot hold a model to are errors of a strict tool alone; of others they are passed over,
// which `passed_over` (may be null) says: the first of them, and how many tools have some.
Result<GrammarSource> lark_of_tools(const ToolGrammar& wanted, const Tokenizer& tokenizer,
                                    std::string* passed_over = nullptr);

// Of each syntax the control token by which that grammar knows that calls begin; -1: letters do.
std::vector<TokenId> opening_tokens(const CallFormat& format, const Tokenizer& tokenizer);

}  // namespace quire
