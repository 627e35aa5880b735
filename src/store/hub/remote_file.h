// RemoteFile: a file that can be fetched: where it is, how large it is and which checksum it must
// have, told before the first byte comes. FetchObserver: who is told how it goes. Plain values; the
// observer is called by one thread at a time. Made by hub_client and default_model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "store/hub/range_fetch.h"
#include "store/manifest.h"

namespace quire::store {

struct RemoteFile {
  StoredFile file;
  RemoteBytes bytes;
};

class FetchObserver {
 public:
  virtual ~FetchObserver() = default;
  virtual void announce(std::string_view sentence) = 0;
  virtual void advance(std::uint64_t bytes_here, std::uint64_t bytes_total) = 0;
};

}  // namespace quire::store
