#include "serve/http/tls/certificate.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string_view>

#include "base/clock.h"
#include "serve/http/asio.h"

#include <boost/asio/ssl.hpp>

namespace quire::http {
namespace {

namespace ssl = asio::ssl;

constexpr std::size_t kFileMax = 1 << 20;  // bytes

// A certificate and a key of the same kind that do not belong together.
bool is_mismatch(boost::system::error_code failure) {
  const auto code = static_cast<unsigned long>(failure.value());
  return ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH;
}

// A key with a passphrase would be asked for at the terminal: nobody answers.
int no_passphrase(char*, int, int, void*) { return 0; }

// Of what the client offers only HTTP/1.1 is spoken here; who offers none of it is told so.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  constexpr std::string_view kHttp11 = "http/1.1";
  std::string_view list(reinterpret_cast<const char*>(offered), offered_size);
  while (!list.empty()) {
    const std::size_t length = static_cast<unsigned char>(list.front());
    const std::string_view name = list.substr(1, length);
    if (name == kHttp11) {
      *chosen = reinterpret_cast<const unsigned char*>(name.data());
      *size = static_cast<unsigned char>(name.size());
      return SSL_TLSEXT_ERR_OK;
    }
    list.remove_prefix(std::min(length + 1, list.size()));
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

std::shared_ptr<TlsContext> make_context() {
  auto context = std::make_shared<TlsContext>(ssl::context::tls_server);
  SSL_CTX* raw = context->native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Tickets resume sessions; nothing is remembered here for clients that come no more.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(raw, 1);
  SSL_CTX_set_default_passwd_cb(raw, no_passphrase);
  SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
  return context;
}

// The validity of the first certificate does not keep anybody from serving, but a client will ask.
void warn_of_dates(SSL_CTX* context, const std::string& path) {
  const X509* leaf = SSL_CTX_get0_certificate(context);
  std::time_t now = SteadyClock::unix_seconds();
  if (X509_cmp_time(X509_get0_notAfter(leaf), &now) < 0) {
    spdlog::warn("--ssl-certfile '{}': the certificate has expired", path);
  } else if (X509_cmp_time(X509_get0_notBefore(leaf), &now) > 0) {
    spdlog::warn("--ssl-certfile '{}': the certificate is not valid yet", path);
  }
}

Status refusal(const char* flag, const std::string& path, std::string_view why) {
  return error(StatusCode::kInvalidArgument, "{} '{}': {}", flag, path, why);
}

}  // namespace

Certificate::Certificate(std::string certificate_path, std::string key_path)
    : certificate_(certificate_path, kFileMax),
      key_(key_path.empty() ? std::move(certificate_path) : std::move(key_path), kFileMax) {}

Result<std::unique_ptr<Certificate>> Certificate::load(std::string certificate_path,
                                                       std::string key_path) {
  std::unique_ptr<Certificate> certificate(
      new Certificate(std::move(certificate_path), std::move(key_path)));
  QUIRE_RETURN_IF_ERROR(certificate->read());
  return certificate;
}

Status Certificate::read() {
  constexpr const char* kCertificateFlag = "--ssl-certfile";
  constexpr const char* kKeyFlag = "--ssl-keyfile";
  Result<std::string> chain = certificate_.read();
  Result<std::string> key = key_.read();
  if (!chain.is_ok()) {
    return error(chain.status().code(), "{}: {}", kCertificateFlag, chain.status().message());
  }
  if (!key.is_ok()) return error(key.status().code(), "{}: {}", kKeyFlag, key.status().message());
  const std::shared_ptr<TlsContext> context = make_context();
  boost::system::error_code failure;
  context->use_certificate_chain(asio::buffer(*chain), failure);
  if (failure) {
    return refusal(kCertificateFlag, certificate_.path(), "there is no certificate in PEM in it");
  }
  context->use_private_key(asio::buffer(*key), ssl::context::pem, failure);
  const bool is_encrypted = key->find("ENCRYPTED") != std::string::npos;
  OPENSSL_cleanse(key->data(), key->size());
  OPENSSL_cleanse(chain->data(), chain->size());  // which may hold the key as well
  const bool is_other = failure ? is_mismatch(failure)
                                : SSL_CTX_check_private_key(context->native_handle()) != 1;
  ERR_clear_error();
  if (is_other) {
    return refusal(kKeyFlag, key_.path(),
                   "the key does not belong to the certificate '" + certificate_.path() + "'");
  }
  if (failure) {
    return refusal(kKeyFlag, key_.path(),
                   is_encrypted ? "the key is encrypted, and no passphrase can be given"
                                : "there is no private key in PEM in it");
  }
  warn_of_dates(context->native_handle(), certificate_.path());
  context_ = context;
  return ok_status();
}

bool Certificate::reload_if_changed() {
  const bool has_certificate = certificate_.has_changed();
  const bool has_key = key_.has_changed();
  if (!has_certificate && !has_key) return false;
  if (certificate_.is_moving() || key_.is_moving()) return false;  // the other one is to come
  const Status status = read();
  if (status.is_ok()) {
    spdlog::info("the TLS certificate '{}' was read anew", certificate_.path());
  } else {
    spdlog::warn("the TLS certificate stays as it was: {}", status.message());
  }
  return status.is_ok();
}

}  // namespace quire::http
