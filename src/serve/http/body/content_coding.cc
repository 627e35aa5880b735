#include "serve/http/body/content_coding.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <span>

#include "base/check.h"
#include "serve/http/quality.h"

namespace quire::http {
namespace {

constexpr std::size_t kStepMax = 256 * 1024;  // plain bytes: a fraction of a millisecond
constexpr int kZstdWindowLogMax = 23;         // 8 MiB
constexpr std::size_t kMembersMax = 256;      // an empty one costs time and brings nothing

}  // namespace

// One of the libraries. `rest` loses what was read.
class ContentDecoder::Codec {
 public:
  enum class Outcome { kMore, kFrameEnd, kBroken };
  virtual ~Codec() = default;

  // Writes to `out` until it is full, `rest` is empty or a member ends; `size`: what was written.
  virtual Outcome decode(std::string_view& rest, std::span<char> out, std::size_t& size) = 0;
};

class ContentDecoder::Gzip : public Codec {
 public:
  explicit Gzip(int window_bits) {
    QUIRE_CHECK(inflateInit2(&stream_, window_bits) == Z_OK, "zlib has no memory");
  }
  ~Gzip() override { inflateEnd(&stream_); }

  Outcome decode(std::string_view& rest, std::span<char> out, std::size_t& size) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest.data()));
    stream_.avail_in = static_cast<uInt>(rest.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    const int status = inflate(&stream_, Z_NO_FLUSH);
    rest.remove_prefix(rest.size() - stream_.avail_in);
    size = out.size() - stream_.avail_out;
    if (status == Z_STREAM_END) {
      inflateReset(&stream_);
      return Outcome::kFrameEnd;
    }
    return status == Z_OK || status == Z_BUF_ERROR ? Outcome::kMore : Outcome::kBroken;
  }

 private:
  z_stream stream_ = {};
};

class ContentDecoder::Zstd : public Codec {
 public:
  Zstd() : context_(ZSTD_createDCtx()) {
    QUIRE_CHECK(context_ != nullptr, "zstd has no memory");
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kZstdWindowLogMax);
  }
  ~Zstd() override { ZSTD_freeDCtx(context_); }

  Outcome decode(std::string_view& rest, std::span<char> out, std::size_t& size) override {
    ZSTD_inBuffer in = {rest.data(), rest.size(), 0};
    ZSTD_outBuffer plain = {out.data(), out.size(), 0};
    const std::size_t status = ZSTD_decompressStream(context_, &plain, &in);
    rest.remove_prefix(in.pos);
    size = plain.pos;
    if (ZSTD_isError(status) != 0) return Outcome::kBroken;
    return status == 0 ? Outcome::kFrameEnd : Outcome::kMore;
  }

 private:
  ZSTD_DCtx* context_;
};

std::optional<ContentCoding> content_coding(std::string_view field) {
  if (field.find_first_of(",;") != std::string_view::npos) return std::nullopt;
  const auto is = [&](const char* name) { return quality_of(field, name) > 0; };
  if (is("gzip") || is("x-gzip")) return ContentCoding::kGzip;
  if (is("deflate")) return ContentCoding::kDeflate;
  if (is("zstd")) return ContentCoding::kZstd;
  if (is("identity")) return ContentCoding::kIdentity;
  return std::nullopt;
}

ContentDecoder::ContentDecoder(ContentCoding coding, std::string_view bytes, std::size_t plain_max)
    : rest_(bytes), plain_max_(plain_max) {
  QUIRE_CHECK(coding != ContentCoding::kIdentity, "a plain body is not decoded");
  constexpr int kGzipOnly = 16 + MAX_WBITS, kZlibOnly = MAX_WBITS;
  if (coding == ContentCoding::kGzip) {
    codec_ = std::make_unique<Gzip>(kGzipOnly);
  } else if (coding == ContentCoding::kDeflate) {
    codec_ = std::make_unique<Gzip>(kZlibOnly);
  } else {
    codec_ = std::make_unique<Zstd>();
  }
}

ContentDecoder::~ContentDecoder() = default;

bool ContentDecoder::step(std::string& body) {
  // One byte more than may be, so that what is too large is seen to be.
  const std::size_t begin = body.size();
  const std::size_t room = std::min(kStepMax, plain_max_ + 1 - begin);
  body.resize(begin + room);
  std::size_t written = 0;
  Codec::Outcome outcome = Codec::Outcome::kMore;
  for (bool moves = true; moves && written < room;) {
    std::size_t size = 0;
    const std::size_t before = rest_.size();
    outcome = codec_->decode(rest_, std::span(body).subspan(begin + written, room - written), size);
    written += size;
    if (outcome == Codec::Outcome::kFrameEnd && ++members_ > kMembersMax) {
      return refuse(413, "the compressed body has too many members");
    }
    moves = outcome != Codec::Outcome::kBroken && (size > 0 || rest_.size() < before) &&
            !(outcome == Codec::Outcome::kFrameEnd && rest_.empty());
  }
  body.resize(begin + written);
  if (outcome == Codec::Outcome::kBroken) {
    return refuse(400, "the body is not compressed as its content-encoding says");
  }
  if (body.size() > plain_max_) return refuse(413, "the body is too large when it is decompressed");
  if (outcome == Codec::Outcome::kFrameEnd && rest_.empty()) return false;
  if (written == room) return true;
  return refuse(400, "the compressed body ends too early");
}

bool ContentDecoder::refuse(int status, std::string_view reason) {
  refusal_ = status;
  reason_ = reason;
  return false;
}

}  // namespace quire::http
