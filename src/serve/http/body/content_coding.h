// ContentDecoder: a body that came compressed, by gzip (RFC 1952), deflate (RFC 1950) or zstd (RFC
// 8878), made plain again in bounded steps. The plain body has a bound, and what would pass it ends
// at once, however small it came: nothing is allocated on the word of a header. A frame may ask for
// a window of 8 MiB, which RFC 9659 has every decoder of HTTP bodies grant, and no more. Several
// members or frames are one body; what is cut off or followed by something else is refused.
// One body; the I/O thread. Used by connection.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace quire::http {

enum class ContentCoding { kIdentity, kGzip, kDeflate, kZstd };

// What Accept-Encoding of a refusal says.
inline constexpr const char* kContentCodings = "gzip, deflate, zstd, identity";

// The one name in a Content-Encoding field; nothing: another coding, or several.
std::optional<ContentCoding> content_coding(std::string_view field);

class ContentDecoder {
 public:
  // `bytes` outlives this. REQUIRES: `coding` is not kIdentity.
  ContentDecoder(ContentCoding coding, std::string_view bytes, std::size_t plain_max);
  ~ContentDecoder();

  // Appends at most some hundred kilobytes to `body`. False: this was the end, or a refusal.
  bool step(std::string& body);

  int refusal() const { return refusal_; }  // status; 0: fine so far
  std::string_view reason() const { return reason_; }

 private:
  class Codec;
  class Gzip;
  class Zstd;

  bool refuse(int status, std::string_view reason);

  std::unique_ptr<Codec> codec_;
  std::string_view rest_;  // of the bytes
  std::size_t plain_max_;
  std::size_t members_ = 0;  // that have ended
  int refusal_ = 0;
  std::string_view reason_;
};

}  // namespace quire::http
