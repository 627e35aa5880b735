// Archive: what clients ask this server to keep: answers and conversations (they go when there are
// too many, too large or unused for too long), files (they are refused where there is no room), and
// batches with their lines. One SQLite file for all of it; every row belongs to a tenant and no
// other sees it. It survives a restart and a kill; a disk that is full or broken is an error of the
// one call.
// Any thread, and it reads and writes a disk: never the I/O thread. Used by serve.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/database.h"
#include "base/status.h"

namespace quire::archive {

struct Bounds {
  std::int64_t rows_max = 100'000;                     // of answers and conversations
  std::int64_t bytes_max = std::int64_t{1} << 30;      // of them; of files as much again
  std::int64_t unused_seconds_max = 30 * 24 * 3600;
};

// An answer or a conversation. What it says is the dialect's.
struct Kept {
  std::string kind;    // "response", "conversation", "chat.completion"
  std::string id;
  std::string tenant;
  std::int64_t created = 0;  // seconds since 1970
  std::string before;  // the id of the one that it goes on from, of the same kind; or empty
  std::string model;
  std::string state;   // as its protocol names it
  std::string body;    // JSON: the object as it is shown
  std::string input;   // JSON: a list of items
  std::string events;  // of a stream that may be asked for again; or empty
  std::vector<std::string> item_ids;  // written, not read: items that can be referred to
};

struct Page {
  std::string after;       // an id; empty: from the start
  std::int64_t limit = 20;
  bool is_ascending = false;
};

struct KeptFile {
  std::string id;
  std::string tenant;
  std::int64_t created = 0;
  std::int64_t expires = 0;  // 0: never
  std::string purpose;
  std::string name;
  std::int64_t size = 0;
  std::string content;  // only where it is asked for
};

class Archive {
 public:
  // `path`: a file, or ":memory:".
  static Result<std::unique_ptr<Archive>> open(const std::string& path, Bounds bounds);

  // --- answers and conversations ---

  Status keep(const Kept& kept);  // in place of one with the same id, if there is one
  Result<std::optional<Kept>> find(std::string_view kind, std::string_view id,
                                   std::string_view tenant);
  // Nobody else reads or writes it meanwhile. False: it is not there. Its items are to be named.
  Result<bool> change(std::string_view kind, std::string_view id, std::string_view tenant,
                      const std::function<void(Kept&)>& change);
  // The one of that id and those that it goes on from, the first one first. Empty: one of them is
  // not there.
  Result<std::vector<Kept>> find_chain(std::string_view kind, std::string_view id,
                                       std::string_view tenant);
  // Who has an item of that id.
  Result<std::optional<Kept>> find_owner(std::string_view item_id, std::string_view tenant);
  Result<bool> remove(std::string_view kind, std::string_view id, std::string_view tenant);
  Result<std::vector<Kept>> list(std::string_view kind, std::string_view tenant, const Page& page);
  // Those whose state is one of two: what a process that is gone has left unfinished.
  Result<std::vector<Kept>> list_states(std::string_view kind, std::string_view one,
                                        std::string_view other);

  // --- files ---

  Status add_file(const KeptFile& file);
  Result<std::optional<KeptFile>> find_file(std::string_view id, std::string_view tenant,
                                            bool with_content);
  Result<bool> remove_file(std::string_view id, std::string_view tenant);
  // `purpose`: empty: any.
  Result<std::vector<KeptFile>> list_files(std::string_view tenant, std::string_view purpose,
                                           const Page& page);

  const Bounds& bounds() const { return bounds_; }
  std::int64_t rows() const;   // of answers and conversations
  std::int64_t bytes() const;

 private:
  friend class BatchShelf;
  Archive(std::unique_ptr<Database> database, Bounds bounds)
      : bounds_(bounds), database_(std::move(database)) {}

  Status make_tables();
  Status keep_locked(const Kept& kept);
  Status count();
  Status touch(const Kept& kept);
  Status erase(std::string_view kind, std::string_view id);
  Status make_room();
  Result<std::optional<Kept>> read(std::string_view kind, std::string_view id,
                                   std::string_view tenant);
  Status insert_file(const KeptFile& file);
  Result<std::int64_t> file_bytes();

  const Bounds bounds_;
  mutable std::mutex mutex_;
  std::unique_ptr<Database> database_;  // guarded by mutex_, as all below
  std::int64_t rows_ = 0, bytes_ = 0;
  std::int64_t turn_ = 0;  // of the last use
};

}  // namespace quire::archive
