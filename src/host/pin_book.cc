#include "host/pin_book.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "host/served_names.h"
#include "store/file_lock.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

// Nothing: it is not what a server has written.
std::optional<std::set<std::string>> names_of(const Json& json) {
  const Json* list = json.is_object() ? json.find("pinned") : nullptr;
  if (list == nullptr || !list->is_array()) return std::nullopt;
  std::set<std::string> names;
  for (const Json& name : list->items()) {
    const bool is_name = name.is_string() && !name.as_string().empty() &&
                         name.as_string().size() <= PinBook::kNameBytesMax;
    if (!is_name || names.size() == PinBook::kNamesMax) return std::nullopt;
    names.insert(name.as_string());
  }
  return names;
}

}  // namespace

PinBook::PinBook(std::string path) : path_(std::move(path)) { read(); }

void PinBook::read() {
  std::error_code failure;
  if (!fs::exists(path_, failure)) return;
  const Result<std::string> text = read_file(path_, kFileBytesMax);
  const Result<Json> json = text.is_ok() ? parse_json(*text) : text.status();
  auto names = json.is_ok() ? names_of(*json) : std::nullopt;
  if (names) {
    names_ = std::move(*names);
    return;
  }
  spdlog::warn("no model is pinned from before: '{}' {}", path_,
               json.is_ok() ? "is not what a server has written" : json.status().message());
}

void PinBook::apply(ModelHost& host) const {
  const std::lock_guard lock(mutex_);  // nobody unpins meanwhile
  for (const std::string& name : names_) {
    if (!host.has_name(name)) continue;
    const auto model = host.find(name);  // it may have gone meanwhile
    if (model) static_cast<void>(host.set_pinned(*model, true).is_ok());
  }
}

std::vector<std::string> PinBook::tell_missing(
    const ModelHost& host, const std::function<bool(const std::string&)>& is_awaited) const {
  std::vector<std::string> missing;
  for (const std::string& name : names()) {
    if (!host.has_name(name) && !is_awaited(name)) missing.push_back(name);
  }
  if (!missing.empty()) {
    spdlog::info("pinned before, and not served here: {}", fmt::join(missing, ", "));
  }
  return missing;
}

Status PinBook::set(ModelHost& host, ModelHost::ModelIndex model, bool is_pinned,
                    std::string_view asked) {
  const std::lock_guard lock(mutex_);
  QUIRE_RETURN_IF_ERROR(host.set_pinned(model, is_pinned));
  std::vector<std::string> names = host.names(model);
  const bool is_any_version = !bare_name(names).empty() && names.front() != asked;
  if (is_pinned && is_any_version) names.erase(names.begin());  // another one may have it tomorrow
  return keep_locked(names, is_pinned);
}

Status PinBook::keep(const std::vector<std::string>& names, bool is_pinned) {
  const std::lock_guard lock(mutex_);
  return keep_locked(names, is_pinned);
}

Status PinBook::keep_locked(const std::vector<std::string>& names, bool is_pinned) {
  std::error_code failure;
  fs::create_directories(fs::path(path_).parent_path(), failure);
  const auto alone = store::FileLock::acquire(path_ + ".lock", store::FileLock::Mode::kExclusive);
  if (alone.is_ok()) read();  // others may have written meanwhile
  const std::set<std::string> before = names_;
  for (const std::string& name : names) {
    if (name == kAnyName || name.size() > kNameBytesMax) continue;
    if (is_pinned) names_.insert(name);
    else names_.erase(name);
  }
  if (names_.size() > kNamesMax) {
    names_ = before;
    return error(StatusCode::kResourceExhausted, "{} names of pinned models are kept already; "
                                                 "unpin some", kNamesMax);
  }
  if (!alone.is_ok()) return alone.status();
  return before == names_ ? ok_status() : replace(names_);
}

Status PinBook::replace(const std::set<std::string>& names) const {
  Json list = Json::array();
  for (const std::string& name : names) list.push(name);
  return replace_file(path_, dump(Json::object({{"pinned", std::move(list)}})) + "\n");
}

std::set<std::string> PinBook::names() const {
  const std::lock_guard lock(mutex_);
  return names_;
}

}  // namespace quire
