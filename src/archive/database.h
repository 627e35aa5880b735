// Database: SQLite as the archive needs it: one file that this process alone holds (or memory),
// a write-ahead log, statements with bound values, transactions that end undone unless committed.
// What SQLite says becomes a Status that names the file: kResourceExhausted where the disk is full,
// kCorrupt where the file is none of ours, kUnavailable for the rest (held by another process, a
// disk that fails). Survives the end of the process at any moment.
// Not thread-safe: the archive has a mutex around it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace quire::archive {

class Database {
 public:
  // ":memory:": kept nowhere. A directory that is not there is made.
  static Result<std::unique_ptr<Database>> open(const std::string& path);

  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  Status run(const std::string& statements);  // without values
  std::int64_t changes() const;               // rows that the last statement changed
  Status failure(std::string_view what) const;  // what SQLite said last

 private:
  friend class Query;
  Database(std::string path, sqlite3* raw) : path_(std::move(path)), raw_(raw) {}

  std::string path_;
  sqlite3* raw_;
};

// One statement: values in the order of its question marks, then rows. A mistake shows in next().
class Query {
 public:
  Query(Database& database, std::string_view statement);
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query();

  Query& bind(std::int64_t value);
  Query& bind(std::string_view text);
  Query& bind_bytes(std::string_view bytes);

  Result<bool> next();  // whether there is a row
  Status finish();      // runs it to its end

  std::int64_t integer(int column) const;
  std::string text(int column) const;  // bytes; empty where it is null

 private:
  Database* database_;
  sqlite3_stmt* raw_ = nullptr;
  int values_ = 0;
  bool is_good_ = true;
};

// What `read` makes of each row.
template <typename Read>
auto read_rows(Query& query, const Read& read) -> Result<std::vector<decltype(read(query))>> {
  std::vector<decltype(read(query))> rows;
  while (true) {
    QUIRE_ASSIGN_OR_RETURN(const bool is_there, query.next());
    if (!is_there) return rows;
    rows.push_back(read(query));
  }
}

class Transaction {
 public:
  explicit Transaction(Database& database) : database_(&database) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  Status begin();
  Status commit();

 private:
  Database* database_;
  bool is_open_ = false;
};

}  // namespace quire::archive
