// Tenant: on whose behalf a request is computed. It splits the prefix cache and the turns of the
// scheduler; who it is is told by the API key (serve/tenants.h).
// Plain values; any thread. Used by intake and service.
#pragma once

#include <cstdint>
#include <string>

namespace quire {

struct Tenant {
  std::string name;         // of its cache and its turns; empty: the public one
  std::uint32_t share = 1;  // of the machine, beside the shares of others that wait
  bool gives_way = false;   // every other request of the same name is served before this one
};

}  // namespace quire
