// Keys as OpenSSH writes them, what they sign, and how a registry is asked with one.
#include "store/registry/registry_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <cstdlib>

#include "formats/testing/temp_folder.h"
#include "store/registry/registry_session.h"
#include "store/testing/fake_registry.h"

namespace quire::store {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::FakeRegistry;

// Made by ssh-keygen for this test and used for nothing else.
constexpr const char* kPublic =
    "AAAAC3NzaC1lZDI1NTE5AAAAIMJVkLOlIFlSh6RG0J6C9hmkwLPbSxVgY9ZRrloV8bEU";
constexpr const char* kBody =
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
    "QyNTUxOQAAACDCVZCzpSBZUoekRtCegvYZpMCz20sVYGPWUa5aFfGxFAAAAIhKhyFHSoch\n"
    "RwAAAAtzc2gtZWQyNTUxOQAAACDCVZCzpSBZUoekRtCegvYZpMCz20sVYGPWUa5aFfGxFA\n"
    "AAAEDsGiFYc19MX4/+HuP1rWgZ5/hi+Eo0p8Bi49GODVdDLcJVkLOlIFlSh6RG0J6C9hmk\n"
    "wLPbSxVgY9ZRrloV8bEUAAAABHRlc3QB\n";

std::string armoured(const std::string& body) {
  const std::string name = "OPENSSH PRIVATE KEY-----\n";
  return "-----BEGIN " + name + body + "-----END " + name;
}

std::string decoded(const std::string& text) {
  std::string bytes(text.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  bytes.resize(static_cast<std::size_t>(size));
  while (text.ends_with("==") && bytes.size() > 64) bytes.pop_back();
  return bytes;
}

// Whether "<public key>:<signature>" is the test's key and its signature of that text.
bool is_signed(const std::string& text, const std::string& authorization) {
  const std::size_t colon = authorization.find(':');
  if (authorization.substr(0, colon) != kPublic) return false;
  const std::string key = decoded(kPublic).substr(19, 32);
  const std::string signature = decoded(authorization.substr(colon + 1)).substr(0, 64);
  const auto bytes = [](const std::string& from) {
    return reinterpret_cast<const unsigned char*>(from.data());
  };
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> known(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes(key), key.size()),
      &EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, known.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(text),
                          text.size()) == 1;
}

TEST(RegistryKeyTest, AKeyOfSshKeygenSigns) {
  const auto key = RegistryKey::parse(armoured(kBody));
  ASSERT_TRUE(key.is_ok()) << key.status().message();
  const auto signature = key->sign("hello");
  ASSERT_TRUE(signature.is_ok());
  EXPECT_TRUE(is_signed("hello", *signature)) << *signature;
  EXPECT_FALSE(is_signed("hallo", *signature));
}

TEST(RegistryKeyTest, WhatIsNoKeyIsToldFromOneThatIsLocked) {
  const std::string whole = armoured(kBody);
  for (std::size_t size = 0; size + 40 < whole.size(); size += 7) {
    const std::string cut = whole.substr(0, size) + "\n-----END OPENSSH PRIVATE KEY-----\n";
    EXPECT_FALSE(RegistryKey::parse(cut).is_ok()) << size;
  }
  std::string locked = kBody;
  locked.replace(locked.find("BG5vbmU"), 7, "BG5vbmQ");  // another cipher than "none"
  const auto refused = RegistryKey::parse(armoured(locked));
  EXPECT_EQ(refused.status().code(), StatusCode::kUnsupported) << refused.status().message();
  EXPECT_EQ(RegistryKey::parse("").status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(base64("\xFB\xFF\xFE"), "+//+");
  EXPECT_EQ(base64(std::string("\xFB\xFF"), true), "-_8");
}

class RegistryLoginTest : public ::testing::Test {
 protected:
  RegistryLoginTest() {
    if (const char* home = std::getenv("HOME")) before_ = home;
    ::setenv("HOME", folder_.path().c_str(), 1);
    registry_.want_token("a.token");
  }
  ~RegistryLoginTest() override { ::setenv("HOME", before_.c_str(), 1); }

  void put_key() { folder_.write(".ollama/id_ed25519", armoured(kBody)); }
  Result<net::Response> ask() {
    RegistrySession session(registry_.host(), false, {});
    return session.send({.url = session.base() + "/v2/me/mario/blobs/sha256:1"});
  }
  void expect_refused(const std::string& sentence) {
    const auto response = ask();
    ASSERT_FALSE(response.is_ok()) << response->status;
    EXPECT_THAT(response.status().message(), StartsWith("unauthorized: access denied"));
    EXPECT_THAT(response.status().message(), HasSubstr(sentence));
  }
  void challenge_with(const std::string& challenge) {
    registry_.set_fault([=](const FakeRegistry::Request&) {
      return FakeRegistry::Reply{.status = 401, .headers = {{"WWW-Authenticate", challenge}}};
    });
  }

  std::string before_;
  quire::testing::TempFolder folder_;
  FakeRegistry registry_;
};

TEST_F(RegistryLoginTest, TheKeySignsAndTheTokenGoesWithWhatFollows) {
  put_key();
  const auto response = ask();
  ASSERT_TRUE(response.is_ok()) << response.status().message();
  EXPECT_EQ(response->status, 404) << "it was let in";
  const auto sent = registry_.requests();
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[0].header("authorization"), "");
  EXPECT_THAT(sent[1].target, StartsWith("/token?nonce="));
  EXPECT_THAT(sent[1].target, HasSubstr("&scope=repository%3Ame%2Fmario%3Apull%2Cpush&"
                                        "scope=offline&service="));
  const std::string nothing = "ZTNiMGM0NDI5OGZjMWMxNDlhZmJmNGM4OTk2ZmI5MjQyN2FlNDFlNDY0OWI5MzRjYTQ5"
                              "NTk5MWI3ODUyYjg1NQ==";
  EXPECT_TRUE(is_signed("GET,http://" + registry_.host() + sent[1].target + "," + nothing,
                        sent[1].header("authorization")));
  EXPECT_EQ(sent[2].header("authorization"), "Bearer a.token");
}

TEST_F(RegistryLoginTest, WithoutAKeyItIsSaidWhereOneBelongs) {
  expect_refused("you must be logged in: there is no key " + folder_.path() +
                 "/.ollama/id_ed25519 to sign with");
  folder_.write(".ollama/id_ed25519", "nonsense");
  expect_refused("id_ed25519 cannot be used: it is no private key");
}

TEST_F(RegistryLoginTest, ASignatureThatIsNotTakenIsTold) {
  put_key();
  registry_.set_fault([](const FakeRegistry::Request& request)
                          -> std::optional<FakeRegistry::Reply> {
    if (!request.target.starts_with("/token")) return std::nullopt;
    return FakeRegistry::Reply{.status = 401, .body = "who are you?"};
  });
  expect_refused("it does not take the signature of your key: 401: who are you?");
  registry_.set_fault([](const FakeRegistry::Request& request)
                          -> std::optional<FakeRegistry::Reply> {
    if (!request.target.starts_with("/token")) return std::nullopt;
    return FakeRegistry::Reply{.body = R"({"token":"an other"})"};
  });
  expect_refused("its answer has no token");
}

TEST_F(RegistryLoginTest, NoRealmButTheRegistrysOwnGetsASignature) {
  put_key();
  challenge_with("Bearer realm=\"http://127.0.0.1:1/token\",service=\"x\",scope=\"y\"");
  expect_refused("it sends us to 127.0.0.1:1 for a login");
  challenge_with("Basic realm=\"here\"");
  expect_refused("a login of a kind that is not supported");
  challenge_with("");
  expect_refused("a login of a kind that is not supported");
}

TEST(RegistrySessionTest, OnlyThisMachinesOwnAddressesAreAskedWithoutTls) {
  for (const char* host : {"127.0.0.1", "127.0.0.1:5000", "localhost:5000", "[::1]:5000",
                           "127.8.8.8:1"}) {
    EXPECT_EQ(registry_base(host, false), std::string("http://") + host);
  }
  for (const char* host : {"registry.ollama.ai", "localhost.example.org", "127.example.org:80",
                           "10.0.0.1:5000"}) {
    EXPECT_EQ(registry_base(host, false), std::string("https://") + host);
    EXPECT_EQ(registry_base(host, true), std::string("http://") + host);
  }
}

}  // namespace
}  // namespace quire::store
