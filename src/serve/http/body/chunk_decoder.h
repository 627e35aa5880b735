// ChunkDecoder: a chunked request body, strictly: hexadecimal sizes and nothing else, CRLF and
// nothing else, bounded in bytes, chunks and trailers. A declared size allocates nothing. Trailers
// are dropped, never merged into the headers.
// One body; the I/O thread. Used by connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "serve/http/message.h"

namespace quire::http {

class ChunkDecoder {
 public:
  explicit ChunkDecoder(const Limits& limits) : limits_(&limits) {}

  // Takes bytes until they or the body end; returns how many it took. Data goes to `body`.
  std::size_t feed(std::string_view bytes, std::string& body);

  bool is_complete() const { return state_ == State::kComplete; }
  int refusal() const { return refusal_; }  // status; 0: fine so far
  std::string_view reason() const { return reason_; }

 private:
  enum class State { kSize, kExtension, kSizeEnd, kData, kDataCr, kDataLf, kTrailer, kTrailerEnd,
                     kComplete };

  void refuse(int status, std::string_view reason);
  void take(char c, std::string& body);
  void take_size(char c);
  void begin_data(const std::string& body);
  void take_trailer(char c);

  const Limits* limits_;
  State state_ = State::kSize;
  std::uint64_t size_ = 0;  // of the present chunk, what is left of it
  int digits_ = 0;
  std::size_t chunks_ = 0;
  std::size_t line_size_ = 0;      // of an extension or trailer line
  std::size_t trailers_size_ = 0;  // bytes
  int refusal_ = 0;
  std::string_view reason_;
};

}  // namespace quire::http
