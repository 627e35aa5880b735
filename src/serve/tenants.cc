#include "serve/tenants.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <span>

#include "base/check.h"

namespace quire {

Tenants::Tenants(const std::vector<std::string>& api_keys,
                 const std::vector<std::uint32_t>& shares) {
  QUIRE_CHECK(shares.empty() || shares.size() == api_keys.size(), "{} shares for {} keys",
              shares.size(), api_keys.size());
  for (std::size_t i = 0; i < api_keys.size(); ++i) {
    const Digest digest = digest_of(api_keys[i]);
    numbers_.emplace(digest, i);
    keys_.push_back({digest, {"key-" + std::to_string(i), shares.empty() ? 1 : shares[i]}});
  }
  fixed_ = keys_.size();
  next_number_ = fixed_;
  asks_for_keys_ = fixed_ > 0;
}

Status Tenants::set_file_keys(const std::vector<KeyLine>& lines) {
  const auto fixed = std::span(keys_).first(fixed_);
  std::vector<Key> keys(fixed.begin(), fixed.end());
  for (const KeyLine& line : lines) {
    const Digest digest = digest_of(line.key);
    const bool is_fixed = std::any_of(fixed.begin(), fixed.end(),
                                      [&](const Key& key) { return key.digest == digest; });
    if (is_fixed) {
      return error(StatusCode::kInvalidArgument, "line {}: the key is given by --api-key as well",
                   line.line);
    }
    keys.push_back({digest, {line.name.empty() ? number_of(digest) : line.name, line.share}});
  }
  keys_ = std::move(keys);
  asks_for_keys_ = true;
  return ok_status();
}

// Never that of a key that is gone.
std::string Tenants::number_of(const Digest& digest) {
  return "key-" + std::to_string(numbers_.emplace(digest, next_number_).second
                                     ? next_number_++ : numbers_.at(digest));
}

std::vector<Tenant> Tenants::all() const {
  if (!asks_for_keys_) return {Tenant()};
  std::vector<Tenant> tenants;
  for (const Key& key : keys_) tenants.push_back(key.tenant);
  return tenants;
}

Tenants::Digest Tenants::digest_of(std::string_view key) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return digest;
}

std::optional<Tenant> Tenants::tenant_of(const http::Request& request,
                                         bool takes_x_api_key) const {
  if (!asks_for_keys()) return Tenant();
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
  for (const Key& known : keys_) {  // all of them, found or not
    if (CRYPTO_memcmp(given.data(), known.digest.data(), given.size()) == 0) {
      tenant = &known.tenant;
    }
  }
  return tenant == nullptr ? std::nullopt : std::optional(*tenant);
}

}  // namespace quire
