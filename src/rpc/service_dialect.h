// The gRPC service as a dialect: gRPC is a POST to /inference.GRPCInferenceService/<method> with a
// protobuf message as body, so its methods are routes like any other protocol's, behind the same
// front door. An answer's body is the answer's message; of ModelStreamInfer it is any number of
// messages, each with its length (uint32, little-endian) before it. An error has its sentence in
// the header kMessageHeader, and on a stream a message that tells it as body.
// Constants and pure functions. Used by grpc_door.
#pragma once

#include <string>
#include <string_view>

#include "serve/route.h"

namespace quire::rpc {

extern const Dialect kServiceDialect;

inline constexpr std::string_view kMessageHeader = "grpc-message";
// What an answer says beside its message; goes out as trailing metadata of that name.
inline constexpr std::string_view kWarningHeader = "warning";

bool has_method(std::string_view path);
bool is_stream_method(std::string_view path);

void append_frame(std::string_view message, std::string& out);
// Cuts the first whole frame off; false: there is none.
bool take_frame(std::string& frames, std::string& message);

}  // namespace quire::rpc
