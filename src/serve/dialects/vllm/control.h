// vLLM's endpoints for operators: ping, load, server_info, tokenizer_info; sleep and wake_up
// (models leave memory and come back), pause and resume (no step is made, nothing is lost),
// reset_prefix_cache.
// I/O thread. Used by vllm.
#pragma once

#include "serve/route.h"

namespace quire {

http::Response ping_vllm(const DialectContext& context, const http::Request& request);
http::Response show_vllm_load(const DialectContext& context, const http::Request& request);
http::Response show_vllm_server(const DialectContext& context, const http::Request& request);
http::Response show_vllm_tokenizer(const DialectContext& context, const http::Request& request);

http::Response sleep_vllm(const DialectContext& context, const http::Request& request);
http::Response wake_vllm(const DialectContext& context, const http::Request& request);
http::Response show_vllm_sleep(const DialectContext& context, const http::Request& request);
http::Response pause_vllm(const DialectContext& context, const http::Request& request);
http::Response resume_vllm(const DialectContext& context, const http::Request& request);
http::Response show_vllm_pause(const DialectContext& context, const http::Request& request);
http::Response reset_vllm_cache(const DialectContext& context, const http::Request& request);

}  // namespace quire
