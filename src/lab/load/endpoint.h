// Endpoint: where a server is, from a URL such as http://127.0.0.1:8000 or http://host/prefix/v1.
// A path that ends in /v1 is the API's root; otherwise /v1 is appended. TLS is not spoken.
// A plain value from a pure function; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace quire {

struct Endpoint {
  std::string host;  // without brackets
  std::string port = "80";
  std::string root;  // "/v1", "/prefix/v1"
};

Result<Endpoint> parse_endpoint(std::string_view url);

}  // namespace quire
