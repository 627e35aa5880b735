// ServerClient: what commands that talk to a running server need: its address and key as flags, and
// one request with a JSON answer.
// Main thread. Used by ps and stop.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace quire {

class Command;

struct ServerAddress {
  std::string endpoint = "http://127.0.0.1:8000";
  std::string api_key;  // empty: none is sent
};

// --endpoint and --api-key (or QUIRE_API_KEY).
void declare_server_flags(Command& command, ServerAddress& address);

// GET, or POST of an empty JSON object. An error is the server's own sentence, or why there was no
// answer.
Result<Json> ask_server(const ServerAddress& address, std::string_view method,
                        const std::string& path);

}  // namespace quire
