// Tenants: who a request belongs to, told by its API key. Keys are kept and compared as SHA-256,
// each one in constant time, and are never logged. Without keys everyone is the public tenant.
// Immutable; any thread. Used by routes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/message.h"

namespace quire {

class Tenants {
 public:
  explicit Tenants(const std::vector<std::string>& api_keys);

  bool asks_for_keys() const { return !digests_.empty(); }

  // The tenant's name, which is its cache namespace; nothing: no valid key.
  std::optional<std::string> tenant_of(const http::Request& request) const;

 private:
  using Digest = std::array<std::uint8_t, 32>;
  static Digest digest_of(std::string_view key);

  std::vector<Digest> digests_;
};

}  // namespace quire
