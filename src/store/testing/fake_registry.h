// FakeRegistry: a registry of Ollama's kind that keeps what it is sent and gives it back: blobs,
// uploads in parts, manifests. A test may make it ask for a signature, send parts elsewhere by a
// redirect, hang up in the middle of a part, or give any answer that it likes.
// Header only, test code only.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "net/testing/fault_server.h"
#include "store/checksum.h"

namespace quire::store::testing {

class FakeRegistry {
 public:
  using Request = net::testing::ServerRequest;
  using Reply = net::testing::ServerReply;
  using Fault = std::function<std::optional<Reply>(const Request&)>;

  FakeRegistry() : server_([this](const Request& request) { return answer(request); }) {}

  std::string host() const { return server_.url().substr(std::string("http://").size()); }
  std::vector<Request> requests() const { return server_.requests(); }
  // As "METHOD what", one a line: "PATCH part", "PUT commit".
  std::string story() const {
    std::string text;
    for (const Request& request : requests()) text += request.method + " " + what(request) + "\n";
    return text;
  }

  // Between requests.
  void set_fault(Fault fault) { fault_ = std::move(fault); }
  void want_token(std::string token) { token_ = std::move(token); }
  void redirect_parts() { has_redirects_ = true; }
  void hang_up_after(std::size_t bytes) { cut_ = bytes; }  // of the next part
  void forget_uploads() { forgets_ = true; }               // once, before the next request for one
  void tell_no_status() { tells_status_ = false; }

  std::map<std::string, std::string> blobs;      // by digest
  std::map<std::string, std::string> manifests;  // by "space/model/tag"

  static std::string digest_of(const std::string& bytes) {
    Digest digest;
    digest.update(bytes);
    return "sha256:" + digest.finish().hex;
  }

 private:
  static std::string what(const Request& request) {
    const std::string& target = request.target;
    if (target.find("/manifests/") != target.npos) return "manifest";
    if (target.find("/blobs/uploads/") != target.npos) return "upload";
    if (target.find("/blobs/") != target.npos) return "blob";
    if (target.starts_with("/parts/")) return "elsewhere";
    if (target.starts_with("/token")) return "token";
    return target.find("digest=") != target.npos ? "commit" : "part";
  }
  static std::string value_of(const std::string& target, const std::string& name) {
    const std::size_t at = target.find(name + "=");
    if (at == target.npos) return {};
    const std::size_t begin = at + name.size() + 1;
    std::string value = target.substr(begin, target.find('&', begin) - begin);
    for (std::size_t mark; (mark = value.find("%3A")) != value.npos;) value.replace(mark, 3, ":");
    return value;
  }
  static std::string behind(const std::string& text, const std::string& mark) {
    const std::size_t at = text.find(mark) + mark.size();
    return text.substr(at, text.find('?', at) - at);
  }
  static Reply refusal(int status, const std::string& code, const std::string& message) {
    return {.status = status,
            .body = R"({"errors":[{"code":")" + code + R"(","message":")" + message + R"("}]})"};
  }

  Reply answer(const Request& request) {
    const std::lock_guard lock(mutex_);
    if (fault_) {
      if (auto reply = fault_(request)) return *reply;
    }
    const std::string kind = what(request);
    if (kind == "token") return {.body = R"({"token":")" + token_ + R"("})"};
    const bool may_pass = token_.empty() || kind == "elsewhere" ||
                          request.header("authorization") == "Bearer " + token_;
    if (!may_pass) {
      Reply reply = refusal(401, "UNAUTHORIZED", "authentication required");
      reply.headers = {{"WWW-Authenticate",
                        "Bearer realm=\"" + server_.url() + "/token\",service=\"" + host() +
                            "\",scope=\"repository:me/mario:pull,push offline\""}};
      return reply;
    }
    if (kind == "manifest") return answer_manifest(request);
    if (kind == "blob") return answer_blob(request);
    if (kind == "upload") return begin_upload(request);
    return answer_upload(request);
  }

  Reply answer_manifest(const Request& request) {
    const std::string& target = request.target;
    const std::string name = target.substr(4, target.find("/manifests/") - 4) + "/" +
                             behind(target, "/manifests/");
    if (request.method == "PUT") {
      manifests[name] = request.body;
      return {.status = 201, .headers = {{"Docker-Content-Digest", digest_of(request.body)}}};
    }
    const auto found = manifests.find(name);
    if (found == manifests.end()) return refusal(404, "MANIFEST_UNKNOWN", "manifest unknown");
    return {.body = found->second};
  }

  Reply answer_blob(const Request& request) {
    const auto found = blobs.find(behind(request.target, "/blobs/"));
    if (found == blobs.end()) return refusal(404, "BLOB_UNKNOWN", "blob unknown to registry");
    Reply reply = net::testing::file_reply(request, found->second, "\"" + found->first + "\"");
    reply.headers.emplace_back("Docker-Content-Digest", found->first);
    return reply;
  }

  Reply begin_upload(const Request& request) {
    if (blobs.contains(value_of(request.target, "mount"))) return {.status = 201};
    const std::string id = std::to_string(++begun_);
    uploads_[id] = "";
    return {.status = 202, .headers = {{"Location", "/uploads/" + id + "?state=a"}}};
  }

  // "/uploads/ID", or a part of it that goes elsewhere: "/parts/ID".
  Reply answer_upload(const Request& request) {
    const bool is_elsewhere = request.target.starts_with("/parts/");
    const std::string id = behind(request.target, is_elsewhere ? "/parts/" : "/uploads/");
    if (std::exchange(forgets_, false)) uploads_.clear();
    const auto found = uploads_.find(id);
    if (found == uploads_.end()) return refusal(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown");
    std::string& bytes = found->second;
    Reply reply{.status = 202, .headers = {{"Location", "/uploads/" + id + "?state=b"}}};
    if (request.method == "PATCH" && has_redirects_) {
      return {.status = 307,
              .headers = {{"Location", server_.url() + "/parts/" + id},
                          {"Docker-Upload-Location", "/uploads/" + id + "?state=c"}}};
    }
    if (request.method == "PATCH" &&
        !request.header("content-range").starts_with(std::to_string(bytes.size()) + "-")) {
      reply = refusal(416, "RANGE_INVALID", "it goes on elsewhere");
    } else if (request.method == "PATCH" || is_elsewhere) {
      const std::size_t cut = std::exchange(cut_, std::string::npos);
      bytes += request.body.substr(0, cut);
      if (cut != std::string::npos) return {.status = 0};
    } else if (request.method == "PUT") {
      return commit(request, bytes);
    } else if (!tells_status_) {
      return {.status = 405};
    } else {
      reply.status = 204;
    }
    const std::size_t last = bytes.empty() ? 0 : bytes.size() - 1;
    reply.headers.emplace_back("Range", "0-" + std::to_string(last));
    return reply;
  }

  Reply commit(const Request& request, const std::string& bytes) {
    const std::string digest = digest_of(bytes);
    if (value_of(request.target, "digest") != digest) {
      return refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    blobs[digest] = bytes;
    return {.status = 201, .headers = {{"Docker-Content-Digest", digest}}};
  }

  std::mutex mutex_;  // guards what follows while requests are answered
  Fault fault_;
  std::string token_;
  bool has_redirects_ = false, forgets_ = false, tells_status_ = true;
  std::size_t cut_ = std::string::npos;
  int begun_ = 0;
  std::map<std::string, std::string> uploads_;
  net::testing::FaultServer server_;  // the last: it asks for the others
};

}  // namespace quire::store::testing
