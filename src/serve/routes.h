// FrontDoor: the table of routes and what stands before it: host names, API keys, methods, content
// types, draining. Everything is decided on the parsed request target. An endpoint is a row here
// and a pair of functions in dialects/.
// I/O thread. Used by Server.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/exchange.h"
#include "serve/metrics.h"
#include "serve/service.h"
#include "serve/status/status_feed.h"
#include "serve/tenants.h"

namespace quire {

struct FrontDoorOptions {
  std::vector<std::string> api_keys;       // none: open to all
  std::vector<std::uint32_t> api_key_shares;  // [keys]; none: all are equal
  std::vector<std::string> allowed_hosts;  // Host names accepted on a loopback address; "*": any
  bool is_loopback = true;                 // we listen on the loopback address
  bool unknown_fields_warn = false;
  std::string version;
};

struct Route;

class FrontDoor : public http::Handler {
 public:
  FrontDoor(FrontDoorOptions options, ModelHost& host, Service& service, Metrics& metrics,
            StatusFeed& status);

  void listens_on_loopback(bool is_loopback) { options_.is_loopback = is_loopback; }

  std::optional<http::Response> refuse(const http::Request& head) override;
  void answer(std::shared_ptr<http::Exchange> exchange) override;
  http::Response transport_error(int status, std::string_view reason) override;

  // The quick answers of the table.
  http::Response show_root(const http::Request& request) const;
  http::Response show_page_part(const http::Request& request) const;
  http::Response show_health(const http::Request& request) const;
  http::Response show_ready(const http::Request& request) const;
  http::Response show_version(const http::Request& request) const;
  http::Response show_metrics(const http::Request& request) const;
  http::Response list_models(const http::Request& request) const;
  http::Response show_model(const http::Request& request) const;
  http::Response list_host(const http::Request& request) const;
  http::Response change_host(const http::Request& request) const;
  http::Response list_requests(const http::Request& request) const;
  http::Response show_request(const http::Request& request) const;

  // Those that come later.
  void show_status(std::shared_ptr<http::Exchange> exchange);
  void watch_status(std::shared_ptr<http::Exchange> exchange);

 private:
  std::optional<http::Response> find_refusal(const http::Request& head) const;
  bool is_host_allowed(const http::Request& head) const;

  FrontDoorOptions options_;
  ModelHost* host_;
  Service* service_;
  Metrics* metrics_;
  StatusFeed* status_;
  Tenants tenants_;
};

}  // namespace quire
