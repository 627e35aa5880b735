// CanaryBook: how far the canaries of a repository have come, kept in a folder of the server's own
// over restarts (the repository may be read-only): a file for each, written beside and renamed. A
// canary is found by its CanaryKey, so that it begins anew where any part of that is another. A
// file that cannot be read, or is of something else, is passed over with a line in the log.
// Bounded: kFilesMax files, the oldest goes first.
// Any thread; keep() leaves the writing to a thread of the book's own and does not wait, the end of
// the book waits until all is written. Used by folder_repository.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "host/repository/canary.h"

namespace quire {

struct CanaryKey {
  std::string folder;                 // of the model
  std::uint64_t plan_hash = 0;        // of the text of its traffic.json
  std::uint64_t stable = 0, stable_stamp = 0;  // a version, and what it is now
  std::uint64_t version = 0, version_stamp = 0;

  Json json() const;
};

class CanaryBook {
 public:
  static constexpr std::size_t kFilesMax = 1000;
  static constexpr std::size_t kFileBytesMax = 16 << 10;

  explicit CanaryBook(std::string folder) : folder_(std::move(folder)) {}  // empty: keeps nothing
  CanaryBook(const CanaryBook&) = delete;
  CanaryBook& operator=(const CanaryBook&) = delete;
  ~CanaryBook();

  bool keeps() const { return !folder_.empty(); }
  std::string path_of(const CanaryKey& key) const;
  // Nothing: it begins anew. `steps`: how many the plan has.
  std::optional<Canary::Mark> find(const CanaryKey& key, std::size_t steps) const;
  void keep(const CanaryKey& key, const Canary::Mark& mark);
  // Both for the canary of a plan, if it has one. `served`: versions with their stamps. The book
  // outlives its use.
  template <typename Served>
  CanaryMemory remember(const std::string& folder, std::uint64_t plan_hash, const TrafficPlan& plan,
                        const std::vector<Served>& served) {
    std::map<std::uint64_t, std::uint64_t> stamps;
    for (const Served& it : served) stamps.emplace(it.version.version, it.stamp);
    return remember(folder, plan_hash, plan, stamps);
  }
  CanaryMemory remember(const std::string& folder, std::uint64_t plan_hash, const TrafficPlan& plan,
                        const std::map<std::uint64_t, std::uint64_t>& stamps);

 private:
  void write_all();  // the thread
  Status write(const std::string& path, const std::string& text) const;
  void drop_oldest() const;

  const std::string folder_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::string> waiting_;  // texts by path
  bool is_ending_ = false;
  std::thread thread_;  // from the first keep() on
};

}  // namespace quire
