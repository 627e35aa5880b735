#include "store/hub/range_fetch.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "net/url.h"

namespace quire::store {
namespace {

constexpr std::size_t kConnections = 4;
constexpr std::size_t kRunChunksMax = 64;  // 64 MiB a request

struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t total = 0;
};

// "bytes 0-1023/4096"
std::optional<ContentRange> parse_content_range(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  if (!text.starts_with(kUnit)) return std::nullopt;
  text.remove_prefix(kUnit.size());
  ContentRange range;
  for (auto [number, mark] : {std::pair{&range.first, '-'}, std::pair{&range.last, '/'},
                              std::pair{&range.total, '\0'}}) {
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), *number);
    if (problem != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (mark == '\0') return text.empty() ? std::optional(range) : std::nullopt;
    if (text.empty() || text.front() != mark) return std::nullopt;
    text.remove_prefix(1);
  }
  return std::nullopt;
}

Status changed() {
  return error(StatusCode::kCorrupt,
               "the file changed on the server while it was fetched; fetch it again");
}

// Puts what arrives where it belongs and reports each chunk that is full.
class ChunkWriter {
 public:
  ChunkWriter(PartialFile& file, ChunkRun run)
      : file_(file),
        offset_(run.first * kChunkBytes),
        end_(std::min(file.size(), (run.first + run.count) * kChunkBytes)) {}

  std::uint64_t offset() const { return offset_; }
  std::uint64_t end() const { return end_; }
  bool is_at_end() const { return offset_ == end_; }
  std::int64_t bytes_written() const { return bytes_written_; }
  std::int64_t bytes_full() const { return bytes_full_; }  // of them, those in full chunks

  Status take(std::span<const std::byte> bytes) {
    if (bytes.size() > end_ - offset_) {
      return error(StatusCode::kCorrupt, "the server sent more than it was asked for");
    }
    while (!bytes.empty()) {
      const std::size_t chunk = offset_ / kChunkBytes;
      const std::uint64_t chunk_end = chunk * kChunkBytes + file_.chunk_bytes(chunk);
      const auto piece = bytes.first(std::min<std::uint64_t>(bytes.size(), chunk_end - offset_));
      if (!file_.is_complete(chunk)) {
        QUIRE_RETURN_IF_ERROR(file_.write(offset_, piece));
        digest_.update(piece);
        bytes_written_ += std::ssize(piece);
      }
      offset_ += piece.size();
      bytes = bytes.subspan(piece.size());
      if (offset_ == chunk_end) QUIRE_RETURN_IF_ERROR(finish(chunk));
    }
    return ok_status();
  }

 private:
  Status finish(std::size_t chunk) {
    if (file_.is_complete(chunk)) return ok_status();
    bytes_full_ += static_cast<std::int64_t>(file_.chunk_bytes(chunk));
    return file_.complete(chunk, std::exchange(digest_, Digest()).finish());
  }

  PartialFile& file_;
  std::uint64_t offset_;
  const std::uint64_t end_;
  std::int64_t bytes_written_ = 0;
  std::int64_t bytes_full_ = 0;
  Digest digest_;  // of the chunk that is being written
};

class RangeFetch {
 public:
  RangeFetch(const RemoteBytes& remote, const net::Limits& limits, PartialFile& file,
             const std::function<void(std::uint64_t)>& advance)
      : remote_(remote), limits_(limits), file_(file), advance_(advance) {}

  Status run();

 private:
  // What came of one request.
  struct Outcome {
    Status status;
    bool has_moved = false;   // a chunk became full
    bool may_pass = false;    // the failure may not happen again
    std::optional<net::Response> response;
  };

  void work();
  Outcome fetch_run(net::Client& client, ChunkRun run, bool is_whole);
  Status check(const net::Response& response, const ChunkWriter& writer);
  Status check_whole(const net::Response& response);
  void note_bytes(std::int64_t bytes);
  bool wait(std::chrono::milliseconds time);
  void stop(Status why);
  ChunkRun whole_file() const { return {0, file_.chunk_count()}; }

  const RemoteBytes& remote_;
  const net::Limits& limits_;
  PartialFile& file_;
  const std::function<void(std::uint64_t)>& advance_;

  std::atomic<bool> is_stopped_{false};
  std::atomic<bool> has_ranges_{true};
  std::mutex mutex_;  // guards what follows
  std::condition_variable stopped_;
  Status failure_;
  std::int64_t bytes_here_ = 0;
};

Status RangeFetch::run() {
  note_bytes(static_cast<std::int64_t>(file_.bytes_complete()));
  std::vector<std::thread> workers;
  const std::size_t count = std::min(kConnections, file_.chunk_count());
  for (std::size_t i = 1; i < count; ++i) workers.emplace_back([this] { work(); });
  if (count > 0) work();
  for (std::thread& worker : workers) worker.join();
  const std::lock_guard lock(mutex_);
  return failure_;
}

void RangeFetch::stop(Status why) {
  const std::lock_guard lock(mutex_);
  if (failure_.is_ok()) failure_ = std::move(why);
  is_stopped_ = true;
  stopped_.notify_all();
}

