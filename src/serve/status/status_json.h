// The bodies of /quire/status and /debug/requests, from what the chronicle and the engines know.
// docs/status.md has every field. No prompt and no answer is in them. I/O thread. Used by
// status_feed and routes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "core/executor.h"
#include "engine/engine.h"
#include "serve/status/chronicle.h"

namespace quire {

struct ServerFacts {
  std::string version;
  Nanos begun{0};
  bool is_draining = false;
};

// What its host says of a model.
struct ModelFigures {
  std::vector<std::string> names;
  std::string_view state;
  bool is_loaded = false;  // else what follows is of its last life, or nothing
  std::string isa;
  std::uint32_t context_max = 0, rows_max = 0, tokens_max = 0;  // the latter of an instance
  std::size_t instances = 0;
  std::vector<KvGroup> groups;
  EngineStats stats;
};

Json snapshot_json(const ServerFacts& server, std::span<const ModelFigures> models,
                   const Chronicle& chronicle, Nanos now);

Json requests_json(const RequestLog& log);
// With its events.
// `asker`: the tenant who looks; words of a prompt are shown to its own tenant alone.
Json request_json(const RequestRecord& record, const RequestLog& log, const std::string& asker,
                  Nanos now);

}  // namespace quire
