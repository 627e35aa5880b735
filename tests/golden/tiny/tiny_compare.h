// How near a model comes to a tiny fixture: its log-probabilities, greedy ids and pooled vectors
// against the reference, and the bounds for that. Used by the golden tests of checkpoints as
// Hugging Face has them and as GGUF has them. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "testbed.h"
#include "tiny_fixture.h"

namespace quire::testing {

// Of a log-probability: the worst that was measured times what stands beside it. In F32 only the
// order of sums differs from the reference; with weights in BF16 products round the activations,
// which the reference does not.
constexpr double kErrorMax = 3 * 6.9e-6;         // weights and KV in F32
constexpr double kBf16ErrorMax = 1.5 * 1.17e-2;  // weights in BF16
constexpr double kFp8KvErrorMax = 1.5 * 0.29, kInt4KvErrorMax = 1.5 * 0.52;  // KV of few bits
constexpr double kPooledErrorMax = 1e-5;  // of a vector's value in F32
constexpr double kLabelErrorMax = 1e-4;   // of a classifier's logit
constexpr float kMarginMin = 0.01f;              // greedy ids are compared where it is larger
constexpr int kGreedyMin = 20;                   // of 64; dynamic NTK stops at its context

struct Agreement {
  double error_max = 0;       // of all log-probabilities of the fixture
  std::size_t positions = 0;  // whose next token was compared
  std::size_t rows = 0;       // whose whole distribution was
  int greedy_compared = 0;
  int greedy_equal = 0;
};

std::unique_ptr<LocalExecutor> executor_of(const ModelFiles& files, const Setting& setting);

// The largest difference of log-probabilities; infinite where there is a NaN.
double largest_difference(std::span<const float> logits, std::span<const float> logprobs);

// Reads the whole text in chunks, as far as the model's context goes (the reference of dynamic NTK
// turns otherwise beyond). An id that is not the likeliest counts where the margin is large.
Agreement compare_text(LocalExecutor& executor, const TinyFixture& fixture,
                       std::uint32_t chunk_tokens);

// Every position that the model's context reaches, and enough greedy ids to tell anything.
void expect_all_compared(const LocalExecutor& executor, const TinyFixture& fixture,
                         const Agreement& agreement);

// The largest difference of a pooled vector of an encoder, of every kind of pooling. GGUF does not
// say that an embedding is of length one.
double pooled_error(const ModelFiles& files, const TinyFixture& fixture, DType kv_dtype,
                    bool is_of_gguf = false);
double pooled_error_max(const TinyFixture& fixture);  // in F32

}  // namespace quire::testing
