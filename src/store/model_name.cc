#include "store/model_name.h"

#include <algorithm>
#include <optional>

namespace quire::store {
namespace {

constexpr std::string_view kRemotePrefix = "hf:";
constexpr std::size_t kNameMax = 96;    // as the hub has it
constexpr std::size_t kChoiceMax = 160;
constexpr std::size_t kTextMax = 240;   // a manifest's file name holds it, escaped

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kNameMax && text.front() != '.' && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), is_word_character);
}

// A path inside a repository, or a revision such as refs/pr/3: words between slashes.
bool is_word_path(std::string_view text) {
  if (text.size() > kChoiceMax) return false;
  while (true) {
    const std::size_t slash = text.find('/');
    if (!is_word(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

// As Ollama names models: "smollm2", "mario:7b", "me/mario:7b", "host:5000/me/mario:7b".
bool is_tagged_path(std::string_view text) {
  constexpr int kPartsMax = 3;
  if (text.size() > kChoiceMax) return false;
  for (int parts = 1; parts <= kPartsMax; ++parts) {
    const std::size_t slash = text.find('/');
    const std::string_view part = text.substr(0, slash);
    const std::size_t colon = part.find(':');
    const bool may_have_tag = slash == std::string_view::npos || parts == 1;
    if (!is_word(part.substr(0, colon))) return false;
    if (colon != part.npos && !(may_have_tag && is_word(part.substr(colon + 1)))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
  return false;
}

// Cuts `text` at the first `mark` and returns what stood behind it, if there is a mark.
std::optional<std::string_view> cut(std::string_view& text, char mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = text.substr(at + 1);
  text = text.substr(0, at);
  return rest;
}

Result<ModelName> parse_remote(std::string_view text) {
  ModelName parsed;
  parsed.text = text;
  std::string_view rest = text.substr(kRemotePrefix.size());
  const auto choice = cut(rest, ':');
  const auto revision = cut(rest, '@');
  const auto name = cut(rest, '/');
  if (!name || !is_word(rest) || !is_word(*name) || escaped_name(text).size() > kTextMax) {
    return error(StatusCode::kInvalidArgument,
                 "'{}' is not a model of the hub: write hf:OWNER/NAME, such as "
                 "hf:Qwen/Qwen3-0.6B-GGUF, with :Q8_0 or :FILE.gguf behind it if you like", text);
  }
  if (revision && !is_word_path(*revision)) {
    return error(StatusCode::kInvalidArgument,
                 "'{}': behind @ stands no revision (a branch, a tag or a commit)", text);
  }
  if (choice && !is_word_path(*choice)) {
    return error(StatusCode::kInvalidArgument,
                 "'{}': behind : stands neither a quantization such as Q4_K_M nor a file", text);
  }
  parsed.owner = rest;
  parsed.name = *name;
  parsed.revision = revision.value_or("");
  parsed.choice = choice.value_or("");
  return parsed;
}

}  // namespace

bool is_remote_name(std::string_view text) { return text.starts_with(kRemotePrefix); }

Result<ModelName> ModelName::parse(std::string_view text) {
  if (is_remote_name(text)) return parse_remote(text);
  ModelName local;
  local.text = text;
  if (is_tagged_path(text)) return local;
  return error(StatusCode::kInvalidArgument,
               "'{}' is not a name of a model: names have letters, digits, dots, dashes and "
               "underscores, at most {} of them, and perhaps a tag behind a colon", text, kNameMax);
}

std::string escaped_name(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (is_word_character(c)) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

}  // namespace quire::store
