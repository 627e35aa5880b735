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

constexpr std::string_view kSha = "sha256:";

// As it stands in a path: "sha256:..." or "sha256-...".
std::optional<store::Checksum> checksum_in(std::string_view digest) {
  if (!digest.starts_with(kSha) && !digest.starts_with("sha256-")) return std::nullopt;
  auto checksum = store::Checksum::sha256(digest.substr(kSha.size()));
  if (!checksum.is_ok()) return std::nullopt;
  return std::move(*checksum);
}

// A file of the store that is not a blob yet.
class Upload {
 public:
  explicit Upload(const std::string& folder) {
    static std::atomic<unsigned> uploads{0};
    path_ = fmt::format("{}/partial/upload.{}.{}", folder, ::getpid(), ++uploads);
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  }
  ~Upload() {
    if (file_ >= 0) ::close(file_);
    ::unlink(path_.c_str());  // of what did not become a blob
  }
  Upload(const Upload&) = delete;

  bool write(std::string_view bytes) {
    while (!bytes.empty() && file_ >= 0) {
      const ssize_t written = ::write(file_, bytes.data(), bytes.size());
      if (written <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return file_ >= 0;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
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

Parsed<Call> parse_ollama_send_blob(const DialectContext& context, const http::Request& request) {
  const auto checksum = checksum_in(context.path["digest"]);
  if (!checksum) return bad_digest(context.path["digest"]);
  auto store = open_managed_store(context);
  if (!store.is_ok()) return store.error();
  if (is_there(*store, *checksum)) return plain(200);
  store::Digest digest;
  digest.update(request.body);
  const store::Checksum sent = digest.finish();
  if (!(sent == *checksum)) {
    return invalid_value("digest", fmt::format("digest mismatch, expected \"{}{}\", got \"{}{}\"",
                                               kSha, checksum->hex, kSha, sent.hex));
  }
  const auto held = store->hold();
  if (!held.is_ok()) return store_error(held.status());
  Upload upload(store->folder());
  if (!upload.write(request.body)) {
    return ApiError{.status = 507, .message = "the store cannot be written"};
  }
  const Status placed = store->place_blob(upload.path(), *checksum);
  if (!placed.is_ok()) return store_error(placed);
  return plain(201);
}

}  // namespace quire
