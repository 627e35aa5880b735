// RestrictedApis: groups of KServe's and Triton's routes that ask for a header of the operator's
// choice, beside whatever key the server asks for: Triton's --http-restricted-api and
// --grpc-restricted-protocol. Other protocols' routes are in no group.
// Immutable; any thread. Used by front_door.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "serve/http/message.h"

namespace quire {

class RestrictedApis {
 public:
  RestrictedApis() = default;  // none is

  // "model-repository,logging:admin-key=secret": these groups ask for the header admin-key (gRPC:
  // for triton-grpc-protocol-admin-key in the metadata). kInvalidArgument: no rule, a group that
  // nobody knows, or one in two rules.
  static Result<RestrictedApis> of_http(const std::vector<std::string>& rules);
  static Result<RestrictedApis> of_grpc(const std::vector<std::string>& rules);

  // What a request to the route of that pattern is told; empty: it may come in.
  std::string refusal(std::string_view pattern, const http::Request& head) const;

 private:
  struct Rule {
    std::string group, header, value;
  };

  static Result<RestrictedApis> from(const std::vector<std::string>& rules, const char* flag,
                                     std::string_view prefix);

  std::vector<Rule> rules_;  // one of each group
  std::string_view thing_ = "API";
};

}  // namespace quire
