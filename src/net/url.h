// What is asked of addresses: whose they are, where a relative one leads, and how a name becomes
// part of one. Pure functions; any thread.
// Used by the store, by commands that talk to a server, and by the load generator.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace quire::net {

// "host:port" of a URL, without a password that stands in it: for messages.
std::string host_of(const std::string& url);

// `relative` (a path or a whole URL) as seen from `base`; kCorrupt if that is no http(s) URL.
Result<std::string> resolve_url(const std::string& base, const std::string& relative);

// Any text as a segment of a path, or as several where slashes are kept.
std::string url_escaped(std::string_view text, bool keeps_slashes = false);

// Where an OpenAI-compatible server is, without the /v1 at the end: "http://host:8000",
// "host:8000/" and "http://host:8000/v1" are one server. kInvalidArgument: no such address; `flag`
// is where it was given, for the message.
Result<std::string> server_base(const std::string& endpoint, std::string_view flag);

}  // namespace quire::net
