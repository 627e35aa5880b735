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
  std::vector<std::string> allowed_hosts;  // Host names accepted on a loopback address; "*": any
  bool is_loopback = true;                 // we listen on the loopback address
  bool unknown_fields_warn = false;
  std::string version;
};

struct Route;

class FrontDoor : public HttpHandler {
 public:
  FrontDoor(FrontDoorOptions options, ModelHost& host, Service& service, Metrics& metrics,
            StatusFeed& status);

  void listens_on_loopback(bool is_loopback) { options_.is_loopback = is_loopback; }

  std::optional<HttpResponse> refuse(const HttpRequest& head) override;
  void answer(std::shared_ptr<Exchange> exchange) override;
  HttpResponse transport_error(int status, std::string_view reason) override;

  // The quick answers of the table.
  HttpResponse show_root(const HttpRequest& request) const;
  HttpResponse show_page_part(const HttpRequest& request) const;
  HttpResponse show_health(const HttpRequest& request) const;
  HttpResponse show_ready(const HttpRequest& request) const;
  HttpResponse show_version(const HttpRequest& request) const;
  HttpResponse show_metrics(const HttpRequest& request) const;
  HttpResponse list_models(const HttpRequest& request) const;
  HttpResponse show_model(const HttpRequest& request) const;
  HttpResponse list_host(const HttpRequest& request) const;
  HttpResponse change_host(const HttpRequest& request) const;
  HttpResponse list_requests(const HttpRequest& request) const;
  HttpResponse show_request(const HttpRequest& request) const;

  // Those that come later.
  void show_status(std::shared_ptr<Exchange> exchange);
  void watch_status(std::shared_ptr<Exchange> exchange);

 private:
  std::optional<HttpResponse> find_refusal(const HttpRequest& head) const;
  bool is_host_allowed(const HttpRequest& head) const;

  FrontDoorOptions options_;
  ModelHost* host_;
  Service* service_;
  Metrics* metrics_;
  StatusFeed* status_;
  Tenants tenants_;
};

}  // namespace quire
