// Quire's own view of the models of this process: GET /quire/models lists them with their state,
// memory, users and failures; POST /quire/models/{name}/load and .../unload change what is in
// memory and answer at once (202): the list tells when it is done; .../pin and .../unpin say
// whether it stays there (200), answered when that is kept for the next start. What `quire ps` and
// `quire stop` speak. Any thread; pin: I/O thread. Used by quire.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "host/model_host.h"
#include "serve/http/exchange.h"
#include "serve/http/message.h"

namespace quire {

struct House;

// `has_repository`: whether there is a folder of versions beside them.
http::Response list_quire_models(const ModelHost& host, bool has_repository);

http::Response load_quire_model(ModelHost& host, std::string_view name);
http::Response unload_quire_model(ModelHost& host, std::string_view name);
// From now on, and, where there is a book of them, after a restart, too.
void pin_quire_model(const House& house, std::shared_ptr<http::Exchange> exchange,
                     const std::string& name, bool is_pinned);

}  // namespace quire
