// A certificate and its key: what is refused and why, and when the files are read anew.
#include "serve/http/tls/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/testing/test_certificate.h"

namespace quire::http {
namespace {

using testing::HasSubstr;

std::string why_not(const std::string& certificate, const std::string& key) {
  const auto loaded = Certificate::load(certificate, key);
  return loaded.is_ok() ? "it can" : loaded.status().message();
}

TEST(CertificateTest, FlagFileAndReasonAreNamed) {
  const TestFolder folder;
  const TestCertificate own = make_test_certificate(), other = make_test_certificate();
  const std::string certificate = folder.write("c.pem", own.certificate);
  const std::string key = folder.write("k.pem", own.key);
  const std::string words = folder.write("words", "Once upon a time");
  EXPECT_EQ(why_not(certificate, key), "it can");
  EXPECT_EQ(why_not(folder.write("both.pem", own.certificate + own.key), ""), "it can");

  EXPECT_THAT(why_not(folder.path("none"), key), HasSubstr("--ssl-certfile: "));
  EXPECT_THAT(why_not(folder.path("none"), key), HasSubstr(folder.path("none")));
  EXPECT_THAT(why_not(certificate, folder.path("none")), HasSubstr("--ssl-keyfile: "));
  EXPECT_THAT(why_not(words, key), HasSubstr("--ssl-certfile '" + words + "': there is no cert"));
  EXPECT_THAT(why_not(certificate, words), HasSubstr("'" + words + "': there is no private key"));
  EXPECT_THAT(why_not(certificate, ""), HasSubstr("'" + certificate + "': there is no private"));
  const std::string stranger = folder.write("s.pem", other.key);
  EXPECT_EQ(why_not(certificate, stranger),
            "--ssl-keyfile '" + stranger + "': the key does not belong to the certificate '" +
                certificate + "'");
  EXPECT_THAT(why_not(certificate, folder.write("large", std::string(2 << 20, 'x'))),
              HasSubstr("--ssl-keyfile: "));
  EXPECT_THAT(why_not(certificate, folder.write("e.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                                         "AAAA\n"
                                                         "-----END ENCRYPTED PRIVATE KEY-----\n")),
              HasSubstr("the key is encrypted"));
}

TEST(CertificateTest, ANewPairIsTakenAndABrokenOneIsNot) {
  const TestFolder folder;
  const TestCertificate first = make_test_certificate(), second = make_test_certificate();
  const std::string certificate = folder.write("c.pem", first.certificate);
  const std::string key = folder.write("k.pem", first.key);
  const auto loaded = Certificate::load(certificate, key);
  ASSERT_TRUE(loaded.is_ok()) << loaded.status().message();
  Certificate& pair = **loaded;
  const auto before = pair.context();
  EXPECT_FALSE(pair.reload_if_changed());

  folder.write("k.pem", second.key);
  EXPECT_FALSE(pair.reload_if_changed()) << "one look is not enough";
  folder.write("c.pem", second.certificate);
  EXPECT_FALSE(pair.reload_if_changed()) << "and the other one has just come";
  EXPECT_EQ(pair.context(), before);
  EXPECT_TRUE(pair.reload_if_changed());
  const auto after = pair.context();
  EXPECT_NE(after, before);
  EXPECT_FALSE(pair.reload_if_changed());

  folder.write("k.pem", first.key);  // of another certificate
  for (int look = 0; look < 4; ++look) EXPECT_FALSE(pair.reload_if_changed());
  std::filesystem::remove(certificate);
  for (int look = 0; look < 4; ++look) EXPECT_FALSE(pair.reload_if_changed());
  EXPECT_EQ(pair.context(), after) << "what was good stays";
  folder.write("c.pem", first.certificate);
  EXPECT_FALSE(pair.reload_if_changed());
  EXPECT_TRUE(pair.reload_if_changed());
}

}  // namespace
}  // namespace quire::http
