// Chat completions that are kept (`store`: true): the whole answer, streamed or not, on the disk
// before its client reads the end; and the endpoints that show, list, change and delete them.
// Worker threads; the writer: I/O thread. Used by chat and the dialect's table.
#pragma once

#include <memory>

#include "base/json.h"
#include "serve/call.h"

namespace quire {

// Whether the request wants its answer kept, and there is where.
bool keeps_completion(const DialectContext& context, const Json& body);

// A writer that says what `shown` says and keeps what `whole` would say; both have one id.
std::unique_ptr<AnswerWriter> keep_completion(const DialectContext& context, const Json& body,
                                              std::unique_ptr<AnswerWriter> shown,
                                              std::unique_ptr<AnswerWriter> whole);

Parsed<Call> parse_list_completions(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_show_completion(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_change_completion(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_delete_completion(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_list_messages(const DialectContext& context, const http::Request& request);

}  // namespace quire
