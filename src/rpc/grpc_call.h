// One call of gRPC, from its first message to its status: a reactor that turns messages into
// exchanges and what they answer into messages. It owns itself until gRPC is done with it.
// gRPC's threads only post to the I/O thread, where everything happens. Used by grpc_door.
#pragma once

#include <grpcpp/generic/async_generic_service.h>

#include <atomic>
#include <cstddef>
#include <functional>

#include "serve/http/exchange.h"

namespace quire::rpc {

// What the calls of one door share.
struct CallDesk {
  http::Limits limits;
  http::Handler* handler = nullptr;
  std::function<void(std::function<void()>)> to_io;
  std::size_t answering = 0;  // exchanges that have not ended; I/O thread
  std::atomic<bool> is_closing = false;
  std::atomic<std::size_t> calls = 0;
};

// gRPC's thread. `desk` and `context` outlive the call.
grpc::ServerGenericBidiReactor* make_grpc_call(CallDesk& desk,
                                               grpc::GenericCallbackServerContext& context);

}  // namespace quire::rpc
