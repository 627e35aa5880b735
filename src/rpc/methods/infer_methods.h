// ModelInfer and ModelStreamInfer: inference over gRPC, from messages to calls and back. On a
// stream each request may be answered by any number of responses, whose parameter
// `triton_final_response` tells the last; an error is a message of the stream.
// Worker threads; answers on the I/O thread. Used by service_dialect.
#pragma once

#include <string>
#include <string_view>

#include "serve/call.h"

namespace quire::rpc {

Parsed<Call> parse_model_infer(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_model_stream_infer(const DialectContext& context, const http::Request& request);

// A framed message that tells an error of the request with this body.
void append_stream_error(const ApiError& error, std::string_view body, std::string& out);

}  // namespace quire::rpc
