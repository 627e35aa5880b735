// Endpoints of /v1/files: files that a client leaves here, above all lists of requests for batches,
// and what batches answer. They stay until they are deleted or expire.
// Worker threads. Used by the dialect's table.
#pragma once

#include <cstdint>

#include "archive/archive.h"
#include "base/json.h"
#include "serve/call.h"

namespace quire {

// How long a client may have a file stay, in seconds.
inline constexpr std::int64_t kExpiryMin = 3600, kExpiryMax = 30 * 24 * 3600;

Parsed<Call> parse_upload_file(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_list_files(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_show_file(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_file_content(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_delete_file(const DialectContext& context, const http::Request& request);

}  // namespace quire
