#include "archive/archive.h"

#include <algorithm>

#include "base/clock.h"

namespace quire::archive {
namespace {

constexpr std::size_t kChainMax = 4096;  // answers that go on from each other

// `turn` counts uses, `used` is the second of the last one: who was used longest ago goes first.
constexpr const char* kTables = R"(
CREATE TABLE IF NOT EXISTS kept (
  kind TEXT NOT NULL, id TEXT NOT NULL, tenant TEXT NOT NULL, created INTEGER NOT NULL,
  turn INTEGER NOT NULL, used INTEGER NOT NULL, size INTEGER NOT NULL, before TEXT NOT NULL,
  model TEXT NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL, input TEXT NOT NULL,
  events TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE INDEX IF NOT EXISTS kept_by_turn ON kept (turn);
CREATE INDEX IF NOT EXISTS kept_by_state ON kept (kind, state);
CREATE TABLE IF NOT EXISTS kept_items (
  id TEXT NOT NULL, tenant TEXT NOT NULL, kind TEXT NOT NULL, owner TEXT NOT NULL,
  PRIMARY KEY (tenant, id));
CREATE INDEX IF NOT EXISTS kept_items_by_owner ON kept_items (kind, owner);
CREATE TABLE IF NOT EXISTS files (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL,
  created INTEGER NOT NULL, expires INTEGER NOT NULL, purpose TEXT NOT NULL, name TEXT NOT NULL,
  size INTEGER NOT NULL, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL,
  share INTEGER NOT NULL, state TEXT NOT NULL, finished INTEGER NOT NULL,
  expires INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS batch_lines (
  batch TEXT NOT NULL, line INTEGER NOT NULL, request TEXT NOT NULL, is_error INTEGER NOT NULL,
  answer TEXT, PRIMARY KEY (batch, line)) WITHOUT ROWID;
)";

constexpr std::string_view kColumns =
    "kind, id, tenant, created, before, model, state, body, input, events";

Kept kept_of(const Query& row) {
  return {.kind = row.text(0), .id = row.text(1), .tenant = row.text(2),
          .created = row.integer(3), .before = row.text(4), .model = row.text(5),
          .state = row.text(6), .body = row.text(7), .input = row.text(8), .events = row.text(9)};
}

std::int64_t size_of(const Kept& kept) {
  constexpr std::size_t kRow = 256;  // what a row and its index entries take beside
  return static_cast<std::int64_t>(kRow + kept.body.size() + kept.input.size() +
                                   kept.events.size());
}

}  // namespace

Result<std::unique_ptr<Archive>> Archive::open(const std::string& path, Bounds bounds) {
  QUIRE_ASSIGN_OR_RETURN(auto database, Database::open(path));
  std::unique_ptr<Archive> opened(new Archive(std::move(database), bounds));
  QUIRE_RETURN_IF_ERROR(opened->make_tables());
  QUIRE_RETURN_IF_ERROR(opened->count());
  const std::lock_guard lock(opened->mutex_);
  QUIRE_RETURN_IF_ERROR(opened->make_room());  // the bounds may be narrower than last time
  return opened;
}

Status Archive::make_tables() { return database_->run(kTables); }

Status Archive::count() {
  Query sums(*database_, "SELECT COUNT(*), COALESCE(SUM(size), 0), COALESCE(MAX(turn), 0) "
                         "FROM kept");
  QUIRE_ASSIGN_OR_RETURN(const bool is_there, sums.next());
  if (!is_there) return ok_status();
  rows_ = sums.integer(0);
  bytes_ = sums.integer(1);
  turn_ = sums.integer(2);
  return ok_status();
}

std::int64_t Archive::rows() const {
  const std::lock_guard lock(mutex_);
  return rows_;
}

std::int64_t Archive::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

Status Archive::keep(const Kept& kept) {
  const std::lock_guard lock(mutex_);
  return keep_locked(kept);
}

Result<bool> Archive::change(std::string_view kind, std::string_view id, std::string_view tenant,
                             const std::function<void(Kept&)>& change) {
  const std::lock_guard lock(mutex_);
  QUIRE_ASSIGN_OR_RETURN(auto kept, read(kind, id, tenant));
  if (!kept) return false;
  change(*kept);
  QUIRE_RETURN_IF_ERROR(keep_locked(*kept));
  return true;
}

Status Archive::keep_locked(const Kept& kept) {
  const std::int64_t size = size_of(kept);
  if (size > bounds_.bytes_max) {
    return error(StatusCode::kResourceExhausted,
                 "{} bytes are more than the {} that are kept of all answers", size,
                 bounds_.bytes_max);
  }
  Transaction transaction(*database_);
  QUIRE_RETURN_IF_ERROR(transaction.begin());
  const std::int64_t rows_before = rows_, bytes_before = bytes_;
  const auto write = [&]() -> Status {
    Query others(*database_, "SELECT 1 FROM kept WHERE kind = ? AND id = ? AND tenant <> ?");
    others.bind(kept.kind).bind(kept.id).bind(kept.tenant);
    QUIRE_ASSIGN_OR_RETURN(const bool is_taken, others.next());
    if (is_taken) return error(StatusCode::kUnavailable, "the id '{}' is taken", kept.id);
    QUIRE_RETURN_IF_ERROR(erase(kept.kind, kept.id));
    Query insert(*database_, "INSERT INTO kept VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)");
    insert.bind(kept.kind).bind(kept.id).bind(kept.tenant).bind(kept.created);
    insert.bind(++turn_).bind(SteadyClock::unix_seconds()).bind(size).bind(kept.before);
    insert.bind(kept.model).bind(kept.state).bind(kept.body).bind(kept.input).bind(kept.events);
    QUIRE_RETURN_IF_ERROR(insert.finish());
    for (const std::string& id : kept.item_ids) {
      Query item(*database_, "INSERT OR REPLACE INTO kept_items VALUES (?,?,?,?)");
      item.bind(id).bind(kept.tenant).bind(kept.kind).bind(kept.id);
      QUIRE_RETURN_IF_ERROR(item.finish());
    }
    rows_ += 1;
    bytes_ += size;
    QUIRE_RETURN_IF_ERROR(make_room());
    return transaction.commit();
  };
  Status status = write();
  if (!status.is_ok()) {
    rows_ = rows_before;
    bytes_ = bytes_before;
  }
  return status;
}

Status Archive::erase(std::string_view kind, std::string_view id) {
  Query size(*database_, "SELECT size FROM kept WHERE kind = ? AND id = ?");
  size.bind(kind).bind(id);
  QUIRE_ASSIGN_OR_RETURN(const bool is_there, size.next());
  if (!is_there) return ok_status();
  const std::int64_t bytes = size.integer(0);
  Query items(*database_, "DELETE FROM kept_items WHERE kind = ? AND owner = ?");
  QUIRE_RETURN_IF_ERROR(items.bind(kind).bind(id).finish());
  Query row(*database_, "DELETE FROM kept WHERE kind = ? AND id = ?");
  QUIRE_RETURN_IF_ERROR(row.bind(kind).bind(id).finish());
  rows_ -= 1;
  bytes_ -= bytes;
  return ok_status();
}

// Who was used longest ago goes, as long as there is too much, or it is too old.
Status Archive::make_room() {
  const std::int64_t oldest = SteadyClock::unix_seconds() - bounds_.unused_seconds_max;
  while (rows_ > 0) {
    Query first(*database_, "SELECT kind, id, used FROM kept ORDER BY turn LIMIT 1");
    QUIRE_ASSIGN_OR_RETURN(const bool is_there, first.next());
    if (!is_there) return ok_status();
    const bool is_too_much = rows_ > bounds_.rows_max || bytes_ > bounds_.bytes_max;
    if (!is_too_much && first.integer(2) >= oldest) return ok_status();
    QUIRE_RETURN_IF_ERROR(erase(first.text(0), first.text(1)));
  }
  return ok_status();
}

Result<std::optional<Kept>> Archive::read(std::string_view kind, std::string_view id,
                                          std::string_view tenant) {
  Query query(*database_, fmt::format("SELECT {}, used FROM kept WHERE kind = ? AND id = ? AND "
                                      "tenant = ?", kColumns));
  query.bind(kind).bind(id).bind(tenant);
  QUIRE_ASSIGN_OR_RETURN(const bool is_there, query.next());
  const std::int64_t oldest = SteadyClock::unix_seconds() - bounds_.unused_seconds_max;
  if (!is_there || query.integer(10) < oldest) return std::optional<Kept>();
  return std::optional<Kept>(kept_of(query));
}

Status Archive::touch(const Kept& kept) {
  Query use(*database_, "UPDATE kept SET turn = ?, used = ? WHERE kind = ? AND id = ?");
  use.bind(++turn_).bind(SteadyClock::unix_seconds()).bind(kept.kind).bind(kept.id);
  return use.finish();
}

Result<std::optional<Kept>> Archive::find(std::string_view kind, std::string_view id,
                                          std::string_view tenant) {
  const std::lock_guard lock(mutex_);
  return read(kind, id, tenant);
}

Result<std::vector<Kept>> Archive::find_chain(std::string_view kind, std::string_view id,
                                              std::string_view tenant) {
  const std::lock_guard lock(mutex_);
  std::vector<Kept> chain;
  for (std::string next(id); !next.empty();) {
    QUIRE_ASSIGN_OR_RETURN(auto link, read(kind, next, tenant));
    if (!link || chain.size() == kChainMax) return std::vector<Kept>();
    next = link->before;
    chain.push_back(std::move(*link));
  }
  std::reverse(chain.begin(), chain.end());
  // Used in their order, so that the first ones go first. A disk that does not take it: no matter.
  Transaction transaction(*database_);
  if (!transaction.begin().is_ok()) return chain;
  for (const Kept& link : chain) (void)touch(link);
  (void)transaction.commit();
  return chain;
}

Result<std::optional<Kept>> Archive::find_owner(std::string_view item_id,
                                                std::string_view tenant) {
  const std::lock_guard lock(mutex_);
  Query query(*database_, "SELECT kind, owner FROM kept_items WHERE tenant = ? AND id = ?");
  query.bind(tenant).bind(item_id);
  QUIRE_ASSIGN_OR_RETURN(const bool is_there, query.next());
  if (!is_there) return std::optional<Kept>();
  return read(query.text(0), query.text(1), tenant);
}

Result<bool> Archive::remove(std::string_view kind, std::string_view id, std::string_view tenant) {
  const std::lock_guard lock(mutex_);
  QUIRE_ASSIGN_OR_RETURN(const auto found, read(kind, id, tenant));
  if (!found) return false;
  QUIRE_RETURN_IF_ERROR(erase(kind, id));
  return true;
}

Result<std::vector<Kept>> Archive::list(std::string_view kind, std::string_view tenant,
                                        const Page& page) {
  const std::lock_guard lock(mutex_);
  // In the order of their making; the row that `after` names is where to go on.
  const char* compared = page.is_ascending ? ">" : "<";
  const char* order = page.is_ascending ? "ASC" : "DESC";
  Query query(*database_, fmt::format(
      "SELECT {0} FROM kept WHERE kind = ?1 AND tenant = ?2 AND (?3 = '' OR (created, id) {1} "
      "(SELECT created, id FROM kept WHERE kind = ?1 AND tenant = ?2 AND id = ?3)) "
      "ORDER BY created {2}, id {2} LIMIT ?4", kColumns, compared, order));
  query.bind(kind).bind(tenant).bind(page.after).bind(page.limit);
  return read_rows(query, kept_of);
}

Result<std::vector<Kept>> Archive::list_states(std::string_view kind, std::string_view one,
                                               std::string_view other) {
  const std::lock_guard lock(mutex_);
  Query query(*database_, fmt::format("SELECT {} FROM kept WHERE kind = ? AND state IN (?, ?)",
                                      kColumns));
  query.bind(kind).bind(one).bind(other);
  return read_rows(query, kept_of);
}

}  // namespace quire::archive
