// RegistrySession: what is asked of one registry of Ollama's kind, one request after the other, and
// who asks: where it wants to know (401 with a realm of its own), the user's key signs, and the
// token that it gives for that goes with all further requests to that host, and to no other.
// One thread at a time; blocks. Used by push and ollama_registry.
#pragma once

#include <string>
#include <string_view>

#include "net/client.h"

namespace quire::store {

// "https://host"; http for this machine's own addresses, and for others where it was asked for.
std::string registry_base(const std::string& host, bool is_insecure);

class RegistrySession {
 public:
  RegistrySession(const std::string& host, bool is_insecure, const net::Limits& limits);

  const std::string& host() const { return host_; }
  const std::string& base() const { return base_; }
  const std::string& token() const { return token_; }  // empty: nobody asked for it
  const net::Limits& limits() const { return limits_; }

  // Whatever it answers, but for 401, which is an error that begins with "unauthorized". Patiently:
  // again after failures that may pass, for small answers.
  Result<net::Response> send(const net::Request& request);
  Result<net::Response> send_patiently(const net::Request& request);
  // HEAD, at the place where a redirect leads as well.
  Result<net::Response> look(std::string url);

  // Where an answer's "Docker-Upload-Location" or "Location" leads. kCorrupt: nowhere, or to a
  // place without TLS from one that has it.
  Result<std::string> place(const net::Response& response, const std::string& asked) const;
  Result<std::string> resolve(const std::string& asked, std::string_view place) const;

  // The sentence for an answer that is no success; `what` was refused: "the manifest of me/mario".
  Status explain(const net::Response& response, std::string_view what) const;

 private:
  enum class Patience { kNone, kSome };
  Result<net::Response> ask(const net::Request& request, Patience patience);
  Result<net::Response> send_once(const net::Request& request, Patience patience);
  Status sign_in(std::string_view challenge);
  Status unauthorized(std::string_view why) const;

  std::string host_;
  std::string base_;
  net::Limits limits_;
  net::Client client_;
  std::string token_;
};

}  // namespace quire::store
