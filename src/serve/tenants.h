// Tenants: who a request belongs to, told by its API key. Keys are kept and compared as SHA-256,
// each one in constant time, and are never logged: a tenant is called by its key's place in the
// list, and there are no more tenants than keys. Without keys everyone is the public tenant.
// Immutable; any thread. Used by routes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/message.h"
#include "serve/intake/tenant.h"

namespace quire {

class Tenants {
 public:
  // Shares by key; none: all are equal. REQUIRES: no shares, or one for each key.
  Tenants(const std::vector<std::string>& api_keys, const std::vector<std::uint32_t>& shares);

  bool asks_for_keys() const { return !digests_.empty(); }

  // Nothing: no valid key. `takes_x_api_key`: one in that header will do where no bearer token is.
  std::optional<Tenant> tenant_of(const http::Request& request, bool takes_x_api_key = false) const;

  const std::vector<Tenant>& all() const { return tenants_; }

 private:
  using Digest = std::array<std::uint8_t, 32>;
  static Digest digest_of(std::string_view key);
  std::optional<Tenant> tenant_of_key(std::string_view key) const;

  std::vector<Digest> digests_;  // [keys]
  std::vector<Tenant> tenants_;  // [keys], or the public one
};

}  // namespace quire
