// Texts that go to a client and come back: a thought or a summary as `encrypted_content`. A server
// that keeps nothing needs it back with the next request, and the client is not to take it for
// words. It is wrapped (base64 behind a mark of ours), not hidden: it is the client's own answer.
// Pure; any thread. Used by the rest of this folder.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quire {

std::string seal_text(std::string_view text);
std::optional<std::string> unseal_text(std::string_view sealed);  // nothing: it is none of ours

}  // namespace quire
