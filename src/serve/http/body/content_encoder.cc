#include "serve/http/body/content_encoder.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "serve/http/quality.h"

namespace quire::http {

ContentCoding accepted_coding(const Request& request) {
  const std::string* wishes = request.find("accept-encoding");
  if (wishes == nullptr) return ContentCoding::kIdentity;
  const int gzip = std::max(quality_of(*wishes, "gzip"), quality_of(*wishes, "x-gzip"));
  const int deflate = quality_of(*wishes, "deflate");
  if (std::max(gzip, deflate) == 0 || quality_of(*wishes, "identity") > std::max(gzip, deflate)) {
    return ContentCoding::kIdentity;
  }
  return gzip >= deflate ? ContentCoding::kGzip : ContentCoding::kDeflate;
}

std::string_view coding_name(ContentCoding coding) {
  return coding == ContentCoding::kGzip      ? "gzip"
         : coding == ContentCoding::kDeflate ? "deflate"
                                             : "";
}

// In pieces: zlib counts in 32 bits.
std::optional<std::string> encode_body(ContentCoding coding, std::string_view body) {
  constexpr int kGzipOnly = 16 + MAX_WBITS, kZlibOnly = MAX_WBITS, kMemoryLevel = 8;
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  z_stream stream = {};
  const int bits = coding == ContentCoding::kGzip ? kGzipOnly : kZlibOnly;
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, bits, kMemoryLevel, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    return std::nullopt;
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, [](z_stream* it) {
    return deflateEnd(it);
  });
  std::string out;
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    if (stream.avail_in == 0 && !body.empty()) {
      const std::string_view piece = body.substr(0, kPiece);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
      stream.avail_in = static_cast<uInt>(piece.size());
      body.remove_prefix(piece.size());
    }
    const std::size_t begin = out.size();
    out.resize(begin + deflateBound(&stream, stream.avail_in) + 64);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + begin);
    stream.avail_out = static_cast<uInt>(out.size() - begin);
    status = deflate(&stream, body.empty() ? Z_FINISH : Z_NO_FLUSH);
    QUIRE_CHECK(status != Z_STREAM_ERROR, "zlib lost its state");
    out.resize(out.size() - stream.avail_out);
  }
  return out;
}

}  // namespace quire::http
