#include "archive/database.h"

#include <sqlite3.h>

#include <filesystem>
#include <limits>

namespace quire::archive {
namespace {

// Waits so long for another process that is about to end.
constexpr int kBusyMs = 1000;

// Exclusive: the file is this process's until it ends, however it ends. Normal: a commit is written
// but not forced to the platter, which a kill cannot undo and a power failure may.
constexpr const char* kSettings =
    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
    "PRAGMA foreign_keys=OFF; PRAGMA auto_vacuum=INCREMENTAL; BEGIN IMMEDIATE; COMMIT;";

StatusCode code_of(int result) {
  switch (result & 0xFF) {
    case SQLITE_FULL:
    case SQLITE_TOOBIG: return StatusCode::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return StatusCode::kCorrupt;
    default: return StatusCode::kUnavailable;
  }
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& path) {
  if (path != ":memory:") {
    std::error_code failure;
    const auto folder = std::filesystem::path(path).parent_path();
    if (!folder.empty()) std::filesystem::create_directories(folder, failure);
    if (failure) {
      return error(StatusCode::kUnavailable, "'{}': the folder cannot be made: {}", path,
                   failure.message());
    }
  }
  sqlite3* raw = nullptr;
  const int result = sqlite3_open_v2(
      path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
      nullptr);
  std::unique_ptr<Database> database(new Database(path, raw));
  if (result != SQLITE_OK) return database->failure("cannot be opened");
  sqlite3_busy_timeout(raw, kBusyMs);
  sqlite3_extended_result_codes(raw, 1);
  QUIRE_RETURN_IF_ERROR(database->run(kSettings));
  return database;
}

Database::~Database() { sqlite3_close_v2(raw_); }

Status Database::run(const std::string& statements) {
  const int result = sqlite3_exec(raw_, statements.c_str(), nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? ok_status() : failure("cannot be used");
}

std::int64_t Database::changes() const { return sqlite3_changes64(raw_); }

Status Database::failure(std::string_view what) const {
  const int result = raw_ != nullptr ? sqlite3_extended_errcode(raw_) : SQLITE_NOMEM;
  const bool is_busy = (result & 0xFF) == SQLITE_BUSY;
  return Status(code_of(result),
                fmt::format("'{}' {}: {}", path_, what,
                            is_busy ? "another process holds it" : sqlite3_errmsg(raw_)));
}

Query::Query(Database& database, std::string_view statement) : database_(&database) {
  is_good_ = sqlite3_prepare_v2(database.raw_, statement.data(),
                                static_cast<int>(statement.size()), &raw_, nullptr) == SQLITE_OK;
}

Query::~Query() { sqlite3_finalize(raw_); }

Query& Query::bind(std::int64_t value) {
  is_good_ = is_good_ && sqlite3_bind_int64(raw_, ++values_, value) == SQLITE_OK;
  return *this;
}

// An empty view may point nowhere, which would be null.
Query& Query::bind(std::string_view text) {
  is_good_ = is_good_ && sqlite3_bind_text64(raw_, ++values_, text.empty() ? "" : text.data(),
                                             text.size(), SQLITE_TRANSIENT,
                                             SQLITE_UTF8) == SQLITE_OK;
  return *this;
}

Query& Query::bind_bytes(std::string_view bytes) {
  is_good_ = is_good_ && sqlite3_bind_blob64(raw_, ++values_, bytes.empty() ? "" : bytes.data(),
                                             bytes.size(), SQLITE_TRANSIENT) == SQLITE_OK;
  return *this;
}

Result<bool> Query::next() {
  if (!is_good_) return database_->failure("cannot be asked");
  const int result = sqlite3_step(raw_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return database_->failure("cannot be read or written");
}

Status Query::finish() {
  while (true) {
    QUIRE_ASSIGN_OR_RETURN(const bool is_there, next());
    if (!is_there) return ok_status();
  }
}

std::int64_t Query::integer(int column) const { return sqlite3_column_int64(raw_, column); }

std::string Query::text(int column) const {
  const void* bytes = sqlite3_column_blob(raw_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(raw_, column));
  return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

Transaction::~Transaction() {
  if (is_open_) (void)database_->run("ROLLBACK");
}

Status Transaction::begin() {
  QUIRE_RETURN_IF_ERROR(database_->run("BEGIN IMMEDIATE"));
  is_open_ = true;
  return ok_status();
}

Status Transaction::commit() {
  QUIRE_RETURN_IF_ERROR(database_->run("COMMIT"));
  is_open_ = false;
  return ok_status();
}

}  // namespace quire::archive
