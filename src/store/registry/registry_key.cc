// The file is a PEM armour around OpenSSH's own form: a mark, the names of cipher and key
// derivation ("none"), the number of keys, the public one, and a block with the private one, each
// a length of four bytes and what it counts.
#include "store/registry/registry_key.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "base/file.h"

namespace quire::store {
namespace {

constexpr std::size_t kKeyFileMax = std::size_t{16} << 10;  // bytes
constexpr std::string_view kKind = "ssh-ed25519";

Status corrupt() {
  return error(StatusCode::kCorrupt, "it is no private key as OpenSSH writes it");
}

std::optional<std::string> unarmoured(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN OPENSSH PRIVATE KEY-----";
  constexpr std::string_view kEnd = "-----END OPENSSH PRIVATE KEY-----";
  const std::size_t begin = text.find(kBegin);
  const std::size_t end = text.find(kEnd);
  if (begin == text.npos || end == text.npos || end < begin) return std::nullopt;
  std::string letters;
  for (const char c : text.substr(begin + kBegin.size(), end - begin - kBegin.size())) {
    if (c != '\n' && c != '\r' && c != ' ') letters += c;
  }
  std::vector<unsigned char> bytes(letters.size() / 4 * 3 + 3);
  const int size = EVP_DecodeBlock(bytes.data(),
                                   reinterpret_cast<const unsigned char*>(letters.data()),
                                   static_cast<int>(letters.size()));
  if (size < 0) return std::nullopt;
  return std::string(bytes.begin(), bytes.begin() + size);
}

// Reads numbers and counted strings; what is not there is said once, at the end.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool skip(std::string_view mark) {
    is_good_ = is_good_ && rest_.starts_with(mark);
    if (is_good_) rest_.remove_prefix(mark.size());
    return is_good_;
  }
  std::uint32_t number() {
    if (rest_.size() < 4) is_good_ = false;
    if (!is_good_) return 0;
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(rest_[i]);
    rest_.remove_prefix(4);
    return value;
  }
  std::string_view text() {
    const std::uint32_t size = number();
    if (size > rest_.size()) is_good_ = false;
    if (!is_good_) return {};
    const std::string_view found = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return found;
  }
  bool is_good() const { return is_good_; }

 private:
  std::string_view rest_;
  bool is_good_ = true;
};

}  // namespace

Result<RegistryKey> RegistryKey::of_user() {
  const char* home = std::getenv("HOME");
  const std::string path = std::string(home != nullptr ? home : "") + "/.ollama/id_ed25519";
  std::error_code failure;
  if (home == nullptr || *home == '\0' || !std::filesystem::exists(path, failure)) {
    return error(StatusCode::kNotFound, "there is no key {}", path);
  }
  QUIRE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kKeyFileMax));
  auto key = parse(text);
  if (!key.is_ok()) {
    return error(key.status().code(), "{} cannot be used: {}", path, key.status().message());
  }
  return key;
}

Result<RegistryKey> RegistryKey::parse(std::string_view text) {
  const auto bytes = unarmoured(text);
  if (!bytes) return corrupt();
  Reader file(*bytes);
  constexpr std::string_view kMark("openssh-key-v1\0", 15);
  if (!file.skip(kMark)) return corrupt();
  const std::string_view cipher = file.text();
  file.text();  // how a passphrase becomes a key
  file.text();
  const std::uint32_t count = file.number();
  RegistryKey key;
  key.public_blob_ = file.text();
  Reader inner(file.text());
  if (!file.is_good() || count != 1) return corrupt();
  if (cipher != "none") {
    return error(StatusCode::kUnsupported, "it is locked with a passphrase");
  }
  const std::uint32_t check = inner.number();  // twice the same, where nothing was locked
  const bool is_whole = check == inner.number();
  const std::string_view kind = inner.text();
  if (!inner.is_good() || !is_whole) return corrupt();
  if (kind != kKind) {
    return error(StatusCode::kUnsupported, "it is of the kind {}, not {}", kind.substr(0, 40),
                 kKind);
  }
  inner.text();  // the public key once more
  const std::string_view secret = inner.text();  // the seed, and the public key behind it
  if (!inner.is_good() || secret.size() != 2 * kSeedBytes) return corrupt();
  std::copy_n(secret.begin(), kSeedBytes, key.seed_.begin());
  return key;
}

Result<std::string> RegistryKey::sign(std::string_view text) const {
  constexpr std::size_t kSignatureBytes = 64;
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> secret(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed_.data(), seed_.size()),
      &EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  std::string signature(kSignatureBytes, '\0');
  std::size_t size = signature.size();
  const bool is_signed =
      secret != nullptr && context != nullptr &&
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, secret.get()) == 1 &&
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
  if (!is_signed) return error(StatusCode::kInternal, "the key signs nothing");
  return base64(public_blob_) + ":" + base64(signature);
}

std::string base64(std::string_view bytes, bool is_for_urls) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  if (!is_for_urls) return text;
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

}  // namespace quire::store
