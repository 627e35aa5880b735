// FakeHub: a hub with one repository, "owner/name", that speaks like the real one: listing with
// sizes and checksums, files by commit, large files by a redirect to a storage on another port. A
// test may break any answer. HF_ENDPOINT points to it while it lives.
// Header only, test code only.
#pragma once

#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/json.h"
#include "net/testing/fault_server.h"
#include "store/checksum.h"

namespace quire::store::testing {

using net::testing::FaultServer;
using net::testing::file_reply;
using net::testing::ServerReply;
using net::testing::ServerRequest;

inline constexpr const char* kFakeCommit = "0123456789abcdef0123456789abcdef01234567";

class FakeHub {
 public:
  using Fault = std::function<std::optional<ServerReply>(const ServerRequest&)>;

  FakeHub()
      : storage_([this](const ServerRequest& request) { return answer_storage(request); }),
        hub_([this](const ServerRequest& request) { return answer(request); }) {
    ::setenv("HF_ENDPOINT", hub_.url().c_str(), 1);
    ::unsetenv("HF_TOKEN");
  }
  ~FakeHub() { ::unsetenv("HF_ENDPOINT"); }

  // Before the first request.
  void add(const std::string& path, const std::string& bytes) { files_[path] = bytes; }
  void set_fault(Fault fault) { fault_ = std::move(fault); }  // between requests
  void hide_checksums() { has_checksums_ = false; }
  void claim_checksum(const std::string& sha256) { claimed_ = sha256; }

  std::vector<ServerRequest> requests() const { return hub_.requests(); }
  std::size_t file_requests() const { return storage_.requests().size(); }

 private:
  static std::string sum(const std::string& bytes, Checksum::Kind kind) {
    Digest digest(kind, bytes.size());
    digest.update(std::string_view(bytes));
    return digest.finish().hex;
  }
  static bool is_large(const std::string& path) { return !path.ends_with(".json"); }
  std::string large_sum(const std::string& bytes) const {
    return claimed_.empty() ? sum(bytes, Checksum::Kind::kSha256) : claimed_;
  }

  ServerReply listing() const {
    Json siblings = Json::array();
    for (const auto& [path, bytes] : files_) {
      Json sibling = Json::object({{"rfilename", path}});
      if (has_checksums_) {
        sibling.set("size", bytes.size());
        sibling.set("blobId", sum(bytes, Checksum::Kind::kGit));
        if (is_large(path)) {
          sibling.set("lfs", Json::object({{"sha256", large_sum(bytes)},
                                           {"size", bytes.size()},
                                           {"pointerSize", 134}}));
        }
      }
      siblings.push(std::move(sibling));
    }
    return {.body = dump(Json::object({{"id", "owner/name"},
                                       {"sha", kFakeCommit},
                                       {"siblings", std::move(siblings)}}))};
  }

  ServerReply answer(const ServerRequest& request) {
    if (fault_) {
      if (auto reply = fault_(request)) return *reply;
    }
    const std::string resolve = std::string("/owner/name/resolve/") + kFakeCommit + "/";
    if (request.target == "/api/models/owner/name/revision/main?blobs=true") return listing();
    if (!request.target.starts_with(resolve)) {
      return {.status = 404, .headers = {{"X-Error-Code", "RevisionNotFound"}}};
    }
    const auto file = files_.find(request.target.substr(resolve.size()));
    if (file == files_.end()) {
      return {.status = 404, .headers = {{"X-Error-Code", "EntryNotFound"}}};
    }
    const std::string git_tag = "\"" + sum(file->second, Checksum::Kind::kGit) + "\"";
    if (!is_large(file->first)) return file_reply(request, file->second, git_tag);
    return {.status = 302,
            .headers = {{"Location", storage_.url() + "/" + file->first},
                        {"X-Repo-Commit", kFakeCommit},
                        {"X-Linked-Size", std::to_string(file->second.size())},
                        {"X-Linked-Etag", "\"" + large_sum(file->second) + "\""}}};
  }

  ServerReply answer_storage(const ServerRequest& request) {
    const auto file = files_.find(request.target.substr(1));
    if (file == files_.end()) return {.status = 404};
    return file_reply(request, file->second, "\"storage\"");
  }

  std::map<std::string, std::string> files_;
  Fault fault_;
  bool has_checksums_ = true;
  std::string claimed_;
  FaultServer storage_;
  FaultServer hub_;
};

}  // namespace quire::store::testing
