// Load: sends a workload to an OpenAI-compatible server over HTTP, streams every answer and notes
// when each piece arrived. Closed loop (so many clients, each with one request at a time) or open
// loop (requests at their times, whatever the server does). Blocks the calling thread; no other.
#pragma once

#include <string>
#include <vector>

#include "lab/load/workload.h"

namespace quire {

struct LoadOptions {
  std::string url = "http://127.0.0.1:8000";  // as net::server_base reads it
  std::string model;  // empty: the first that /v1/models lists
  std::string api_key;
  bool is_chat = false;         // /v1/chat/completions in place of /v1/completions
  bool is_ignoring_eos = true;  // where the server accepts it
  double seconds_max = 600;     // of one request
  bool is_profiling = false;    // read the server's /metrics before and after
};

// What one request met. Times are seconds since the start of the load.
struct LoadRecord {
  std::string error;  // empty: it succeeded
  double sent_at = 0;
  double first_at = 0;  // of the first piece of text
  double last_at = 0;
  std::vector<double> gaps;  // between pieces
  int prompt_tokens = 0;
  int cached_tokens = 0;     // of the prompt, as the server reports
  int generated_tokens = 0;  // as the server reports; pieces where it does not
};

struct LoadResult {
  std::vector<LoadRecord> records;  // in the order of the workload
  double seconds = 0;               // from the first request to the end of the last
  std::string model;
  bool is_ignoring_eos = false;  // what the server accepted
  std::string metrics_before, metrics_after;  // texts, if asked for
};

// An error if the server cannot be reached or refuses a first small request.
Result<LoadResult> run_load(const LoadOptions& options, const WorkloadOptions& workload);

}  // namespace quire
