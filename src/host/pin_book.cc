#include "host/pin_book.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/json.h"

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
  for (const std::string& name : names()) {
    if (!host.has_name(name)) continue;
    const auto model = host.find(name);  // it may have gone meanwhile
    if (model) static_cast<void>(host.set_pinned(*model, true).is_ok());
  }
}

void PinBook::drop_missing(const ModelHost& host,
                           const std::function<bool(const std::string&)>& is_awaited) {
  const std::lock_guard lock(mutex_);
  std::set<std::string> stays;
  std::vector<std::string> gone;
  for (const std::string& name : names_) {
    if (host.has_name(name) || is_awaited(name)) stays.insert(name);
    else gone.push_back(name);
  }
  if (gone.empty()) return;
  spdlog::info("pinned before, and not there any more: {}", fmt::join(gone, ", "));
  const Status replaced = replace(std::move(stays));
  if (!replaced.is_ok()) spdlog::warn("pins are not kept: {}", replaced.message());
}

Status PinBook::keep(const std::vector<std::string>& names, bool is_pinned) {
  const std::lock_guard lock(mutex_);
  std::set<std::string> changed = names_;
  for (const std::string& name : names) {
    if (name == kAnyName || name.size() > kNameBytesMax) continue;
    if (is_pinned) changed.insert(name);
    else changed.erase(name);
  }
  if (changed.size() > kNamesMax) {
    return error(StatusCode::kResourceExhausted, "{} names of pinned models are kept already; "
                                                 "unpin some", kNamesMax);
  }
  return changed == names_ ? ok_status() : replace(std::move(changed));
}

Status PinBook::replace(std::set<std::string> names) {
  Json list = Json::array();
  for (const std::string& name : names) list.push(name);
  std::error_code failure;
  fs::create_directories(fs::path(path_).parent_path(), failure);
  QUIRE_RETURN_IF_ERROR(replace_file(path_, dump(Json::object({{"pinned", std::move(list)}})) +
                                                "\n"));
  names_ = std::move(names);
  return ok_status();
}

std::set<std::string> PinBook::names() const {
  const std::lock_guard lock(mutex_);
  return names_;
}

}  // namespace quire
