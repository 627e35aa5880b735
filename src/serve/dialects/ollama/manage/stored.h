// Models of the store as Ollama's clients manage them: which one a name means, and how one that was
// made, copied or fetched comes to be served in place of what had its name.
// Any thread. Used by manage, create and transfers.
#pragma once

#include <cstdint>
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

// The same, if clients can know of it: it is served, or whatever the store has is. Empty: there is
// none.
std::string visible_name(const DialectContext& context, const store::LocalStore& store,
                         std::string_view name);

// The name as a model that is there writes it, which means the same; else as it is.
std::string existing_name(const DialectContext& context, const store::LocalStore& store,
                          const std::string& name);

// Why a name cannot be given to, or taken from, a model of the store; nothing: it can. Refused:
// "*", a model or version of the repository, a model or alias that the command line named and the
// store does not have, and, unless it may be hidden, a model of the store that is not served here.
std::optional<ApiError> check_manageable(const DialectContext& context,
                                         const store::LocalStore& store, const std::string& name,
                                         bool may_be_hidden = false);

// A model of that name that is being loaded, which nobody can replace or take away meanwhile: the
// request is read again when the load has ended, before it has changed anything. Nothing: there is
// none.
std::optional<ApiError> await_load(const DialectContext& context, const std::string& name);

// That request, of a model whose load was in the way of the change itself.
ApiError behind_load(const std::string& name);

// Opens what was made or fetched as it will be opened to be served.
store::ModelCheck model_check(const DialectContext& context);

// Who may wait for the end of a load: an errand, which has a thread of its own.
enum class LoadWait : std::uint8_t { kNone, kErrand };

// From now on requests for that name are answered by the model that the store has under it. A load
// of the one that is served so far, which has begun meanwhile, is in the way; `is_in_way`: whether
// it was, of one who does not wait for its end. Then nothing has changed.
Status serve_stored(const DialectContext& context, const std::string& name, LoadWait wait,
                    bool* is_in_way = nullptr);

// Lines of JSON, or of a request that wants none the last of them.
http::Response progress_response(const std::vector<Json>& lines, bool is_stream);

ApiError store_error(const Status& status);

}  // namespace quire
