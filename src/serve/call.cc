#include "serve/call.h"

namespace quire {

Call ready_call(http::Response answer) {
  Call call;
  call.ready = std::move(answer);
  return call;
}

Call ready_call(const Json& body) { return ready_call(http::Response{.body = dump(body)}); }

}  // namespace quire
