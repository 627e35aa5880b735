// ChatSettings: what /set changes and the flags of `quire run` start with: how answers are drawn
// and how the screen behaves. One table holds every setting's name, bounds and meaning; names that
// other programs use for the same thing are known, and a name that is not gets the nearest one that
// is. A value is checked as the server checks it and never changed in silence.
// Plain values; main thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "core/request.h"

namespace quire {

inline SamplingParams chat_sampling() {
  SamplingParams params;
  params.temperature = 0.7f;
  params.top_p = 0.95f;
  params.tokens_max = 1024;
  return params;
}

struct ChatSettings {
  SamplingParams sampling = chat_sampling();
  std::optional<std::uint64_t> seed;  // none: drawn anew for each answer
  std::string system;                 // the system message; empty: the template's own, if any
  bool is_verbose = false;            // figures after each answer
  bool has_history = true;            // typed lines are remembered beyond this process
  bool has_word_wrap = true;
  bool shows_thoughts = true, may_think = true;
};

inline constexpr int kTokensUnlimited = -1;  // of sampling.tokens_max: up to the context

// `line` is what follows /set: "temperature 0.5", "verbose", "parameter top_k 40" (as in Ollama),
// "temperature default" (back to the value in `initial`). Returns a sentence that says what is set.
Result<std::string> change_setting(std::string_view line, const ChatSettings& initial,
                                   ChatSettings& settings);

// Name and value of each setting, as change_setting() reads them; for sessions.
std::vector<std::pair<std::string, std::string>> setting_values(const ChatSettings& settings);
Status set_value(const std::string& name, const std::string& value, ChatSettings& settings);

// A page of names, values and meanings.
std::string settings_page(const ChatSettings& settings);

// What the value of a setting means; the name must be one.
std::string setting_meaning(std::string_view name);

std::vector<std::string> setting_names();  // of switches too; for suggestions and completion

}  // namespace quire
