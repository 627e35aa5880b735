#include "serve/intake/names/model_names.h"

#include <algorithm>

#include "base/text/ascii.h"
#include "serve/intake/model_lease.h"

namespace quire {
namespace {

constexpr std::string_view kRegistry = "registry.ollama.ai";
constexpr std::string_view kLibrary = "library";
constexpr std::string_view kLatest = "latest";
constexpr std::size_t kPartMax = 80;    // bytes
constexpr std::size_t kHostMax = 350;   // bytes

bool is_part(std::string_view text, std::size_t size_max, std::string_view marks) {
  if (text.empty() || text.size() > size_max) return false;
  if (!is_letter_or_digit(text.front()) && text.front() != '_') return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter_or_digit(c) || c == '_' || c == '-' || marks.find(c) != marks.npos;
  });
}

// Takes what stands behind the last `mark` of `text`; nothing where there is none.
std::optional<std::string_view> cut_behind(std::string_view& text, char mark) {
  const std::size_t at = text.rfind(mark);
  if (at == text.npos) return std::nullopt;
  const std::string_view behind = text.substr(at + 1);
  text = text.substr(0, at);
  return behind;
}

// What two names that mean the same have in common.
std::string key_of(std::string_view name) {
  const bool is_hub = name.starts_with("hf:");
  const std::string text = is_hub ? "hf.co/" + std::string(name.substr(3)) : std::string(name);
  auto parsed = parse_ollama_name(text);
  if (!parsed) return lower_ascii(name);
  if (parsed->host == "huggingface.co") parsed->host = "hf.co";
  return lower_ascii(parsed->host + "/" + parsed->space + "/" + parsed->model + ":" + parsed->tag);
}

}  // namespace

std::optional<OllamaName> parse_ollama_name(std::string_view text) {
  if (const std::size_t scheme = text.find("://"); scheme != text.npos) {
    text.remove_prefix(scheme + 3);
  }
  OllamaName name;
  std::string_view rest = text;
  if (const std::size_t colon = rest.rfind(':');
      colon != rest.npos && rest.find('/', colon) == rest.npos) {
    name.tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    if (!is_part(name.tag, kPartMax, ".")) return std::nullopt;
  }
  const auto model = cut_behind(rest, '/');
  name.model = model ? *model : rest;
  if (!is_part(name.model, kPartMax, ".")) return std::nullopt;
  if (model) {
    const auto space = cut_behind(rest, '/');
    name.space = space ? *space : rest;
    if (!is_part(name.space, kPartMax, space ? "." : "")) return std::nullopt;
    if (space) name.host = rest;
    if (space && !is_part(name.host, kHostMax, ".:")) return std::nullopt;
  }
  if (lower_ascii(name.host) == kRegistry) name.host.clear();
  if (name.host.empty() && lower_ascii(name.space) == kLibrary) name.space.clear();
  if (lower_ascii(name.tag) == kLatest) name.tag.clear();
  return name;
}

std::string shown_name(std::string_view name) {
  std::string shown = name.starts_with("hf:") ? "hf.co/" + std::string(name.substr(3))
                                              : std::string(name);
  const std::size_t slash = shown.rfind('/');
  const bool has_tag = shown.find(':', slash == shown.npos ? 0 : slash) != shown.npos;
  return has_tag ? shown : shown + ":" + std::string(kLatest);
}

bool is_same_model(std::string_view a, std::string_view b) { return key_of(a) == key_of(b); }

std::optional<std::string> served_name(const ModelHost& host, std::string_view name) {
  if (name.empty()) return std::nullopt;
  std::optional<std::string> any, same;
  for (const ModelRow& row : host.rows()) {
    for (const std::string& known : row.names) {
      if (known == name) return known;
      if (known == kAnyName) any = row.names.front();
      if (!same && is_same_model(known, name)) same = known;
    }
  }
  return same ? same : any;
}

std::string meant_model(const ModelSource& source, std::string_view written) {
  std::string name(written);
  if (name.empty() || source.host->has_name(name)) return name;
  const bool has_store = source.catalog != nullptr && source.catalog->is_on_demand() &&
                         name.size() <= kModelNameSizeMax;
  if (has_store && source.catalog->has(name)) return name;
  std::string any;
  if (const auto served = served_name(*source.host, name)) {
    if (is_same_model(*served, name)) return *served;
    any = *served;
  }
  for (const std::string& stored : has_store ? source.catalog->names()
                                             : std::vector<std::string>()) {
    if (is_same_model(stored, name)) return stored;
  }
  return any.empty() ? name : any;
}

}  // namespace quire
