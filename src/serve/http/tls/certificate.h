// Certificate: what the server shows to a TLS client: a chain and its key from two files (or one),
// and the terms: TLS 1.2 and later, HTTP/1.1, no renegotiation, no compression. When the files
// change, connections from then on get the new pair; a new pair that is no good is refused with a
// line in the log, and the old one stays. Connections keep the pair that they began with.
// I/O thread. Used by Server; what it makes is used by Listener and Stream.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "serve/http/watched_file.h"

namespace boost::asio::ssl {
class context;
}

namespace quire::http {

using TlsContext = boost::asio::ssl::context;

class Certificate {
 public:
  // `key_path` may be empty: then the key stands in the certificate's file. An error names the flag
  // and the file.
  static Result<std::unique_ptr<Certificate>> load(std::string certificate_path,
                                                   std::string key_path);

  const std::shared_ptr<TlsContext>& context() const { return context_; }

  // Looks at the files. True: there is a new pair.
  bool reload_if_changed();

 private:
  Certificate(std::string certificate_path, std::string key_path);

  Status read();

  WatchedFile certificate_;
  WatchedFile key_;
  std::shared_ptr<TlsContext> context_;
};

}  // namespace quire::http
