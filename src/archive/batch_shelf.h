// BatchShelf: the batches of an archive: lists of requests that are answered when there is time, a
// line each. A line's answer and the mark that it has one are the same column, so that a line is
// answered once or not at all, whenever the process ends. Closing a batch writes its files, its
// state and the end of its lines in one transaction.
// Any thread but the I/O thread. Used by serve/batches.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/archive.h"

namespace quire::archive {

struct KeptBatch {
  std::string id;
  std::string tenant;
  std::uint32_t share = 1;    // of the tenant
  std::string state;          // as its protocol names it
  bool is_finished = false;   // nothing more will happen to it
  std::int64_t expires = 0;   // seconds since 1970
  std::string body;           // JSON: the object as it is shown, but for its counts
};

struct BatchLine {
  std::int64_t number = 0;  // from 1
  std::string request;
};

struct BatchCounts {
  std::int64_t total = 0, answered = 0, failed = 0;  // failed ones are answered, too
};

class BatchShelf {
 public:
  explicit BatchShelf(Archive& archive) : archive_(&archive) {}

  Status add(const KeptBatch& batch, const std::vector<std::string>& lines);
  Result<std::optional<KeptBatch>> find(std::string_view id, std::string_view tenant);
  Result<std::vector<KeptBatch>> list(std::string_view tenant, const Page& page);
  Result<std::vector<KeptBatch>> unfinished();  // of all tenants, the oldest first
  Status set(const KeptBatch& batch);           // state and body

  Result<BatchCounts> counts(std::string_view id);
  // Lines without an answer, behind `after`.
  Result<std::vector<BatchLine>> open_lines(std::string_view id, std::int64_t after,
                                            std::int64_t limit);
  // Nothing happens to a line that has its answer already.
  Status answer_line(std::string_view id, std::int64_t line, bool is_error,
                     std::string_view answer);

  // Writes the answers into `output` and `errors` (a file without lines is not made, its id becomes
  // empty), sets the batch and lets go of its lines. `unanswered` tells the error of a line that
  // has no answer; empty: such lines are left out. `settle` then completes batch.body.
  Status close(KeptBatch batch, KeptFile output, KeptFile errors,
               const std::function<std::string(const BatchLine&)>& unanswered,
               const std::function<void(KeptBatch&, const KeptFile& output,
                                        const KeptFile& errors, BatchCounts)>& settle);

 private:
  Status forget_old(Database& database);
  Status update(Database& database, const KeptBatch& batch);

  Archive* archive_;
};

}  // namespace quire::archive
