// GET /v1/models and /v1/models/{id} in Anthropic's shape, with its paging by ids (before_id,
// after_id, limit). A name that stands for any name is not listed.
// Any thread. Used by the Anthropic dialect.
#pragma once

#include <string_view>

#include "host/model_host.h"
#include "serve/http/message.h"

namespace quire {

http::Response list_anthropic_models(const ModelHost& host, const http::Request& request);
http::Response show_anthropic_model(const ModelHost& host, std::string_view name,
                                    const http::Request& request);

}  // namespace quire
