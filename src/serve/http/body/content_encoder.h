// A whole answer made smaller before it is sent, by gzip or deflate, as its reader's
// Accept-Encoding wishes (RFC 9110, section 12.5.3). Fast rather than small: it may run on the I/O
// thread.
// Pure; any thread. Used by dialects.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "serve/http/body/content_coding.h"
#include "serve/http/message.h"

namespace quire::http {

// Of gzip and deflate the one with the greater weight (gzip of two that are alike); kIdentity: the
// reader wishes neither.
ContentCoding accepted_coding(const Request& request);

// As Content-Encoding names it; empty: kIdentity.
std::string_view coding_name(ContentCoding coding);

// Nothing: there is no memory for it. REQUIRES: kGzip or kDeflate.
std::optional<std::string> encode_body(ContentCoding coding, std::string_view body);

}  // namespace quire::http
