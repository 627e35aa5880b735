#include "store/modelfile/quantize.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "formats/quantize/gguf_quantize.h"
#include "store/hub/blob_fetch.h"

namespace quire::store {
namespace {

// A file that is not a blob yet, and gone if it does not become one.
class NewBlob {
 public:
  explicit NewBlob(const LocalStore& store) {
    static std::atomic<unsigned> count{0};
    path_ = fmt::format("{}/partial/quantize.{}.{}", store.folder(), ::getpid(), ++count);
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file_ < 0) problem_ = errno;
  }
  ~NewBlob() {
    if (file_ >= 0) ::close(file_);
    ::unlink(path_.c_str());
  }
  NewBlob(const NewBlob&) = delete;
  NewBlob& operator=(const NewBlob&) = delete;

  Status write(std::span<const std::byte> bytes) {
    digest_.update(bytes);
    while (!bytes.empty()) {
      const ssize_t put = file_ >= 0 ? ::write(file_, bytes.data(), bytes.size()) : -1;
      if (put < 0 && file_ >= 0 && errno == EINTR) continue;
      if (put <= 0) return fault();
      bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return ok_status();
  }

  Result<Checksum> place(const LocalStore& store) {
    const int file = std::exchange(file_, -1);
    if (file < 0 || ::close(file) != 0) return fault();
    const Checksum checksum = digest_.finish();
    QUIRE_RETURN_IF_ERROR(store.place_blob(path_, checksum));
    return checksum;
  }

 private:
  Status fault() const {
    const int reason = problem_ != 0 ? problem_ : errno;
    const bool is_full = reason == ENOSPC || reason == EDQUOT || reason == EFBIG;
    return error(is_full ? StatusCode::kResourceExhausted : StatusCode::kUnavailable,
                 "cannot write the quantized weights to '{}': {}", path_, std::strerror(reason));
  }

  std::string path_;
  int file_ = -1;
  int problem_ = 0;  // why it could not be opened
  Digest digest_;
};

}  // namespace

Result<Quantization> parse_quantization(std::string_view type) {
  Quantization how;
  QUIRE_ASSIGN_OR_RETURN(how.type, parse_file_type(type));
  return how;
}

Result<StoredFile> quantize_file(const LocalStore& store, const std::string& path,
                                 const Quantization& how) {
  QUIRE_ASSIGN_OR_RETURN(const GgufFile source, GgufFile::open(path));
  QUIRE_ASSIGN_OR_RETURN(const QuantizePlan plan, plan_quantization(source, how.type));
  if (how.check) QUIRE_RETURN_IF_ERROR(how.check(path));
  QUIRE_RETURN_IF_ERROR(check_room(store.folder(), plan.bytes));
  const std::string status =
      fmt::format("quantizing {} model to {}", plan.from, how.type.name);
  const auto say = [&](const std::string& sentence, std::uint64_t total, std::uint64_t done) {
    if (how.report) how.report(sentence, total, done);
  };
  NewBlob blob(store);
  const std::uint64_t step = std::max<std::uint64_t>(plan.source_bytes / 100, 1);
  std::uint64_t told = 0;
  QuantizeSink sink;
  sink.write = [&](std::span<const std::byte> bytes) { return blob.write(bytes); };
  sink.advance = [&](std::uint64_t done) {
    if (done < told + step && done < plan.source_bytes) return;
    told = done;
    say(status, plan.source_bytes, done);
  };
  sink.stop = how.stop;
  say(status, plan.source_bytes, 0);
  QUIRE_RETURN_IF_ERROR(quantize_gguf(source, plan, how.threads, sink));
  say("verifying conversion", 0, 0);
  StoredFile file{.name = fmt::format("model.{}.gguf", how.type.name), .size = plan.bytes,
                  .checksum = {}};
  QUIRE_ASSIGN_OR_RETURN(file.checksum, blob.place(store));
  return file;
}

}  // namespace quire::store
