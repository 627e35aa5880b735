// TraceSampling: which traces are told, as the samplers of OpenTelemetry have it
// (OTEL_TRACES_SAMPLER): always_on, always_off and traceidratio are shares, parentbased_ in front
// of them heeds the client.
// A plain value; any thread.
#pragma once

namespace quire {

struct TraceSampling {
  bool heeds_parent = true;  // a client that has decided decides
  double share = 1;          // 0..1: of the other traces, by their ids
};

}  // namespace quire
