// What golden tests share: a model's files turned into an executor and an engine core, requests run
// to their end, reference data found. Nothing here has a thread of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "core/events.h"
#include "core/options.h"
#include "core/request.h"
#include "engine/engine_core.h"
#include "model/model_files.h"
#include "runtime/make_executor.h"
#include "text/tokenizer.h"

namespace quire::testing {

// ../shared/<path> seen from the project; empty when it is not there.
std::string shared_path(const std::string& path);

// The default model's file, or empty.
std::string smollm2_path();

// Whitespace-separated integers of a text file; raw little-endian arrays of a binary one.
std::vector<TokenId> read_ids(const std::string& path);
std::vector<float> read_floats(const std::string& path);
std::vector<std::int32_t> read_int32s(const std::string& path);

struct Setting {
  std::string isa;                   // empty: the best
  int threads = 2;
  KvTypes kv_dtype;
  WeightScheme weights = WeightScheme::kAsStored;
  std::uint32_t tokens_max = 512;
  std::uint32_t rows_max = 64;
  std::uint32_t blocks = 0;
  std::uint32_t context_max = 0;     // 0: the model's
  std::uint32_t drafts_max = 0;      // verified per row
  std::uint32_t sinks = 0, window = 0;  // of a text without an end
  std::optional<Pool> pool;          // nothing: the model's
  std::shared_ptr<CpuDevice> device;  // shared with other models; null: one of its own
};

std::unique_ptr<LocalExecutor> make_test_executor(const Design& design,
                                                  const TensorFinder& find,
                                                  const Setting& setting);

struct OpenModel {
  std::unique_ptr<ModelFiles> files;
  std::shared_ptr<const Tokenizer> tokenizer;

  std::unique_ptr<LocalExecutor> executor(const Setting& setting) const;
};
OpenModel open_test_model(const std::string& path, const std::string& tokenizer = {});

// What one branch of a request came to.
struct Branch {
  std::vector<TokenId> tokens;
  std::string text;
  std::vector<std::uint64_t> logits_hashes;
  std::vector<float> logprobs;
  std::vector<float> pooled;
  std::vector<float> logits;  // [rows, vocabulary], raw
  FinishReason finish = FinishReason::kNone;

  bool operator==(const Branch&) const = default;
};
using Branches = std::map<std::pair<std::uint64_t, int>, Branch>;  // by request id and branch

// Runs requests to their end. `arrivals[i]` is the step before which request i is submitted.
struct Crowd {
  std::vector<Request> requests;
  std::vector<int> arrivals;  // empty: all at once
};
Branches run_to_end(EngineCore& core, const Crowd& crowd);

}  // namespace quire::testing
