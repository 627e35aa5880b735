#include "serve/dialects/ollama/manage/blobs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <optional>

#include "serve/dialects/ollama/manage/stored.h"
#include "store/checksum.h"

namespace quire {
namespace {

// As it stands in a path: "sha256:..." or "sha256-...".
std::optional<store::Checksum> checksum_in(std::string_view digest) {
  if (!digest.starts_with(kShaMark) && !digest.starts_with("sha256-")) return std::nullopt;
  auto checksum = store::Checksum::sha256(digest.substr(kShaMark.size()));
  if (!checksum.is_ok()) return std::nullopt;
  return std::move(*checksum);
}

// A file of the store that is not a blob yet. The folder is held from the first piece on, so that
// nobody collects it.
class Upload final : public http::BodySink {
 public:
  explicit Upload(store::LocalStore store) : store_(std::move(store)) {
  }
  ~Upload() override {
    if (file_ < 0) return;
    ::close(file_);
    ::unlink(path_.c_str());  // of what did not become a blob
  }
  Upload(const Upload&) = delete;

  bool write(std::string_view piece) override {
    constexpr std::size_t kSyncBytes = std::size_t{64} << 20;  // so that little is left in the end
    if (file_ < 0 && !open()) return false;
    digest_.update(piece);
    unsynced_ += piece.size();
    while (!piece.empty()) {
      const ssize_t written = ::write(file_, piece.data(), piece.size());
      if (written <= 0) return false;
      piece.remove_prefix(static_cast<std::size_t>(written));
    }
    if (unsynced_ < kSyncBytes) return true;
    unsynced_ = 0;
    return ::fdatasync(file_) == 0;
  }
  // Of all that was written; once.
  store::Checksum finish() { return digest_.finish(); }
  const std::string& path() const { return path_; }

 private:
  bool open() {
    auto held = store_.hold();
    if (!held.is_ok()) return false;
    held_ = std::move(*held);
    path_ = store_.folder() + "/partial/upload.XXXXXX";  // nobody else's, on whatever machine
    file_ = ::mkostemp(path_.data(), O_CLOEXEC);
    return file_ >= 0;
  }

  store::LocalStore store_;
  std::string path_;
  std::optional<store::FileLock> held_;
  store::Digest digest_;
  std::size_t unsynced_ = 0;  // bytes
  int file_ = -1;
};

bool is_there(const store::LocalStore& store, const store::Checksum& checksum) {
  std::error_code failure;
  return std::filesystem::is_regular_file(store.blob_path(checksum), failure);
}

ApiError bad_digest(std::string_view digest) {
  return invalid_value("digest", fmt::format("invalid digest format: {}", digest.substr(0, 80)));
}

Call plain(int status) {
  Call call;
  call.ready = http::Response{.status = status, .content_type = "text/plain; charset=utf-8",
                              .body = {}};
  return call;
}

}  // namespace

Parsed<Call> parse_ollama_find_blob(const DialectContext& context, const http::Request&) {
  const auto checksum = checksum_in(context.path["digest"]);
  if (!checksum) return bad_digest(context.path["digest"]);
  auto store = open_managed_store(context);
  if (!store.is_ok()) return store.error();
  return plain(is_there(*store, *checksum) ? 200 : 404);
}

std::shared_ptr<http::BodySink> open_ollama_blob(const DialectContext& context,
                                                 const http::Request&) {
  auto store = open_managed_store(context);
  if (!store.is_ok() || !checksum_in(context.path["digest"])) return nullptr;
  return std::make_shared<Upload>(std::move(*store));
}

Parsed<Call> parse_ollama_send_blob(const DialectContext& context, const http::Request& request) {
  const auto checksum = checksum_in(context.path["digest"]);
  if (!checksum) return bad_digest(context.path["digest"]);
  auto store = open_managed_store(context);
  if (!store.is_ok()) return store.error();
  if (is_there(*store, *checksum)) return plain(200);
  std::shared_ptr<http::BodySink> sink = request.sink;
  if (sink == nullptr) sink = std::make_shared<Upload>(*store);  // of an empty body
  auto& upload = static_cast<Upload&>(*sink);
  if (request.sink == nullptr && !upload.write(request.body)) {
    return ApiError{.status = 507, .message = "the store cannot be written"};
  }
  const store::Checksum sent = upload.finish();
  if (!(sent == *checksum)) {
    return invalid_value("digest", fmt::format("digest mismatch, expected \"{}{}\", got \"{}{}\"",
                                               kShaMark, checksum->hex, kShaMark, sent.hex));
  }
  const Status placed = store->place_blob(upload.path(), *checksum);
  if (!placed.is_ok()) return store_error(placed);
  return plain(201);
}

}  // namespace quire
