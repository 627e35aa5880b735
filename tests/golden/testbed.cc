#include "testbed.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/check.h"
#include "base/file.h"

namespace quire::testing {
namespace {

constexpr std::size_t kReferenceSizeMax = std::size_t{64} << 20;

std::string contents(const std::string& path) {
  auto text = read_file(path, kReferenceSizeMax);
  QUIRE_CHECK(text.is_ok(), "{}", text.status().message());
  return std::move(text).value();
}

template <typename T>
std::vector<T> read_array(const std::string& path) {
  const std::string bytes = contents(path);
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

}  // namespace

std::string shared_path(const std::string& path) {
  const std::string full = std::string(QUIRE_SOURCE_DIR) + "/../shared/" + path;
  return std::filesystem::exists(full) ? full : std::string();
}

std::string smollm2_path() {
  if (const char* given = std::getenv("QUIRE_SMOLLM2")) return given;
  const char* home = std::getenv("QUIRE_HOME");
  const char* user = std::getenv("HOME");
  const std::string store =
      home ? home : std::string(user ? user : "") + "/.local/share/quire";
  const std::string path = store + "/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
  return std::filesystem::exists(path) ? path : std::string();
}

std::vector<TokenId> read_ids(const std::string& path) {
  std::istringstream stream(contents(path));
  std::vector<TokenId> ids;
  for (TokenId id; stream >> id;) ids.push_back(id);
  return ids;
}

std::vector<float> read_floats(const std::string& path) { return read_array<float>(path); }
std::vector<std::int32_t> read_int32s(const std::string& path) {
  return read_array<std::int32_t>(path);
}

std::unique_ptr<LocalExecutor> make_test_executor(const Design& design,
                                                  const TensorFinder& find,
                                                  const Setting& setting) {
  auto backend = make_cpu_backend(
      {.threads = setting.threads, .device = setting.device, .isa = setting.isa});
  QUIRE_CHECK(backend.is_ok(), "{}", backend.status().message());
  LocalOptions options;
  options.kv_dtype = setting.kv_dtype;
  options.weights = setting.weights;
  options.pool = setting.pool;
  options.capacity.tokens_max = setting.tokens_max;
  options.capacity.rows_max = setting.rows_max;
  options.capacity.blocks = setting.blocks;
  options.capacity.context_max = setting.context_max;
  options.capacity.drafts_max = setting.drafts_max;
  options.capacity.sinks = setting.sinks;
  options.capacity.window = setting.window;
  auto executor = make_executor(std::move(backend).value(), design, find, options);
  QUIRE_CHECK(executor.is_ok(), "{}", executor.status().message());
  return std::move(executor).value();
}

std::unique_ptr<LocalExecutor> OpenModel::executor(const Setting& setting) const {
  return make_test_executor(
      files->design(), [this](std::string_view name) { return files->find(name); }, setting);
}

OpenModel open_test_model(const std::string& path, const std::string& tokenizer) {
  OpenModel model;
  auto files = open_model(path, tokenizer);
  QUIRE_CHECK(files.is_ok(), "{}", files.status().message());
  model.files = std::move(files).value();
  auto json = model.files->tokenizer_json();
  QUIRE_CHECK(json.is_ok(), "{}", json.status().message());
  auto made = Tokenizer::from_json(*json);
  QUIRE_CHECK(made.is_ok(), "{}", made.status().message());
  model.tokenizer = std::move(made).value();
  return model;
}

Branches run_to_end(EngineCore& core, const Crowd& crowd) {
  Branches branches;
  std::size_t submitted = 0;
  Nanos now{0};
  for (int step = 0; submitted < crowd.requests.size() || core.has_work(); ++step) {
    while (submitted < crowd.requests.size() &&
           (crowd.arrivals.empty() || crowd.arrivals[submitted] <= step)) {
      const Status status = core.submit(crowd.requests[submitted++]);
      QUIRE_CHECK(status.is_ok(), "{}", status.message());
    }
    now += std::chrono::milliseconds(1);
    for (TokenEvent& event : core.advance(now).events) {
      Branch& branch = branches[{event.request.value, event.branch}];
      branch.tokens.insert(branch.tokens.end(), event.accepted.begin(), event.accepted.end());
      branch.text += event.text;
      branch.logits_hashes.insert(branch.logits_hashes.end(), event.logits_hashes.begin(),
                                  event.logits_hashes.end());
      for (const TokenScore& score : event.scores) branch.logprobs.push_back(score.logprob);
      branch.logits.insert(branch.logits.end(), event.logits.begin(), event.logits.end());
      if (!event.pooled.empty()) branch.pooled = std::move(event.pooled);
      if (event.finish != FinishReason::kNone) branch.finish = event.finish;
    }
  }
  return branches;
}

}  // namespace quire::testing
