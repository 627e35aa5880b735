// The files of an Archive.
#include "archive/archive.h"
#include "base/clock.h"

namespace quire::archive {
namespace {

constexpr std::string_view kFileColumns =
    "id, tenant, created, expires, purpose, name, size";

KeptFile file_of(const Query& row) {
  return {.id = row.text(0), .tenant = row.text(1), .created = row.integer(2),
          .expires = row.integer(3), .purpose = row.text(4), .name = row.text(5),
          .size = row.integer(6)};
}

}  // namespace

Result<std::int64_t> Archive::file_bytes() {
  Query expired(*database_, "DELETE FROM files WHERE expires > 0 AND expires <= ?");
  QUIRE_RETURN_IF_ERROR(expired.bind(SteadyClock::unix_seconds()).finish());
  Query sum(*database_, "SELECT COALESCE(SUM(size), 0) FROM files");
  QUIRE_ASSIGN_OR_RETURN(const bool is_there, sum.next());
  return is_there ? sum.integer(0) : std::int64_t{0};
}

Status Archive::insert_file(const KeptFile& file) {
  QUIRE_ASSIGN_OR_RETURN(const std::int64_t held, file_bytes());
  const auto size = static_cast<std::int64_t>(file.content.size());
  if (held + size > bounds_.bytes_max) {
    return error(StatusCode::kResourceExhausted,
                 "the files of this server have {} bytes, and {} more would exceed its bound of {}",
                 held, size, bounds_.bytes_max);
  }
  Query insert(*database_, "INSERT INTO files (id, tenant, created, expires, purpose, name, size, "
                           "content) VALUES (?,?,?,?,?,?,?,?)");
  insert.bind(file.id).bind(file.tenant).bind(file.created).bind(file.expires);
  insert.bind(file.purpose).bind(file.name).bind(size).bind_bytes(file.content);
  return insert.finish();
}

Status Archive::add_file(const KeptFile& file) {
  const std::lock_guard lock(mutex_);
  return insert_file(file);
}

Result<std::optional<KeptFile>> Archive::find_file(std::string_view id, std::string_view tenant,
                                                   bool with_content) {
  const std::lock_guard lock(mutex_);
  Query query(*database_, fmt::format("SELECT {}{} FROM files WHERE id = ? AND tenant = ? AND "
                                      "(expires = 0 OR expires > ?)", kFileColumns,
                                      with_content ? ", content" : ""));
  query.bind(id).bind(tenant).bind(SteadyClock::unix_seconds());
  QUIRE_ASSIGN_OR_RETURN(const bool is_there, query.next());
  if (!is_there) return std::optional<KeptFile>();
  KeptFile found = file_of(query);
  if (with_content) found.content = query.text(7);
  return std::optional<KeptFile>(std::move(found));
}

Result<bool> Archive::remove_file(std::string_view id, std::string_view tenant) {
  const std::lock_guard lock(mutex_);
  Query query(*database_, "DELETE FROM files WHERE id = ? AND tenant = ?");
  QUIRE_RETURN_IF_ERROR(query.bind(id).bind(tenant).finish());
  return database_->changes() > 0;
}

Result<std::vector<KeptFile>> Archive::list_files(std::string_view tenant,
                                                  std::string_view purpose, const Page& page) {
  const std::lock_guard lock(mutex_);
  const char* compared = page.is_ascending ? ">" : "<";
  const char* order = page.is_ascending ? "ASC" : "DESC";
  Query query(*database_, fmt::format(
      "SELECT {0} FROM files WHERE tenant = ?1 AND (?2 = '' OR purpose = ?2) AND (?3 = '' OR "
      "number {1} (SELECT number FROM files WHERE tenant = ?1 AND id = ?3)) AND (expires = 0 OR "
      "expires > ?4) ORDER BY number {2} LIMIT ?5", kFileColumns, compared, order));
  query.bind(tenant).bind(purpose).bind(page.after).bind(SteadyClock::unix_seconds());
  query.bind(page.limit);
  return read_rows(query, file_of);
}

}  // namespace quire::archive
