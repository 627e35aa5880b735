// The table of settings: see chat_settings.h.
#include "terminal/chat/chat_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>

#include "terminal/nearest_word.h"

namespace quire {
namespace {

constexpr std::size_t kStopSizeMax = 256;
constexpr std::size_t kSystemSizeMax = std::size_t{1} << 20;

struct Setting {
  std::string_view name;
  std::string_view also;  // what others call it
  std::string_view meaning;
  std::function<Status(const std::string&, ChatSettings&)> set;
  std::function<std::string(const ChatSettings&)> get;
};

struct Switch {
  std::string_view name;
  bool ChatSettings::* field;
  bool value;
  std::string_view meaning;
};

constexpr Switch kSwitches[] = {
    {"verbose", &ChatSettings::is_verbose, true, "figures after each answer"},
    {"quiet", &ChatSettings::is_verbose, false, "no figures"},
    {"history", &ChatSettings::has_history, true, "keep what is typed for the next time"},
    {"nohistory", &ChatSettings::has_history, false, "forget what is typed"},
    {"wordwrap", &ChatSettings::has_word_wrap, true, "break lines between words"},
    {"nowordwrap", &ChatSettings::has_word_wrap, false, "leave lines as they are"},
    {"thoughts", &ChatSettings::shows_thoughts, true, "show what a model thinks, dim"},
    {"nothoughts", &ChatSettings::shows_thoughts, false, "one word in place of a thought"},
    {"think", &ChatSettings::may_think, true, "let a model think before it answers"},
    {"nothink", &ChatSettings::may_think, false, "ask it not to, where it can be asked"},
};

// Names that a person may bring along and that have an answer other than "unknown".
constexpr std::pair<std::string_view, std::string_view> kElsewhere[] = {
    {"num_ctx", "the context is chosen at the start: quire run --max-model-len N"},
    {"num_thread", "threads are chosen at the start: quire run --threads N"},
    {"format", "what answers look like is chosen at the start: quire run --schema FILE"},
};

template <typename T>
std::optional<T> number_of(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [at, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc() || at != end || text.empty()) return std::nullopt;
  return value;
}

Setting real(std::string_view name, std::string_view also, float SamplingParams::* field,
             float low, float high, bool is_low_open, std::string_view meaning) {
  return {name, also, meaning,
          [=](const std::string& text, ChatSettings& settings) {
            const auto value = number_of<float>(text);
            if (!value || !(*value >= low && *value <= high) || (is_low_open && *value == low)) {
              return error(StatusCode::kInvalidArgument, "{} is a number {} {} to {}, not '{}'",
                           name, is_low_open ? "above" : "from", low, high, text);
            }
            settings.sampling.*field = *value;
            return ok_status();
          },
          [=](const ChatSettings& settings) {
            return fmt::format("{}", settings.sampling.*field);
          }};
}

Setting top_k() {
  return {"top_k", "", "draw from the k likeliest tokens; 0: from all",
          [](const std::string& text, ChatSettings& settings) {
            const auto value = number_of<int>(text);
            if (!value || *value < -1) {
              return error(StatusCode::kInvalidArgument,
                           "top_k is a whole number from 0 (off), not '{}'", text);
            }
            settings.sampling.top_k = std::max(*value, 0);  // vLLM's -1 means off, too
            return ok_status();
          },
          [](const ChatSettings& settings) { return fmt::format("{}", settings.sampling.top_k); }};
}

Setting max_tokens() {
  return {"max_tokens", "num_predict", "of one answer; -1: as many as fit the context",
          [](const std::string& text, ChatSettings& settings) {
            const auto value = number_of<int>(text);
            if (!value || (*value < 1 && *value != kTokensUnlimited)) {
              return error(StatusCode::kInvalidArgument,
                           "max_tokens is a whole number from 1, or -1 for as many as fit the "
                           "context, not '{}'", text);
            }
            settings.sampling.tokens_max = *value;
            return ok_status();
          },
          [](const ChatSettings& settings) {
            return fmt::format("{}", settings.sampling.tokens_max);
          }};
}

Setting seed() {
  return {"seed", "", "for the same answer again, or random",
          [](const std::string& text, ChatSettings& settings) {
            const auto value = number_of<std::uint64_t>(text);
            if (!value && text != "random") {
              return error(StatusCode::kInvalidArgument,
                           "seed is a whole number from 0, or random, not '{}'", text);
            }
            settings.seed = value;
            return ok_status();
          },
          [](const ChatSettings& settings) {
            return settings.seed ? fmt::format("{}", *settings.seed) : std::string("random");
          }};
}

Setting stop() {
  return {"stop", "", "end the answer before this text; none: nothing",
          [](const std::string& text, ChatSettings& settings) {
            if (text.empty() || text.size() > kStopSizeMax) {
              return error(StatusCode::kInvalidArgument, "stop is a text of 1 to {} bytes, or none",
                           kStopSizeMax);
            }
            settings.sampling.stop_strings.clear();
            if (text != "none") settings.sampling.stop_strings.push_back(text);
            return ok_status();
          },
          [](const ChatSettings& settings) {
            const auto& texts = settings.sampling.stop_strings;
            return texts.empty() ? std::string("none") : texts.front();
          }};
}

Setting system_message() {
  return {"system", "", "the system message; none: the model's own",
          [](const std::string& text, ChatSettings& settings) {
            if (text.size() > kSystemSizeMax) {
              return error(StatusCode::kInvalidArgument, "system is a text of at most {} bytes",
                           kSystemSizeMax);
            }
            settings.system = text == "none" ? std::string() : text;
            return ok_status();
          },
          [](const ChatSettings& settings) {
            return settings.system.empty() ? std::string("none") : settings.system;
          }};
}

const std::vector<Setting>& all_settings() {
  using P = SamplingParams;
  static const std::vector<Setting> table = {
      real("temperature", "", &P::temperature, 0, 2, false, "0 is greedy, 2 is wild"),
      real("top_p", "", &P::top_p, 0, 1, false, "draw from the likeliest tokens of this share"),
      top_k(),
      real("min_p", "", &P::min_p, 0, 1, false, "leave out what is less likely than this share"),
      real("typical_p", "", &P::typical_p, 0, 1, true,
           "draw from what is about as surprising as expected"),
      real("repetition_penalty", "repeat_penalty", &P::repetition_penalty, 0, 1000, true,
           "above 1: against what stands in prompt and answer"),
      real("presence_penalty", "", &P::presence_penalty, -2, 2, false,
           "against what the answer said already"),
      real("frequency_penalty", "", &P::frequency_penalty, -2, 2, false,
           "against what the answer says often"),
      seed(), max_tokens(), stop(), system_message(),
  };
  return table;
}

const Setting* find_setting(std::string_view name) {
  for (const Setting& setting : all_settings()) {
    if (name == setting.name || (!setting.also.empty() && name == setting.also)) return &setting;
  }
  return nullptr;
}

Status unknown_setting(const std::string& name) {
  for (const auto& [other, answer] : kElsewhere) {
    if (name == other) return error(StatusCode::kUnsupported, "{}", answer);
  }
  const std::string near = nearest_word(name, setting_names());
  return error(StatusCode::kInvalidArgument, "there is no setting '{}'{}", name,
               near.empty() ? "; /set lists them" : fmt::format("; did you mean '{}'?", near));
}

// The first word of `text`; `text` becomes the rest, without the white space between.
std::string take_word(std::string_view& text) {
  constexpr std::string_view kSpace = " \t\n";
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  const std::string word(text.substr(0, text.find_first_of(kSpace)));
  text.remove_prefix(word.size());
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return word;
}

std::string shortened(std::string text) {
  constexpr std::size_t kShownMax = 60;
  const std::size_t line = std::min(text.find('\n'), kShownMax);
  if (text.size() <= line) return text;
  std::size_t end = line;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

Result<std::string> change_setting(std::string_view line, const ChatSettings& initial,
                                   ChatSettings& settings) {
  std::string name = take_word(line);
  if (name == "parameter") name = take_word(line);
  if (name.empty()) {
    return error(StatusCode::kInvalidArgument, "/set NAME VALUE; /set alone lists the names");
  }
  std::string value(line);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\n')) value.pop_back();
  for (const Switch& known : kSwitches) {
    if (name != known.name) continue;
    if (!value.empty()) {
      return error(StatusCode::kInvalidArgument, "/set {} takes no value", name);
    }
    settings.*known.field = known.value;
    return fmt::format("{}: {}", name, known.meaning);
  }
  const Setting* setting = find_setting(name);
  if (setting == nullptr) return unknown_setting(name);
  if (value.empty()) {
    return error(StatusCode::kInvalidArgument, "/set {} needs a value (it is {}): {}",
                 setting->name, shortened(setting->get(settings)), setting->meaning);
  }
  if (value == "default") value = setting->get(initial);
  QUIRE_RETURN_IF_ERROR(setting->set(value, settings));
  return fmt::format("{} is {}", setting->name, shortened(setting->get(settings)));
}

std::vector<std::pair<std::string, std::string>> setting_values(const ChatSettings& settings) {
  std::vector<std::pair<std::string, std::string>> values;
  for (const Setting& setting : all_settings()) {
    values.emplace_back(setting.name, setting.get(settings));
  }
  return values;
}

Status set_value(const std::string& name, const std::string& value, ChatSettings& settings) {
  const Setting* setting = find_setting(name);
  return setting == nullptr ? unknown_setting(name) : setting->set(value, settings);
}

std::string settings_page(const ChatSettings& settings) {
  std::string page;
  for (const Setting& setting : all_settings()) {
    std::string name(setting.name);
    const std::string value = shortened(setting.get(settings));
    page += fmt::format("  {:<20} {:<7} {}\n", name, value, setting.meaning);
  }
  for (std::size_t i = 0; i + 1 < std::size(kSwitches); i += 2) {
    const Switch& on = kSwitches[i];
    const std::string names = fmt::format("{}, {}", on.name, kSwitches[i + 1].name);
    page += fmt::format("  {:<20} {:<7} {}\n", names, settings.*on.field ? "on" : "off",
                        on.meaning);
  }
  return page;
}

std::string setting_meaning(std::string_view name) {
  const Setting* setting = find_setting(name);
  QUIRE_CHECK(setting != nullptr, "no setting '{}'", name);
  return std::string(setting->meaning);
}

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  for (const Setting& setting : all_settings()) {
    names.emplace_back(setting.name);
    if (!setting.also.empty()) names.emplace_back(setting.also);
  }
  for (const Switch& known : kSwitches) names.emplace_back(known.name);
  return names;
}

}  // namespace quire
