#include "serve/tenants.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace quire {

Tenants::Tenants(const std::vector<std::string>& api_keys) {
  for (const std::string& key : api_keys) digests_.push_back(digest_of(key));
}

Tenants::Digest Tenants::digest_of(std::string_view key) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return digest;
}

std::optional<std::string> Tenants::tenant_of(const http::Request& request) const {
  if (!asks_for_keys()) return std::string();
  constexpr std::string_view kScheme = "bearer ";  // and any number of spaces more
  if (request.count("authorization") != 1) return std::nullopt;
  const std::string& value = *request.find("authorization");
  if (value.size() <= kScheme.size()) return std::nullopt;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    if ((value[i] | 0x20) != kScheme[i]) return std::nullopt;
  }
  const std::size_t key = value.find_first_not_of(' ', kScheme.size());
  if (key == std::string::npos) return std::nullopt;
  const Digest given = digest_of(std::string_view(value).substr(key));
  std::optional<std::string> tenant;
  for (std::size_t i = 0; i < digests_.size(); ++i) {  // all of them, found or not
    if (CRYPTO_memcmp(given.data(), digests_[i].data(), given.size()) == 0) {
      tenant = "key-" + std::to_string(i);
    }
  }
  return tenant;
}

}  // namespace quire
