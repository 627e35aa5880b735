// The tree of a Go template: texts and actions in order, actions with pipelines of commands of
// words. Plain values that own what they hold; a line number for every place that can be wrong.
// Made by parser, read by renderer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"

namespace quire::go {

struct Pipeline;

enum class WordKind : std::uint8_t { kDot, kField, kVariable, kConstant, kFunction, kPipeline };

// One word of a command; `fields` are taken from its value: ".A.B", "$x.A", "(index .M 0).Role".
struct Word {
  WordKind kind = WordKind::kDot;
  std::string name;                 // of a variable ("$x") or a function
  Json value;                       // of a constant
  std::vector<std::string> fields;
  std::vector<Pipeline> inner;      // of kPipeline: one
};

struct Command {
  std::vector<Word> words;  // at least one
};

struct Pipeline {
  int line = 0;
  std::vector<std::string> variables;  // that are set: "$x", or of a range "$i", "$x"
  bool is_declaration = false;         // := instead of =
  std::vector<Command> commands;
};

enum class NodeKind : std::uint8_t {
  kText, kAction, kIf, kRange, kWith, kTemplate, kBreak, kContinue,
};

struct Node {
  NodeKind kind = NodeKind::kText;
  int line = 0;
  std::string text;            // of a text; of a template its name
  Pipeline pipeline;
  bool has_pipeline = false;   // of a template
  std::vector<Node> body, otherwise;
  bool is_behind_answer = false;  // in the text's order, an action before it writes .Response
};

struct NamedBody {
  std::string name;  // empty: the whole
  std::vector<Node> nodes;
};

struct Tree {
  std::vector<NamedBody> bodies;  // the first is the whole; names are unique
  std::vector<std::string> fields;  // that occur anywhere, sorted: "Messages", "Role"
};

}  // namespace quire::go
