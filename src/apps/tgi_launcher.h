// The flags of TGI's text-generation-launcher and the environment that it reads, as words for
// `quire serve`: a table in which each of them is mapped, told of in a note (it changes no answer),
// or refused with the reason. A flag goes before its variable. What is in no row is a flag of
// `quire serve` and passes as it is.
// Pure, but for the question whether a model is a path; main thread. Used by command_line.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace quire {

enum class LauncherFate : std::uint8_t {
  kServe,    // is the flag `to` of quire serve
  kLimit,    // is the limit `to` of --tgi-limits
  kOwn,      // is put into words of its own
  kNote,     // accepted; a note says `why` it does nothing here
  kRefused,  // refused because of `why`, unless it has one of the values of `neutral`
};

struct LauncherRow {
  std::string_view flag, variable;  // "--model-id", "MODEL_ID"; no variable: empty
  bool takes_value = true;
  LauncherFate fate = LauncherFate::kServe;
  std::string_view to = {};
  std::string_view why = {};
  std::string_view neutral = {};  // parted by blanks
  std::string_view short_flag = {};
};

std::span<const LauncherRow> launcher_rows();

struct ServeWords {
  std::vector<std::string> words;  // from "serve" on
  std::vector<std::string> notes;  // sentences for the operator
};

// Nothing where the variable is not set.
using Environment = std::function<std::optional<std::string>(std::string_view variable)>;

// kInvalidArgument: a sentence that names the flag or the variable.
Result<ServeWords> serve_words_of_launcher(std::span<const std::string> words,
                                           const Environment& environment);

// The rows as a page shows them.
std::string launcher_page();

}  // namespace quire
