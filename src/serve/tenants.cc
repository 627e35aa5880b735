#include "serve/tenants.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/check.h"

namespace quire {

Tenants::Tenants(const std::vector<std::string>& api_keys,
                 const std::vector<std::uint32_t>& shares) {
  QUIRE_CHECK(shares.empty() || shares.size() == api_keys.size(), "{} shares for {} keys",
              shares.size(), api_keys.size());
  for (std::size_t i = 0; i < api_keys.size(); ++i) {
    digests_.push_back(digest_of(api_keys[i]));
    tenants_.push_back({"key-" + std::to_string(i), shares.empty() ? 1 : shares[i]});
  }
  if (tenants_.empty()) tenants_.emplace_back();
}

Tenants::Digest Tenants::digest_of(std::string_view key) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return digest;
}

std::optional<Tenant> Tenants::tenant_of(const http::Request& request,
                                         bool takes_x_api_key) const {
  if (!asks_for_keys()) return tenants_.front();
  const bool has_bearer = request.count("authorization") > 0;
  if (takes_x_api_key && !has_bearer && request.count("x-api-key") == 1) {
    return tenant_of_key(*request.find("x-api-key"));
  }
  constexpr std::string_view kScheme = "bearer ";  // and any number of spaces more
  if (request.count("authorization") != 1) return std::nullopt;
  const std::string& value = *request.find("authorization");
  if (value.size() <= kScheme.size()) return std::nullopt;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    if ((value[i] | 0x20) != kScheme[i]) return std::nullopt;
  }
  const std::size_t key = value.find_first_not_of(' ', kScheme.size());
  if (key == std::string::npos) return std::nullopt;
  return tenant_of_key(std::string_view(value).substr(key));
}

std::optional<Tenant> Tenants::tenant_of_key(std::string_view key) const {
  const Digest given = digest_of(key);
  const Tenant* tenant = nullptr;
  for (std::size_t i = 0; i < digests_.size(); ++i) {  // all of them, found or not
    if (CRYPTO_memcmp(given.data(), digests_[i].data(), given.size()) == 0) {
      tenant = &tenants_[i];
    }
  }
  return tenant == nullptr ? std::nullopt : std::optional(*tenant);
}

}  // namespace quire
