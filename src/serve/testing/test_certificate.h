// A self-signed certificate with its key, made on the spot, and a folder for such files that is
// gone with its object.
// Any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace quire {

struct TestCertificate {
  std::string certificate;  // PEM
  std::string key;          // PEM
};

// An elliptic curve, which is quick, for `name`; valid for `days` from now, which may be negative.
TestCertificate make_test_certificate(const std::string& name = "localhost", int days = 1);

class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string path(std::string_view name) const { return (folder_ / name).string(); }
  // In one move, as careful writers do it. Returns the file's path.
  std::string write(std::string_view name, std::string_view contents) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace quire
