#include "host/repository/files/canary_book.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/hash.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

constexpr std::pair<Canary::State, const char*> kStates[] = {
    {Canary::State::kRunning, "running"},
    {Canary::State::kPromoted, "promoted"},
    {Canary::State::kRolledBack, "rolled back"}};

std::string hex(std::uint64_t number) { return fmt::format("{:016x}", number); }

std::optional<Canary::Mark> read_mark(const Json& json, std::size_t steps) {
  const Json* state = json.find("state");
  const Json* step = json.find("step");
  const Json* requests = json.find("requests");
  const Json* reason = json.find("reason");
  const bool has_all = state != nullptr && state->is_string() && step != nullptr &&
                       step->is_int() && requests != nullptr && requests->is_int() &&
                       reason != nullptr && reason->is_string();
  if (!has_all || step->as_int() < 0 || requests->as_int() < 0) return std::nullopt;
  Canary::Mark mark{.step = static_cast<std::size_t>(step->as_int()),
                    .requests = static_cast<std::uint64_t>(requests->as_int()),
                    .reason = reason->as_string()};
  for (const auto& [known, name] : kStates) {
    if (state->as_string() != name || mark.step >= steps) continue;
    mark.state = known;
    return mark;
  }
  return std::nullopt;
}

std::string text_of(const CanaryKey& key, const Canary::Mark& mark) {
  const auto state = std::find_if(std::begin(kStates), std::end(kStates),
                                  [&](const auto& it) { return it.first == mark.state; });
  return dump(Json::object({{"canary", key.json()}, {"state", state->second}, {"step", mark.step},
                            {"requests", mark.requests}, {"reason", mark.reason}})) + "\n";
}

}  // namespace

Json CanaryKey::json() const {
  return Json::object({{"folder", folder}, {"traffic", hex(plan_hash)},
                       {"stable", Json::array({stable, hex(stable_stamp)})},
                       {"version", Json::array({version, hex(version_stamp)})}});
}

CanaryBook::~CanaryBook() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::string CanaryBook::path_of(const CanaryKey& key) const {
  const std::string text = dump(key.json());
  return fmt::format("{}/{}.json", folder_, hex(hash_bytes(text.data(), text.size(), 0)));
}

std::optional<Canary::Mark> CanaryBook::find(const CanaryKey& key, std::size_t steps) const {
  if (!keeps()) return std::nullopt;
  const std::string path = path_of(key);
  std::error_code failure;
  if (!fs::exists(path, failure)) return std::nullopt;
  const Result<std::string> text = read_file(path, kFileBytesMax);
  const Result<Json> json = text.is_ok() ? parse_json(*text) : text.status();
  if (!json.is_ok() || !json->is_object()) {
    spdlog::warn("a canary begins anew: '{}' cannot be read: {}", path,
                 json.is_ok() ? "it is no JSON object" : json.status().message());
    return std::nullopt;
  }
  const Json* whose = json->find("canary");
  const bool is_its = whose != nullptr && dump(*whose) == dump(key.json());
  const std::optional<Canary::Mark> mark = is_its ? read_mark(*json, steps) : std::nullopt;
  if (!mark) {
    spdlog::warn("a canary begins anew: '{}' is {}", path,
                 is_its ? "not what a server has written" : "another's");
  }
  return mark;
}

void CanaryBook::keep(const CanaryKey& key, const Canary::Mark& mark) {
  if (!keeps()) return;
  {
    const std::lock_guard lock(mutex_);
    waiting_.insert_or_assign(path_of(key), text_of(key, mark));
    if (!thread_.joinable()) thread_ = std::thread([this] { write_all(); });
  }
  changed_.notify_all();
}

CanaryMemory CanaryBook::remember(const std::string& folder, std::uint64_t plan_hash,
                                  const TrafficPlan& plan,
                                  const std::map<std::uint64_t, std::uint64_t>& stamps) {
  if (!keeps() || !plan.canary) return {};
  const std::uint64_t version = plan.canary->version;
  std::error_code failure;
  const CanaryKey key{fs::weakly_canonical(folder, failure).string(), plan_hash,
                      plan.stable, stamps.at(plan.stable), version, stamps.at(version)};
  return {.mark = find(key, plan.canary->steps.size()),
          .keep = [this, key](const Canary::Mark& mark) { keep(key, mark); }};
}

void CanaryBook::write_all() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return is_ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const auto [path, text] = *waiting_.begin();
    waiting_.erase(waiting_.begin());
    lock.unlock();
    const Status written = write(path, text);
    if (!written.is_ok()) {
      spdlog::warn("how far a canary has come is not kept: {}", written.message());
    }
    lock.lock();
  }
}

Status CanaryBook::write(const std::string& path, const std::string& text) const {
  std::error_code failure;
  fs::create_directories(folder_, failure);
  if (failure) {
    return error(StatusCode::kUnavailable, "cannot make the folder '{}': {}", folder_,
                 failure.message());
  }
  QUIRE_RETURN_IF_ERROR(replace_file(path, text));
  drop_oldest();
  return ok_status();
}

void CanaryBook::drop_oldest() const {
  std::error_code failure;
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  for (fs::directory_iterator it(folder_, failure), end; !failure && it != end;
       it.increment(failure)) {
    std::error_code problem;
    if (it->path().extension() != ".json") continue;
    files.emplace_back(fs::last_write_time(it->path(), problem), it->path());
  }
  if (files.size() <= kFilesMax) return;
  std::sort(files.begin(), files.end());
  files.resize(files.size() - kFilesMax);
  for (const auto& [_, path] : files) fs::remove(path, failure);
}

}  // namespace quire
