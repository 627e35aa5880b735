#include "serve/testing/test_certificate.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>

#include "base/check.h"

namespace quire {
namespace {

template <typename Write>
std::string pem(Write write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
  QUIRE_CHECK(write(out.get()) == 1, "PEM cannot be written");
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

}  // namespace

TestCertificate make_test_certificate(const std::string& name, int days) {
  constexpr long kDay = 24 * 60 * 60;
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                               &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), &X509_free);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -100 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), days * kDay);
  X509_set_pubkey(made.get(), key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(made.get(), X509_get_subject_name(made.get()));
  QUIRE_CHECK(X509_sign(made.get(), key.get(), EVP_sha256()) > 0, "no signature");
  return {pem([&](BIO* out) { return PEM_write_bio_X509(out, made.get()); }),
          pem([&](BIO* out) {
            return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

TestFolder::TestFolder() {
  std::string name = std::filesystem::temp_directory_path() / "quire-test-XXXXXX";
  QUIRE_CHECK(::mkdtemp(name.data()) != nullptr, "no folder {}", name);
  folder_ = name;
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string TestFolder::write(std::string_view name, std::string_view contents) const {
  const std::string made = path(std::string(name) + ".new");
  std::ofstream(made, std::ios::binary) << contents;
  std::filesystem::rename(made, path(name));
  return path(name);
}

}  // namespace quire
