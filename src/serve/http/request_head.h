// RequestHead: from the bytes that passed the gate to an Request: fields, the target as a path,
// how the body is framed, who the request is meant for. Everything that must be refused before a
// body is read and does not depend on the route is refused here. Pure; used by connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "serve/http/body/content_coding.h"
#include "serve/http/message.h"

namespace quire::http {

struct RequestHead {
  Request request;
  bool is_chunked = false;
  std::uint64_t body_size = 0;  // bytes announced, unless chunked
  std::size_t body_max = 0;     // bytes that it may have; the connection's to say
  bool expects_continue = false;
  ContentCoding coding = ContentCoding::kIdentity;

  int refusal = 0;  // status; 0: well formed
  std::string_view reason;
};

// `bytes`: a whole head with its empty line. After a refusal the connection must be closed: where
// the body ends is not known.
RequestHead parse_head(std::string_view bytes, const Limits& limits);

// An x-request-id of ours.
std::string fresh_request_id();

// "/a%20b?x" -> "/a b". False: not a path that we would look at.
bool decode_target(std::string_view target, std::string& path);

}  // namespace quire::http
