#include "crowds.h"

#include <algorithm>
#include <cctype>
#include <random>

#include "model/registry.h"

namespace quire::testing {

Crowd random_crowd(std::uint64_t seed, int vocab) {
  std::mt19937_64 rng(seed);
  const auto below = [&](int n) { return static_cast<int>(rng() % n); };
  std::vector<TokenId> prefix(75);
  for (TokenId& token : prefix) token = below(vocab);
  Crowd crowd;
  for (int i = 0; i < kRequests; ++i) {
    Request request;
    request.id = {static_cast<std::uint64_t>(i + 1)};
    if (below(2) == 0) request.prompt.assign(prefix.begin(), prefix.begin() + 20 + below(55));
    for (int k = 1 + below(60); k > 0; --k) request.prompt.push_back(below(vocab));
    request.params.temperature = i % 2 == 0 ? 0 : 1;
    request.params.seed = rng();
    request.params.logprobs = 0;
    request.params.tokens_max = 1 + below(48);
    crowd.requests.push_back(request);
    crowd.arrivals.push_back(i < 12 ? 0 : i - 8);
  }
  return crowd;
}

Crowd random_crowd_for(std::uint64_t seed, const ModelFacts& facts) {
  Crowd crowd = random_crowd(seed, facts.vocab);
  for (Request& request : crowd.requests) {
    if (facts.kind == ModelKind::kEncoderDecoder) {
      request.encoder_input = request.prompt;
      request.prompt.resize(1 + request.prompt.size() % 3);
      request.params.tokens_max += 80;  // so that they outgrow the room that let them in
    } else if (facts.kind == ModelKind::kEncoder) {
      request.is_pooled = true;
      request.params.tokens_max = 0;
      request.second_segment = facts.segments > 1 ? request.id.value % 3 : 0;
    }
  }
  return crowd;
}

EngineOptions hashing_options() {
  EngineOptions options;
  options.is_hashing_logits = true;
  options.is_checking_invariants = true;
  options.queue_max = 4096;
  return options;
}

Branches run_alone(LocalExecutor& executor, const Crowd& crowd) {
  Branches all;
  EngineOptions options = hashing_options();
  options.scheduler.is_prefix_caching = false;
  EngineCore core(options, executor, nullptr);
  for (const Request& request : crowd.requests) {
    all.merge(run_to_end(core, {{request}, {}}));
  }
  return all;
}

std::size_t tokens_of(const Crowd& crowd) {
  std::size_t tokens = 0;
  for (const Request& request : crowd.requests) tokens += request.params.tokens_max;
  return tokens;
}

std::vector<std::string> tiny_shapes() {
  std::vector<std::string> names;
  for (const std::string_view name : random_shapes()) {
    if (name.starts_with("tiny-")) names.emplace_back(name);
  }
  return names;
}

std::string tiny_shape_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace_if(name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
}

}  // namespace quire::testing
