// fetch_ranges: the bytes of one remote file into a PartialFile, over a few connections at once.
// Each asks for a run of chunks that are missing; what is complete is never asked for again. A
// connection that fails tries again after a while; a run of failures that bring nothing ends the
// fetch, and what is complete stays for the next one. Servers that know no ranges send the whole
// file over one connection.
// Starts threads and joins them. Called by blob_fetch.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "net/client.h"
#include "store/partial_file.h"

namespace quire::store {

struct RemoteBytes {
  std::string url;
  std::string token;
  std::function<Status(const net::Response&)> explain;  // a sentence for one that is no success
};

// `advance` is told how many bytes of the file are here; one thread at a time. kCorrupt: the file
// on the server is not, or no longer, the one that was asked for.
Status fetch_ranges(const RemoteBytes& remote, const net::Limits& limits, PartialFile& file,
                    const std::function<void(std::uint64_t)>& advance);

}  // namespace quire::store
