#include "serve/http/body/chunk_decoder.h"

#include <algorithm>

#include "base/text/ascii.h"

namespace quire::http {
namespace {

constexpr int kDigitsMax = 11;              // no body is that large
constexpr std::size_t kExtensionMax = 256;  // bytes

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
}

}  // namespace

void ChunkDecoder::refuse(int status, std::string_view reason) {
  refusal_ = status;
  reason_ = reason;
}

std::size_t ChunkDecoder::feed(std::string_view bytes, std::string& body) {
  std::size_t taken = 0;
  while (taken < bytes.size() && !is_complete() && refusal_ == 0) {
    if (state_ == State::kData) {
      const auto count = static_cast<std::size_t>(
          std::min<std::uint64_t>(size_, bytes.size() - taken));
      body.append(bytes.substr(taken, count));
      taken += count;
      size_ -= count;
      if (size_ == 0) state_ = State::kDataCr;
    } else {
      take(bytes[taken++], body);
    }
  }
  return taken;
}

void ChunkDecoder::take(char c, std::string& body) {
  switch (state_) {
    case State::kSize: return take_size(c);
    case State::kExtension:
      if (c == '\r') {
        state_ = State::kSizeEnd;
      } else if (is_control(c) || ++line_size_ > kExtensionMax) {
        refuse(400, "a chunk extension is not well formed");
      }
      return;
    case State::kSizeEnd:
      if (c != '\n') return refuse(400, "a chunk size does not end in CRLF");
      return begin_data(body);
    case State::kDataCr:
      if (c != '\r') return refuse(400, "a chunk is longer than its size");
      state_ = State::kDataLf;
      return;
    case State::kDataLf:
      if (c != '\n') return refuse(400, "a chunk does not end in CRLF");
      state_ = State::kSize;
      digits_ = 0;
      return;
    case State::kTrailer:
    case State::kTrailerEnd: return take_trailer(c);
    case State::kData:
    case State::kComplete: return;
  }
}

void ChunkDecoder::take_size(char c) {
  if (const int value = hex_value(c); value >= 0) {
    if (++digits_ > kDigitsMax) return refuse(400, "a chunk size has too many digits");
    size_ = size_ * 16 + static_cast<unsigned>(value);
  } else if (digits_ == 0) {
    refuse(400, "a chunk has no size");
  } else if (c == '\r') {
    state_ = State::kSizeEnd;
  } else if (c == ';') {
    state_ = State::kExtension;
    line_size_ = 0;
  } else {
    refuse(400, "a chunk size is not hexadecimal");
  }
}

void ChunkDecoder::begin_data(const std::string& body) {
  line_size_ = 0;
  if (size_ == 0) {
    state_ = State::kTrailer;
  } else if (++chunks_ > limits_->chunks_max) {
    refuse(413, "the body has too many chunks");
  } else if (size_ > limits_->body_max - std::min(limits_->body_max, body.size())) {
    refuse(413, "the body is too large");
  } else {
    state_ = State::kData;
  }
}

void ChunkDecoder::take_trailer(char c) {
  if (++trailers_size_ > limits_->trailers_max) return refuse(431, "the trailers are too long");
  if (state_ == State::kTrailerEnd) {
    if (c != '\n') return refuse(400, "a trailer line does not end in CRLF");
    state_ = line_size_ == 0 ? State::kComplete : State::kTrailer;
    line_size_ = 0;
  } else if (c == '\r') {
    state_ = State::kTrailerEnd;
  } else if (is_control(c)) {
    refuse(400, "a control character in a trailer");
  } else {
    ++line_size_;
  }
}

}  // namespace quire::http
