// The corpus of answers (tests/answers/*.txt): for every format what a model of that family writes,
// by hand from its published template, and the parts that it means. Parser, grammar and the page of
// tools are tested against the same entries. An entry is
//   @ CALLS THOUGHTS [refused] [in-thought]      formats' names, - for none
//   the answer's text, with \n only where a line ends
//   @=
//   text: ... | thought: ... | call: NAME ARGUMENTS    a line a part; line breaks as \n
// `refused`: by the grammar, since it is malformed or no way to write what is asked for.
// Tests only.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "serve/answer/parts.h"

namespace quire::testing {

struct Member {
  std::string calls, thoughts;
  std::string text, parts;
  bool is_well_formed = true, begins_in_thought = false;

  AnswerFormat format() const {
    return {.calls = find_call_format(calls), .thoughts = find_thought_format(thoughts)};
  }
};

inline std::vector<Member> read_corpus_file(const std::filesystem::path& path) {
  std::vector<Member> all;
  std::ifstream in(path);
  std::string* target = nullptr;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("@ ")) {
      std::istringstream words(line.substr(2));
      Member member;
      words >> member.calls >> member.thoughts;
      for (std::string word; words >> word;) {
        EXPECT_TRUE(word == "refused" || word == "in-thought") << path << ": " << line;
        if (word == "refused") member.is_well_formed = false;
        if (word == "in-thought") member.begins_in_thought = true;
      }
      EXPECT_TRUE(member.calls == "-" || member.format().calls != nullptr) << line;
      EXPECT_TRUE(member.thoughts == "-" || member.format().thoughts != nullptr) << line;
      all.push_back(std::move(member));
      target = &all.back().text;
    } else if (line == "@=") {
      if (!target->empty()) target->pop_back();  // the line's end is the file's
      target = &all.back().parts;
    } else if (target != nullptr) {
      *target += line + '\n';
    }
  }
  return all;
}

// `source_dir`: QUIRE_SOURCE_DIR, which tests alone know.
inline const std::vector<Member>& corpus(const std::filesystem::path& source_dir) {
  static const std::vector<Member> all = [&] {
    std::vector<std::filesystem::path> paths;
    for (const auto& file : std::filesystem::directory_iterator(source_dir / "tests/answers")) {
      if (file.path().extension() == ".txt") paths.push_back(file.path());
    }
    std::ranges::sort(paths);
    std::vector<Member> members;
    for (const auto& path : paths) {
      for (Member& member : read_corpus_file(path)) members.push_back(std::move(member));
    }
    return members;
  }();
  return all;
}

// What the corpus calls.
inline std::vector<Tool> corpus_tools() {
  return {
      {"get_weather", "The weather of a city",
       R"({"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"},)"
       R"("metric":{"type":"boolean"}},"required":["city"],"additionalProperties":false})"},
      {"now", "What time it is",
       R"({"type":"object","properties":{},"additionalProperties":false})"},
      {"draw", "Draws",
       R"({"type":"object","properties":{"points":{"type":"array","items":{"type":"object",)"
       R"("properties":{"x":{"type":"number"},"y":{"type":"number"}},"required":["x","y"],)"
       R"("additionalProperties":false}},"style":{"type":"object","properties":{"color":)"
       R"({"enum":["red","blue"]},"label":{"type":["string","null"]}},)"
       R"("additionalProperties":false}},"required":["points"],"additionalProperties":false})"},
      {"write-file", "Writes a file",
       R"({"type":"object","properties":{"path":{"type":"string"},"text":{"type":"string"}},)"
       R"("required":["path","text"],"additionalProperties":false})"},
  };
}

// Parts as the corpus writes them; the pieces of a part are joined.
inline std::string described(const std::vector<PartDelta>& deltas) {
  std::string out;
  std::vector<PartDelta> parts;
  for (const PartDelta& delta : deltas) {
    if (parts.empty() || parts.back().index != delta.index) {
      EXPECT_EQ(delta.index, parts.size());
      parts.push_back(delta);
      continue;
    }
    EXPECT_EQ(parts.back().kind, delta.kind);
    EXPECT_TRUE(delta.call_name.empty() && delta.call_id.empty());
    parts.back().text += delta.text;
  }
  for (const PartDelta& part : parts) {
    out += part.kind == PartKind::kText        ? "text: "
           : part.kind == PartKind::kReasoning ? "thought: "
                                               : "call: " + part.call_name + " ";
    std::string text = part.text;
    if (part.kind == PartKind::kToolCall) {
      const Result<Json> arguments = parse_json(text);
      if (arguments.is_ok()) text = dump(*arguments);
    }
    for (const char byte : text) out += byte == '\n' ? std::string("\\n") : std::string(1, byte);
    out += '\n';
  }
  return out;
}

inline PartStreamOptions options_of(const Member& member, bool is_guaranteed) {
  return {.format = member.format(),
          .begins_in_thought = member.begins_in_thought,
          .is_guaranteed = is_guaranteed,
          .tools = corpus_tools(),
          .request_id = "request"};
}

}  // namespace quire::testing
