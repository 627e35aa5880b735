#include "serve/access/key_file.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "core/request.h"

namespace quire {
namespace {

constexpr std::size_t kFileMax = 4 << 20;  // bytes
constexpr std::size_t kKeysMax = 10'000;
constexpr std::size_t kKeyMax = 1024;  // bytes
constexpr std::size_t kNameMax = 64;
constexpr std::string_view kBlanks = " \t\r";

template <typename... Args>
Status wrong(std::size_t line, fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kInvalidArgument, "line {}: {}", line,
               fmt::format(format, std::forward<Args>(args)...));
}

// The next word, which `text` loses; empty at the end or where a comment begins.
std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  if (text.starts_with('#')) text = {};
  const std::string_view word = text.substr(0, std::min(text.find_first_of(kBlanks), text.size()));
  text.remove_prefix(word.size());
  return word;
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

// Names of ours are given to keys without one.
bool is_good_name(std::string_view name) {
  const auto is_good = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           c == '-' || c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= kNameMax && !name.starts_with("key-") &&
         name != "public" && name != "other" && std::all_of(name.begin(), name.end(), is_good);
}

Status read_attribute(std::string_view word, KeyLine& row) {
  constexpr std::string_view kName = "name=", kShare = "share=";
  if (word.starts_with(kName)) {
    row.name = word.substr(kName.size());
    if (is_good_name(row.name)) return ok_status();
    return wrong(row.line, "a name has 1 to {} letters, digits, '-', '_' or '.', and is not "
                 "public, other or key-...", kNameMax);
  }
  if (word.starts_with(kShare)) {
    const std::string_view text = word.substr(kShare.size());
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), row.share);
    const bool is_whole = failure == std::errc() && end == text.data() + text.size();
    if (is_whole && row.share >= 1 && row.share <= Request::kTenantShareMax) return ok_status();
    return wrong(row.line, "a share is a whole number from 1 to {}", Request::kTenantShareMax);
  }
  return wrong(row.line, "after the key there may be name=... and share=..., and nothing else");
}

}  // namespace

Result<std::vector<KeyLine>> parse_keys(std::string_view text) {
  std::vector<KeyLine> rows;
  std::set<std::string_view> keys;
  std::map<std::string, std::uint32_t> shares;  // by name
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, std::min(text.find('\n'), text.size()));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string_view key = take_word(line);
    if (key.empty()) continue;
    if (rows.size() == kKeysMax) return wrong(number, "there are more than {} keys", kKeysMax);
    KeyLine& row = rows.emplace_back(KeyLine{.key = std::string(key), .line = number});
    if (key.size() > kKeyMax || !is_printable(key)) {
      return wrong(number, "a key has at most {} characters, all of them printable ASCII", kKeyMax);
    }
    if (!keys.insert(key).second) return wrong(number, "the key is there already");
    for (std::string_view word; !(word = take_word(line)).empty();) {
      QUIRE_RETURN_IF_ERROR(read_attribute(word, row));
    }
    if (row.name.empty()) continue;
    if (shares.emplace(row.name, row.share).first->second != row.share) {
      return wrong(number, "'{}' has another share before", row.name);
    }
  }
  return rows;
}

KeyFile::KeyFile(std::string path) : file_(std::move(path), kFileMax) {}

Result<std::vector<KeyLine>> KeyFile::read() {
  Result<std::string> text = file_.read();
  if (!text.is_ok()) {
    return error(text.status().code(), "--api-key-file: {}", text.status().message());
  }
  Result<std::vector<KeyLine>> rows = parse_keys(*text);
  OPENSSL_cleanse(text->data(), text->size());
  if (!rows.is_ok()) return told(rows.status());
  return rows;
}

Status KeyFile::told(const Status& status) const {
  return error(status.code(), "--api-key-file '{}': {}", file_.path(), status.message());
}

}  // namespace quire
