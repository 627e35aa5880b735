// Tenants: who a request belongs to, told by its API key. Keys are kept and compared as SHA-256,
// each one in constant time, and are never logged: a tenant is called by its key's place in the
// list or by the name that the key file gives it, and there are no more tenants than keys. Without
// keys everyone is the public tenant. The keys of the file may change while the server runs: a key
// keeps its tenant as long as the process lives, and a place in the list is never given twice, so
// that nobody comes to see what another's prompts have left in the cache.
// I/O thread. Used by front_door.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "serve/access/key_file.h"
#include "serve/http/message.h"
#include "serve/intake/tenant.h"

namespace quire {

class Tenants {
 public:
  // Shares by key; none: all are equal. REQUIRES: no shares, or one for each key.
  Tenants(const std::vector<std::string>& api_keys, const std::vector<std::uint32_t>& shares);

  // Keys beside those of the constructor, in place of the ones that were set last. From then on
  // keys are asked for, be there any or not. kInvalidArgument, and nothing changes: a key of the
  // constructor's is among them.
  Status set_file_keys(const std::vector<KeyLine>& lines);

  bool asks_for_keys() const { return asks_for_keys_; }

  // Nothing: no valid key. `takes_x_api_key`: one in that header will do where no bearer token is.
  std::optional<Tenant> tenant_of(const http::Request& request, bool takes_x_api_key = false) const;

  std::vector<Tenant> all() const;

 private:
  using Digest = std::array<std::uint8_t, 32>;
  static Digest digest_of(std::string_view key);
  std::optional<Tenant> tenant_of_key(std::string_view key) const;

  struct Key {
    Digest digest;
    Tenant tenant;
  };
  std::string number_of(const Digest& digest);

  std::vector<Key> keys_;                  // first the constructor's
  std::size_t fixed_ = 0;                  // how many those are
  std::map<Digest, std::size_t> numbers_;  // of all keys that were ever seen without a name
  std::size_t next_number_ = 0;
  bool asks_for_keys_ = false;
};

}  // namespace quire
