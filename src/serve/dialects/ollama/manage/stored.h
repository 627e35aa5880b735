// Models of the store as Ollama's clients manage them: which one a name means, and how one that was
// made, copied or fetched comes to be served in place of what had its name.
// Any thread. Used by manage, create and transfers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/call.h"
#include "store/local_store.h"
#include "store/pull.h"

namespace quire {

// Where this server keeps models; an error where there is no such place, or none is served from it.
Parsed<store::LocalStore> open_managed_store(const DialectContext& context);

// The name of a model of the store that means the same; empty: there is none.
std::string stored_name(const store::LocalStore& store, std::string_view name);

// Why a name cannot be given to, or taken from, a model of the store; nothing: it can. Refused:
// "*", a model or version of the repository, a model or alias that the command line named and the
// store does not have.
std::optional<ApiError> check_manageable(const DialectContext& context,
                                         const store::LocalStore& store, const std::string& name);

// Opens what was made or fetched as it will be opened to be served.
store::ModelCheck model_check(const DialectContext& context);

// From now on requests for that name are answered by the model that the store has under it.
Status serve_stored(const DialectContext& context, const std::string& name);

// Lines of JSON, or of a request that wants none the last of them.
http::Response progress_response(const std::vector<Json>& lines, bool is_stream);

ApiError store_error(const Status& status);

}  // namespace quire
