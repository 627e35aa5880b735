// Where a value ends in a text that is still growing. JsonScan follows brackets and quotes of JSON;
// LooseScan those of Python's literals and of texts between quoting tokens, whose values
// json_of_loose() then turns into JSON. Scans judge brackets and no more: whether the whole is
// valid is asked once, at its end.
// Plain values. Used by call_reader.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quire {

enum class ScanStep : std::uint8_t {
  kInside,
  kLast,   // this byte ends the value
  kAfter,  // the value ended before this byte
};

class JsonScan {
 public:
  ScanStep take(char byte);

 private:
  int depth_ = 0;
  bool in_text_ = false, is_escaped_ = false, is_begun_ = false;
};

class LooseScan {
 public:
  // `quote`: around texts; empty: ' and " as Python has them.
  explicit LooseScan(std::string_view quote = {}) : quote_(quote) {}

  // Whether the value ends before text[at]: at a comma or at `closes`. Else moves `at` behind what
  // belongs to the value; without moving it: more text is needed.
  bool take(std::string_view text, std::size_t& at, char closes);

 private:
  std::string_view quote_;
  int depth_ = 0;
  char open_ = 0;  // the quote that is open
};

// A literal of Python (`quote` is empty) or of Gemma's calls as JSON text; nothing if it is none.
std::optional<std::string> json_of_loose(std::string_view text, std::string_view quote);

// `bytes` as they stand between the quotes of a JSON text. Bytes that are no whole character pass.
void append_json_escaped(std::string_view bytes, std::string& out);

}  // namespace quire
