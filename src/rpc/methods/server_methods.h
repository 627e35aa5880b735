// The methods beside inference: health, metadata, configurations, statistics, the repository,
// settings; shared memory, which there is none of.
// As serve/route.h says of each kind. Used by service_dialect.
#pragma once

#include "serve/call.h"

namespace quire::rpc {

http::Response server_live(const DialectContext& context, const http::Request& request);
http::Response server_ready(const DialectContext& context, const http::Request& request);
http::Response model_ready(const DialectContext& context, const http::Request& request);
http::Response server_metadata(const DialectContext& context, const http::Request& request);
http::Response model_statistics(const DialectContext& context, const http::Request& request);
http::Response no_regions(const DialectContext& context, const http::Request& request);
http::Response refuse_region(const DialectContext& context, const http::Request& request);
http::Response trace_setting(const DialectContext& context, const http::Request& request);
http::Response log_setting(const DialectContext& context, const http::Request& request);
http::Response check_health(const DialectContext& context, const http::Request& request);

Parsed<Call> parse_model_metadata(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_repository_index(const DialectContext& context, const http::Request& request);
Parsed<Call> parse_model_config(const DialectContext& context, const http::Request& request);

// They answer when the model has come or gone.
void load_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange);
void unload_model(const DialectContext& context, std::shared_ptr<http::Exchange> exchange);

}  // namespace quire::rpc
