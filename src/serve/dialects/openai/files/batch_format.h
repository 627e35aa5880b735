// How OpenAI writes batches: a line is {custom_id, method, url, body}, its answer the same
// custom_id with the whole HTTP answer; and the batch object with its states, times and counts.
// Pure; worker threads. Used by BatchRunner through kOpenAiBatchFormat, and by batches.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "archive/batch_shelf.h"
#include "base/json.h"
#include "serve/background/batch_runner.h"

namespace quire {

extern const BatchFormat kOpenAiBatchFormat;

inline constexpr std::string_view kBatchEndpoints[] = {
    "/v1/responses", "/v1/chat/completions", "/v1/completions", "/v1/embeddings"};

struct BatchInput {
  std::vector<std::string> lines;
  Json errors = Json::array();  // {code, line, message, param}; none: the lines are good
};

// Checks the lines of a file for that endpoint.
BatchInput read_batch_input(std::string_view content, std::string_view endpoint);

// The batch with its counts as they stand.
Json batch_json(const archive::KeptBatch& batch, archive::BatchCounts counts);

}  // namespace quire
