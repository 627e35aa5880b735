// How models write calls and thoughts, declared as data: one file a family, a few fields of which
// every family is another value. From one declaration come the grammar that a model is held to
// (tool_grammar.h) and the parser of what it writes (serve/answer/parts.h): they cannot disagree.
//
// Literals are what stands in the text. Two conventions: a line break in a literal stands for any
// white space or none, and so does every border between two fields; a part of a literal that is a
// control token of the vocabulary is that token and never its letters.
// Constants; any thread. Used by dialects, `show` and the terminal.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace quire {

enum class NamePlace : std::uint8_t {
  kMember,  // {"name": "f", "arguments": {...}}
  kKey,     // {"f": {...}}
  kBefore,  // f, then name_closes, then the arguments
};

enum class ArgumentSyntax : std::uint8_t {
  kJson,    // {"a": 1}
  kTags,    // <parameter=a>1</parameter>: text as it is, anything else as JSON
  kPython,  // a=1, b='x'), after "f("
  kBraces,  // a:1,b:<escape>x<escape>}, after "f{"
};

enum class IdStyle : std::uint8_t {
  kCall,       // call_ and 24 letters and digits
  kNine,       // 9 letters and digits
  kFunctions,  // functions.f:0, in the text too
};

struct TagSyntax {
  std::string_view key_opens, key_closes, value_closes;
  std::string_view json_key_closes;  // before what is no text; empty: key_closes
  bool wraps_lines = false;  // one line break before a value and one behind it are not its own
};

// opens (call_opens CALL call_closes) separator (call_opens CALL call_closes) closes
struct CallSyntax {
  std::string_view opens, call_opens, call_closes, separator, closes;
  NamePlace name = NamePlace::kMember;
  std::string_view name_member = "name", arguments_member = "arguments";
  std::string_view id_member;     // of an object: what the model may write as an id
  std::string_view name_opens;    // of kBefore: behind some word that says nothing
  std::string_view name_prefix;   // of kBefore: before the name
  std::string_view name_follow;   // of kBefore: behind the name; any other text there is the same
  std::string_view name_closes;   // of kBefore; empty: the arguments or call_closes follow
  std::string_view index_opens;   // of kBefore: behind the name, then a decimal number
  std::string_view id_opens;      // of kBefore: may stand behind the name, then an id
  ArgumentSyntax arguments = ArgumentSyntax::kJson;
  TagSyntax tags;
  std::string_view quote;    // of kBraces: on both sides of a text
  bool begins_answer = false;  // nothing marks a call but that the answer begins with one
  bool is_single = false;      // one call an answer
};

struct CallFormat {
  std::string_view name;
  std::span<const std::string_view> other_names;  // what other servers call their parsers of it
  // A chat template that has one of these writes calls so.
  std::span<const std::string_view> marks;
  std::span<const CallSyntax> syntaxes;  // the first is what is asked for; each is understood
  // Between parts of an answer: stands for nothing.
  std::span<const std::string_view> hidden;
  std::string_view bridge;        // of hidden: what a part begins with that is not the first
  std::string_view prompt_tail;   // the beginning of an answer that the template has written
  IdStyle ids = IdStyle::kCall;
  bool is_generic = false;        // the model has not learnt it: it has to be told
};

enum class SwitchKind : std::uint8_t { kOnOff, kEffort, kBudget };

// A variable of the template by which thoughts are wanted.
struct ThoughtSwitch {
  std::string_view variable;
  SwitchKind kind = SwitchKind::kOnOff;
};

struct ThoughtFormat {
  std::string_view name;
  std::span<const std::string_view> other_names;
  std::span<const std::string_view> marks;
  std::span<const std::string_view> begins;
  std::string_view ends;
  std::string_view closing_phrase;  // ends a thought that has spent its budget; `ends` is in it
  std::span<const ThoughtSwitch> switches;
  std::span<const std::string_view> hidden;  // around the answer: stands for nothing
  bool is_kept = false;          // in the history
  bool ends_at_calls = false;    // a call ends a thought; else what looks like one is a thought
};

// null: none.
struct AnswerFormat {
  const CallFormat* calls = nullptr;
  const ThoughtFormat* thoughts = nullptr;
  bool operator==(const AnswerFormat&) const = default;
};

std::span<const CallFormat* const> all_call_formats();
std::span<const ThoughtFormat* const> all_thought_formats();

// By its name or one of its others; null if nobody has it.
const CallFormat* find_call_format(std::string_view name);
const ThoughtFormat* find_thought_format(std::string_view name);

// What a template that renders calls and thoughts says of how its model writes them.
AnswerFormat format_of_template(std::string_view chat_template);

// For a model that has learnt none; its prompt has to have tool_instruction() in it.
const CallFormat& generic_call_format();

// Control tokens that have to be in the text for PartStream to see them, in order of id.
std::vector<TokenId> mark_tokens(const AnswerFormat& format, const Tokenizer& tokenizer);

// Whether a prompt that ends so has opened a thought that the answer goes on with.
bool ends_in_thought(const AnswerFormat& format, std::string_view prompt_end);

// Every literal of a syntax, in order; empty ones left out.
std::vector<std::string_view> literals_of(const CallSyntax& syntax);

}  // namespace quire
