// FaultServer: a small HTTP/1.1 server on this machine that answers as a test tells it, also
// wrongly: it can cut a body off, drip it, or say what it likes. It remembers every request.
// Header only, test code only. One thread per connection, each request is a connection.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"

namespace quire::net::testing {

struct ServerRequest {
  std::string method;
  std::string target;                          // path and query
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string header(const std::string& name) const {
    const auto at = headers.find(name);
    return at == headers.end() ? "" : at->second;
  }
};

struct ServerReply {
  int status = 200;  // 0: it hangs up without a word
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::size_t cut_after = std::string::npos;  // bytes of the body that are sent
  std::chrono::milliseconds pause{0};         // before each kilobyte of the body
};

class FaultServer {
 public:
  using Answer = std::function<ServerReply(const ServerRequest&)>;  // called by many threads

  explicit FaultServer(Answer answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    QUIRE_CHECK(::bind(listener_, plain, size) == 0 && ::listen(listener_, 64) == 0 &&
                    ::getsockname(listener_, plain, &size) == 0, "no port for a test server");
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~FaultServer() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    for (std::thread& thread : threads_) thread.join();
  }
  FaultServer(const FaultServer&) = delete;
  FaultServer& operator=(const FaultServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<ServerRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void accept_all() {
    for (int fd = ::accept(listener_, nullptr, nullptr); fd >= 0;
         fd = ::accept(listener_, nullptr, nullptr)) {
      threads_.emplace_back([this, fd] {
        serve(fd);
        ::close(fd);
      });
    }
  }

  static ServerRequest parse(const std::string& head) {
    ServerRequest request;
    const std::size_t space = head.find(' ');
    request.method = head.substr(0, space);
    request.target = head.substr(space + 1, head.find(' ', space + 1) - space - 1);
    for (std::size_t at = head.find("\r\n"); at + 2 < head.size(); at = head.find("\r\n", at + 2)) {
      const std::string line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
      const std::size_t colon = line.find(": ");
      if (colon == std::string::npos) continue;
      std::string name = line.substr(0, colon);
      std::transform(name.begin(), name.end(), name.begin(), ::tolower);
      request.headers[name] = line.substr(colon + 2);
    }
    return request;
  }

  static bool send_all(int fd, std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  void serve(int fd) {
    std::string head;
    char byte;
    while (!head.ends_with("\r\n\r\n") && ::recv(fd, &byte, 1, 0) == 1) head += byte;
    if (!head.ends_with("\r\n\r\n")) return;
    ServerRequest request = parse(head);
    const std::string length = request.header("content-length");
    request.body.resize(length.empty() ? 0 : std::stoul(length));
    if (!request.body.empty() &&
        ::recv(fd, request.body.data(), request.body.size(), MSG_WAITALL) < 0) {
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    const ServerReply reply = answer_(request);
    if (reply.status == 0) return;
    std::string top = "HTTP/1.1 " + std::to_string(reply.status) + " x\r\nConnection: close\r\n";
    bool has_length = false;
    for (const auto& [name, value] : reply.headers) {
      top += name + ": " + value + "\r\n";
      has_length |= name == "Content-Length";
    }
    if (!has_length) top += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
    if (!send_all(fd, top + "\r\n") || request.method == "HEAD") return;
    constexpr std::size_t kPiece = 1024;
    const std::string body = reply.body.substr(0, std::min(reply.cut_after, reply.body.size()));
    const std::size_t step = reply.pause.count() > 0 ? kPiece : body.size() + 1;
    for (std::size_t at = 0; at < body.size(); at += step) {
      std::this_thread::sleep_for(reply.pause);
      if (!send_all(fd, std::string_view(body).substr(at, step))) return;
    }
  }

  const Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  std::thread acceptor_;
  std::vector<std::thread> threads_;  // of the acceptor until it ends
  mutable std::mutex mutex_;
  std::vector<ServerRequest> requests_;  // guarded by mutex_
};

// A file as a good server sends it: whole or the range that was asked for.
inline ServerReply file_reply(const ServerRequest& request, const std::string& bytes,
                              const std::string& tag) {
  ServerReply reply{.headers = {{"ETag", tag}}};
  const std::string range = request.header("range");
  const std::string condition = request.header("if-range");
  if (range.empty() || (!condition.empty() && condition != tag)) {
    reply.body = bytes;
    return reply;
  }
  const std::size_t first = std::stoul(range.substr(range.find('=') + 1));
  const std::size_t last =
      std::min(std::stoul(range.substr(range.find('-') + 1)), bytes.size() - 1);
  reply.status = 206;
  reply.body = bytes.substr(first, last - first + 1);
  reply.headers.emplace_back("Content-Range",
                             "bytes " + std::to_string(first) + "-" + std::to_string(last) + "/" +
                                 std::to_string(bytes.size()));
  return reply;
}

}  // namespace quire::net::testing
