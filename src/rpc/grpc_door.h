// GrpcDoor: a gRPC server as a side door: each call becomes an exchange of the method's path with
// the message as its body (service_dialect), each message of a bidirectional stream one of its
// own, as many at once as kStreamRequestsMax. Deadlines and cancellations of a client end its
// exchanges, and so the engine's work. Messages, calls and what waits for a slow reader are
// bounded.
// gRPC's own threads move bytes; what is decided is decided on the I/O thread. Used by apps.
#pragma once

#include <memory>

#include "serve/ways/side_door.h"

namespace quire::rpc {

inline constexpr std::size_t kStreamRequestsMax = 64;  // of one stream, being answered

// `port` 0: any that is free.
std::shared_ptr<SideDoor> make_grpc_door(int port);

// The status of gRPC for one of HTTP.
int grpc_status_of(int http_status);

}  // namespace quire::rpc
