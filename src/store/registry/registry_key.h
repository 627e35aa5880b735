// RegistryKey: the key by which registries of Ollama's kind know somebody: Ed25519, kept as OpenSSH
// keeps it, without a passphrase, in ~/.ollama/id_ed25519, where Ollama makes it. A signature goes
// to the registry in place of a password; the key itself goes nowhere.
// Plain value; any thread. Used by registry_session.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/status.h"

namespace quire::store {

class RegistryKey {
 public:
  // That of $HOME/.ollama. kNotFound: there is none, with where it was looked for.
  static Result<RegistryKey> of_user();
  // Of the text of such a file. kCorrupt: it is none; kUnsupported: of another kind, or locked.
  static Result<RegistryKey> parse(std::string_view text);

  // What stands in "Authorization": the public key and the signature, both in base64.
  Result<std::string> sign(std::string_view text) const;

 private:
  static constexpr std::size_t kSeedBytes = 32;

  std::string public_blob_;  // as OpenSSH writes it: the kind and the key
  std::array<unsigned char, kSeedBytes> seed_{};
};

// Of any bytes; "+/" or, for addresses, "-_" without padding.
std::string base64(std::string_view bytes, bool is_for_urls = false);

}  // namespace quire::store
