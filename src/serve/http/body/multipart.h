// multipart/form-data (RFC 7578): the fields and files of a form, as views into a body that has
// arrived whole. Bounded in parts and in the bytes of their headers; strict about what two readers
// could take apart differently: one boundary, CRLF line ends, one Content-Disposition a part, its
// parameters once.
// Pure. Used by the endpoints that take files.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace quire::http {

struct MultipartLimits {
  std::size_t parts_max = 64;
  std::size_t part_head_max = 4096;  // bytes
  std::size_t part_headers_max = 16;
};

struct Part {
  std::string name;                     // of the form's field
  std::optional<std::string> filename;  // as sent, unsafe as a path; nothing: a plain field
  std::string content_type;             // empty: not given
  std::string_view data;                // of the body
};

// kInvalidArgument: `content_type` is not multipart/form-data with a boundary, or `body` is not
// what it says; the message says where. kResourceExhausted: a limit.
Result<std::vector<Part>> parse_multipart(std::string_view content_type, std::string_view body,
                                          const MultipartLimits& limits = {});

// "multipart/form-data", with or without parameters.
bool is_multipart(std::string_view content_type);

}  // namespace quire::http
