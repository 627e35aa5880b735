#include "archive/batch_shelf.h"

#include "base/clock.h"

namespace quire::archive {
namespace {

constexpr std::string_view kBatchColumns = "id, tenant, share, state, finished, expires, body";

KeptBatch batch_of(const Query& row) {
  return {.id = row.text(0), .tenant = row.text(1),
          .share = static_cast<std::uint32_t>(row.integer(2)), .state = row.text(3),
          .is_finished = row.integer(4) != 0, .expires = row.integer(5), .body = row.text(6)};
}

Result<BatchCounts> count_lines(Database& database, std::string_view id) {
  Query query(database, "SELECT COUNT(*), COUNT(answer), COALESCE(SUM(answer IS NOT NULL AND "
                        "is_error), 0) FROM batch_lines WHERE batch = ?");
  query.bind(id);
  QUIRE_ASSIGN_OR_RETURN(const bool is_there, query.next());
  if (!is_there) return BatchCounts{};
  return BatchCounts{query.integer(0), query.integer(1), query.integer(2)};
}

}  // namespace

Status BatchShelf::add(const KeptBatch& batch, const std::vector<std::string>& lines) {
  const std::lock_guard lock(archive_->mutex_);
  Database& database = *archive_->database_;
  Transaction transaction(database);
  QUIRE_RETURN_IF_ERROR(transaction.begin());
  QUIRE_RETURN_IF_ERROR(forget_old(database));
  Query insert(database, "INSERT INTO batches (id, tenant, share, state, finished, expires, body) "
                         "VALUES (?,?,?,?,?,?,?)");
  insert.bind(batch.id).bind(batch.tenant).bind(std::int64_t{batch.share}).bind(batch.state);
  insert.bind(std::int64_t{batch.is_finished}).bind(batch.expires).bind(batch.body);
  QUIRE_RETURN_IF_ERROR(insert.finish());
  std::int64_t number = 0;
  for (const std::string& line : lines) {
    Query row(database, "INSERT INTO batch_lines VALUES (?,?,?,0,NULL)");
    QUIRE_RETURN_IF_ERROR(row.bind(batch.id).bind(++number).bind(line).finish());
  }
  return transaction.commit();
}

// Batches that are finished go like answers: so long after their end.
Status BatchShelf::forget_old(Database& database) {
  Query query(database, "DELETE FROM batches WHERE finished AND expires < ?");
  query.bind(SteadyClock::unix_seconds() - archive_->bounds_.unused_seconds_max);
  return query.finish();
}

Result<std::optional<KeptBatch>> BatchShelf::find(std::string_view id, std::string_view tenant) {
  const std::lock_guard lock(archive_->mutex_);
  Query query(*archive_->database_, fmt::format("SELECT {} FROM batches WHERE id = ? AND "
                                                "tenant = ?", kBatchColumns));
  query.bind(id).bind(tenant);
  QUIRE_ASSIGN_OR_RETURN(const bool is_there, query.next());
  return is_there ? std::optional<KeptBatch>(batch_of(query)) : std::nullopt;
}

Result<std::vector<KeptBatch>> BatchShelf::list(std::string_view tenant, const Page& page) {
  const std::lock_guard lock(archive_->mutex_);
  Query query(*archive_->database_, fmt::format(
      "SELECT {} FROM batches WHERE tenant = ?1 AND (?2 = '' OR number < (SELECT number FROM "
      "batches WHERE tenant = ?1 AND id = ?2)) ORDER BY number DESC LIMIT ?3", kBatchColumns));
  query.bind(tenant).bind(page.after).bind(page.limit);
  return read_rows(query, batch_of);
}

Result<std::vector<KeptBatch>> BatchShelf::unfinished() {
  const std::lock_guard lock(archive_->mutex_);
  Query query(*archive_->database_, fmt::format("SELECT {} FROM batches WHERE NOT finished "
                                                "ORDER BY number", kBatchColumns));
  return read_rows(query, batch_of);
}

Status BatchShelf::update(Database& database, const KeptBatch& batch) {
  Query query(database, "UPDATE batches SET state = ?, finished = ?, body = ? WHERE id = ? "
                        "AND NOT finished");
  query.bind(batch.state).bind(std::int64_t{batch.is_finished}).bind(batch.body).bind(batch.id);
  return query.finish();
}

Status BatchShelf::set(const KeptBatch& batch) {
  const std::lock_guard lock(archive_->mutex_);
  return update(*archive_->database_, batch);
}

Result<BatchCounts> BatchShelf::counts(std::string_view id) {
  const std::lock_guard lock(archive_->mutex_);
  return count_lines(*archive_->database_, id);
}

Result<std::vector<BatchLine>> BatchShelf::open_lines(std::string_view id, std::int64_t after,
                                                      std::int64_t limit) {
  const std::lock_guard lock(archive_->mutex_);
  Query query(*archive_->database_, "SELECT line, request FROM batch_lines WHERE batch = ? AND "
                                    "line > ? AND answer IS NULL ORDER BY line LIMIT ?");
  query.bind(id).bind(after).bind(limit);
  return read_rows(query, [](const Query& row) {
    return BatchLine{row.integer(0), row.text(1)};
  });
}

Status BatchShelf::answer_line(std::string_view id, std::int64_t line, bool is_error,
                               std::string_view answer) {
  const std::lock_guard lock(archive_->mutex_);
  Query query(*archive_->database_, "UPDATE batch_lines SET answer = ?, is_error = ? WHERE "
                                    "batch = ? AND line = ? AND answer IS NULL");
  query.bind(answer).bind(std::int64_t{is_error}).bind(id).bind(line);
  return query.finish();
}

Status BatchShelf::close(KeptBatch batch, KeptFile output, KeptFile errors,
                         const std::function<std::string(const BatchLine&)>& unanswered,
                         const std::function<void(KeptBatch&, const KeptFile&, const KeptFile&,
                                                  BatchCounts)>& settle) {
  const std::lock_guard lock(archive_->mutex_);
  Database& database = *archive_->database_;
  Transaction transaction(database);
  QUIRE_RETURN_IF_ERROR(transaction.begin());
  QUIRE_ASSIGN_OR_RETURN(const BatchCounts counts, count_lines(database, batch.id));
  Query lines(database, "SELECT line, request, is_error, answer, answer IS NULL FROM batch_lines "
                        "WHERE batch = ? ORDER BY line");
  lines.bind(batch.id);
  while (true) {
    QUIRE_ASSIGN_OR_RETURN(const bool is_there, lines.next());
    if (!is_there) break;
    const bool is_open = lines.integer(4) != 0;
    if (is_open && !unanswered) continue;
    std::string& content = is_open || lines.integer(2) != 0 ? errors.content : output.content;
    content += is_open ? unanswered({lines.integer(0), lines.text(1)}) : lines.text(3);
    content += '\n';
  }
  for (KeptFile* file : {&output, &errors}) {
    file->size = static_cast<std::int64_t>(file->content.size());
    if (file->content.empty()) {
      file->id.clear();
    } else {
      QUIRE_RETURN_IF_ERROR(archive_->insert_file(*file));
    }
  }
  settle(batch, output, errors, counts);
  QUIRE_RETURN_IF_ERROR(update(database, batch));
  Query gone(database, "DELETE FROM batch_lines WHERE batch = ?");
  QUIRE_RETURN_IF_ERROR(gone.bind(batch.id).finish());
  return transaction.commit();
}

}  // namespace quire::archive
