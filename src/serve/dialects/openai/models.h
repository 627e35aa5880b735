// GET /v1/models and /v1/models/{id}: what is served, in OpenAI's shape with vLLM's max_model_len
// and the model's state ("unloaded", "loading", "ready", "unloading"). Any thread.
// Used by routes.
#pragma once

#include <string_view>

#include "host/model_host.h"
#include "serve/http/message.h"

namespace quire {

http::Response list_openai_models(const ModelHost& host);
http::Response show_openai_model(const ModelHost& host, std::string_view name);

}  // namespace quire
