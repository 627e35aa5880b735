// What HTTP's routes of this protocol answer beside inference: health, metadata, configurations,
// statistics, the repository, settings.
// As serve/route.h says of each kind. Used by kserve.
#pragma once

#include <optional>

#include "serve/call.h"

namespace quire {

// On the I/O thread.
http::Response show_kserve_server(const DialectContext& context, const http::Request& request);
http::Response show_kserve_live(const DialectContext& context, const http::Request& request);
http::Response show_kserve_ready(const DialectContext& context, const http::Request& request);
http::Response show_kserve_model_ready(const DialectContext& context, const http::Request& request);
http::Response show_kserve_statistics(const DialectContext& context, const http::Request& request);
http::Response show_kserve_log(const DialectContext& context, const http::Request& request);
http::Response change_kserve_log(const DialectContext& context, const http::Request& request);
http::Response show_kserve_trace(const DialectContext& context, const http::Request& request);
http::Response change_kserve_trace(const DialectContext& context, const http::Request& request);
http::Response list_kserve_regions(const DialectContext& context, const http::Request& request);
http::Response refuse_kserve_regions(const DialectContext& context, const http::Request& request);
http::Response refuse_kserve_repository(const DialectContext& context,
                                        const http::Request& request);

// Answers when the model has come or gone.
void load_kserve_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange);
void unload_kserve_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange);

// On a worker thread: a model that was never in memory is awaited, folders are looked at.
Parsed<Call> parse_kserve_metadata(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_kserve_index(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_kserve_config(const DialectContext& context, const http::Request& request);

// A name may have slashes, so a path that is no endpoint may read as one: what is left over of an
// endpoint (a verb with another method, `versions` without a number) is told as such, and not as a
// model that is not there.
// Why the path names no model or version of one that is served; nothing: it does. Any thread.
std::optional<ApiError> find_path_fault(const DialectContext& context);

http::Response render_kserve_error(const ApiError& error, const http::Request& request);

}  // namespace quire
