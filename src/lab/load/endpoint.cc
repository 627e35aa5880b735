#include "lab/load/endpoint.h"

#include <algorithm>

namespace quire {

Result<Endpoint> parse_endpoint(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) {
    return error(StatusCode::kUnsupported, "--url '{}' does not begin with {}", url, kScheme);
  }
  std::string_view rest = url.substr(kScheme.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view authority = rest.substr(0, slash), path = rest.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);

  Endpoint endpoint;
  std::size_t colon = authority.rfind(':');
  if (authority.starts_with('[')) {  // an IPv6 address
    const std::size_t bracket = authority.find(']');
    if (bracket == authority.npos) {
      return error(StatusCode::kInvalidArgument, "--url '{}' has no ']'", url);
    }
    endpoint.host = authority.substr(1, bracket - 1);
    colon = authority.find(':', bracket);
  } else {
    endpoint.host = authority.substr(0, colon);
  }
  if (colon != authority.npos) endpoint.port = authority.substr(colon + 1);
  const bool is_number = !endpoint.port.empty() && endpoint.port.size() <= 5 &&
                         std::all_of(endpoint.port.begin(), endpoint.port.end(),
                                     [](char c) { return c >= '0' && c <= '9'; });
  if (endpoint.host.empty() || !is_number) {
    return error(StatusCode::kInvalidArgument, "--url '{}' names no host and port", url);
  }
  endpoint.root = path;
  if (!path.ends_with("/v1")) endpoint.root += "/v1";
  return endpoint;
}

}  // namespace quire
