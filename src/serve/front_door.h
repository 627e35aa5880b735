// FrontDoor: what stands before the routes of all dialects: host names, API keys, methods, content
// types, draining. Everything is decided on the parsed request target; the route that fits says
// what is asked for, and its dialect how an error is told.
// I/O thread. Used by Server.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "serve/access/origins.h"
#include "serve/access/restricted_apis.h"
#include "serve/house.h"
#include "serve/http/exchange.h"
#include "serve/route.h"
#include "serve/tenants.h"

namespace quire {

struct FrontDoorOptions {
  std::vector<std::string> api_keys;       // none: open to all
  std::vector<std::uint32_t> api_key_shares;  // [keys]; none: all are equal
  std::vector<std::string> allowed_hosts;  // Host names accepted on a loopback address; "*": any
  Origins origins;                         // of pages that are not ours
  RestrictedApis restricted;               // routes that ask for a header of their own
  bool is_loopback = true;                 // we listen on the loopback address
  bool unknown_fields_warn = false;
  bool is_operable = false;                // routes for operators are open
  bool keeps_volatile_lines = false;
};

class FrontDoor : public http::Handler {
 public:
  // `dialects` and what they point to outlive this; the first one tells errors that are nobody's.
  FrontDoor(FrontDoorOptions options, const House& house, std::span<const Dialect* const> dialects);

  void listens_on_loopback(bool is_loopback) { options_.is_loopback = is_loopback; }

  // Keys of the file, in place of those that were taken before; see Tenants.
  Status take_keys(const std::vector<KeyLine>& keys);
  bool asks_for_keys() const { return tenants_.asks_for_keys(); }

  std::vector<http::Header> reply_headers(const http::Request& head) override {
    return options_.origins.reply_headers(head);
  }
  std::optional<http::Response> refuse(const http::Request& head) override;
  std::shared_ptr<http::BodySink> body_sink(const http::Request& head) override;
  std::size_t body_max(const http::Request& head, const http::Limits& limits) override;
  std::shared_ptr<void> hold_large_body(const http::Limits& limits) override;
  void answer(std::shared_ptr<http::Exchange> exchange) override;
  // A request of the house's own, on behalf of a tenant; a path without a route is an error.
  void answer_inside(std::shared_ptr<http::Exchange> exchange, const Tenant& tenant);
  http::Response transport_error(int status, std::string_view reason,
                                 const http::Request& head) override;

 private:
  struct Place {  // where a request goes
    const Dialect* dialect = nullptr;
    const Route* route = nullptr;  // null: nowhere
    PathParams path;
  };

  Place find_place(const http::Request& request) const;
  DialectContext context_of(Place& place, const Tenant& tenant) const;  // takes its path
  const Dialect& teller_of(const http::Request& request) const;  // of its errors
  void answer_at(Place place, std::shared_ptr<http::Exchange> exchange, const Tenant& tenant);
  std::string allowed_methods(std::string_view path) const;
  std::optional<http::Response> find_refusal(const http::Request& head, const Place& place) const;
  std::optional<ApiError> find_fault_of_body(const http::Request& head, const Route& route) const;
  http::Response refuse_key(const http::Request& head, const Place& place) const;
  std::optional<http::Response> refuse_origin(const http::Request& head, const Place& place) const;
  http::Response refuse_path(const http::Request& head, const Place& place) const;
  bool is_host_allowed(const http::Request& head) const;

  FrontDoorOptions options_;
  const House* house_;
  std::span<const Dialect* const> dialects_;
  Tenants tenants_;
  std::shared_ptr<std::size_t> large_bodies_ = std::make_shared<std::size_t>(0);  // that are held
};

}  // namespace quire
