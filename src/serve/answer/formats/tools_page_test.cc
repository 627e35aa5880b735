// docs/tool-formats.md: its tables are what the declarations say and how many entries of the corpus
// stand for each. QUIRE_WRITE_DOCS=1 writes them anew.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/file.h"
#include "serve/answer/formats/testing/corpus.h"
#include "serve/answer/formats/tool_prompt.h"

namespace quire {
namespace {

const std::string kPage = QUIRE_SOURCE_DIR "/docs/tool-formats.md";

std::string code(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    out += byte == '\n' ? "⏎" : byte == '|' ? "&#124;" : std::string(1, byte);
    if (byte == '<') out.replace(out.size() - 1, 1, "&lt;");
  }
  return out.empty() ? "" : "<code>" + out + "</code>";
}

std::string list(std::span<const std::string_view> all, bool is_code) {
  std::string out;
  for (const std::string_view one : all) {
    out += (out.empty() ? "" : ", ") + (is_code ? code(one) : std::string(one));
  }
  return out;
}

std::string checked(bool is_calls, std::string_view name) {
  std::size_t read = 0, refused = 0;
  for (const testing::Member& member : testing::corpus(QUIRE_SOURCE_DIR)) {
    if ((is_calls ? member.calls : member.thoughts) != name) continue;
    ++(member.is_well_formed ? read : refused);
  }
  EXPECT_GE(read, is_calls ? 5u : 2u) << name;
  return fmt::format("{} + {}", read, refused);
}

std::string tables() {
  const std::vector<Json> calls = {
      Json::object({{"function", Json::object({{"name", "f"},
                                               {"arguments", Json::object({{"a", "x"}})}})}})};
  std::string out =
      "| format | other names | recognised by, in the template | a call | answers |\n"
      "|---|---|---|---|---|\n";
  for (const CallFormat* format : all_call_formats()) {
    out += fmt::format("| {} | {} | {} | {} | {} |\n", format->name,
                       list(format->other_names, false),
                       format->is_generic ? "nothing else" : list(format->marks, true),
                       code(written_calls(*format, calls)), checked(true, format->name));
  }
  out +=
      "\n| thoughts | other names | recognised by | between | answers |\n"
      "|---|---|---|---|---|\n";
  for (const ThoughtFormat* format : all_thought_formats()) {
    out += fmt::format("| {} | {} | {} | {} … {} | {} |\n", format->name,
                       list(format->other_names, false), list(format->marks, true),
                       list(format->begins, true), code(format->ends),
                       checked(false, format->name));
  }
  return out;
}

TEST(ToolsPage, SaysWhatTheFormatsAre) {
  const std::string page = read_file(kPage, 1 << 20).value();
  const std::string begin = "<!-- formats -->\n\n", end = "\n<!-- end -->";
  const std::size_t from = page.find(begin), to = page.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  const std::size_t at = from + begin.size();
  const std::string wanted = tables();
  if (page.substr(at, to - at) == wanted) return;
  if (std::getenv("QUIRE_WRITE_DOCS") == nullptr) {
    FAIL() << kPage << " says something else; write it anew with QUIRE_WRITE_DOCS=1";
  }
  std::ofstream(kPage) << page.substr(0, at) + wanted + page.substr(to);
}

}  // namespace
}  // namespace quire