void RangeFetch::note_bytes(std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  bytes_here_ += bytes;
  advance_(static_cast<std::uint64_t>(bytes_here_));
}

bool RangeFetch::wait(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !stopped_.wait_for(lock, time, [this] { return is_stopped_.load(); });
}

void RangeFetch::work() {
  net::Client client(limits_, &is_stopped_);
  int failures = 0;
  bool is_whole = false;  // this connection found that there are no ranges, and fetches everything
  while (!is_stopped_ && (is_whole || has_ranges_)) {
    if (file_.bytes_complete() == file_.size()) return;
    const std::size_t share = file_.chunks_missing() / (2 * kConnections);
    auto run = is_whole ? std::optional(whole_file())
                        : file_.claim(std::clamp<std::size_t>(share, 1, kRunChunksMax));
    if (!run) return;
    const Outcome outcome = fetch_run(client, *run, is_whole);
    file_.release(*run);
    if (outcome.status.is_ok()) {
      failures = 0;
      continue;
    }
    if (outcome.status.code() == StatusCode::kUnsupported) {  // no ranges: one connection goes on
      is_whole = has_ranges_.exchange(false);
      continue;
    }
    failures = outcome.has_moved ? 1 : failures + 1;
    const auto pause = net::wait_before_retry(limits_, failures,
                                         outcome.response ? &*outcome.response : nullptr);
    if (!outcome.may_pass || !pause) return stop(outcome.status);
    if (!wait(*pause)) return;
  }
}

RangeFetch::Outcome RangeFetch::fetch_run(net::Client& client, ChunkRun run, bool is_whole) {
  ChunkWriter writer(file_, run);
  bool is_checked = false;
  net::Request request{.url = remote_.url, .token = remote_.token};
  if (!is_whole) {
    request.range = fmt::format("{}-{}", writer.offset(), writer.end() - 1);
    // A weak tag cannot guard a range; a change is noticed by the tag of the answer all the same.
    if (const std::string tag = file_.tag(); !tag.starts_with("W/")) request.if_range = tag;
  }
  request.sink = [&](const net::Response& response, std::span<const std::byte> bytes) -> Status {
    if (!is_checked) {
      QUIRE_RETURN_IF_ERROR(is_whole ? check_whole(response) : check(response, writer));
      is_checked = true;
    }
    if (limits_.stop != nullptr && *limits_.stop) {
      const Status stopped(StatusCode::kUnavailable, "the fetch was stopped");
      stop(stopped);
      return stopped;
    }
    const std::int64_t before = writer.bytes_written();
    const Status status = writer.take(bytes);
    note_bytes(writer.bytes_written() - before);
    return status;
  };
  auto response = client.send(request);
  note_bytes(writer.bytes_full() - writer.bytes_written());  // what was begun in vain
  Outcome outcome;
  outcome.has_moved = writer.bytes_full() > 0;
  if (!response.is_ok()) {
    outcome.status = response.status();
    outcome.may_pass = outcome.status.code() == StatusCode::kUnavailable;
  } else if (response->status == 416) {  // there are fewer bytes than we know of
    outcome.status = changed();
  } else if (response->status != 200 && response->status != 206) {
    outcome.status = remote_.explain(*response);
    outcome.may_pass = response->is_passing();
    outcome.response = std::move(response).value();
  } else if (!writer.is_at_end()) {
    outcome.status = error(StatusCode::kUnavailable, "{} sent less than it was asked for",
                           net::host_of(remote_.url));
    outcome.may_pass = true;
  }
  return outcome;
}

// Whether a response to a request for a range is that range of the file that was begun.
Status RangeFetch::check(const net::Response& response, const ChunkWriter& writer) {
  if (response.status == 200) {
    QUIRE_RETURN_IF_ERROR(check_whole(response));
    return error(StatusCode::kUnsupported, "the server knows no ranges");
  }
  const auto range = parse_content_range(response.header("content-range"));
  if (response.status != 206 || !range || range->first != writer.offset() ||
      range->last >= writer.end()) {
    return error(StatusCode::kCorrupt, "{} did not send the range that it was asked for",
                 net::host_of(remote_.url));
  }
  if (range->total != file_.size()) return changed();
  QUIRE_ASSIGN_OR_RETURN(const bool is_same,
                         file_.accept_tag(std::string(response.header("etag"))));
  return is_same ? ok_status() : changed();
}

Status RangeFetch::check_whole(const net::Response& response) {
  const std::string_view length = response.header("content-length");
  if (!length.empty() && length != std::to_string(file_.size())) return changed();
  QUIRE_ASSIGN_OR_RETURN(const bool is_same,
                         file_.accept_tag(std::string(response.header("etag"))));
  return is_same ? ok_status() : changed();
}

}  // namespace

Status fetch_ranges(const RemoteBytes& remote, const net::Limits& limits, PartialFile& file,
                    const std::function<void(std::uint64_t)>& advance) {
  return RangeFetch(remote, limits, file, advance).run();
}

}  // namespace quire::store
