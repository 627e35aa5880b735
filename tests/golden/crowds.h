// Crowds for tests of batch invariance: requests of random lengths, some sharing prefixes, greedy
// and seeded, that a model of any kind can be asked; each of them run alone; and the tiny shapes of
// every architecture. Pure but for the engines that run. One thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "model/model_facts.h"
#include "testbed.h"

namespace quire::testing {

inline constexpr int kRequests = 24;

// Ids from 1 on; half of them come at once.
Crowd random_crowd(std::uint64_t seed, int vocab);

// The same of texts that a model of this kind can be asked about.
Crowd random_crowd_for(std::uint64_t seed, const ModelFacts& facts);

// Logits are hashed, invariants checked.
EngineOptions hashing_options();

// Every request in an engine of its own history: one after the other, no prefix reuse.
Branches run_alone(LocalExecutor& executor, const Crowd& crowd);

// What must have been hashed: a row for every token that the requests ask for.
std::size_t tokens_of(const Crowd& crowd);

// Names of the random shapes that begin with "tiny-", and as a test's parameter.
std::vector<std::string> tiny_shapes();
std::string tiny_shape_name(const ::testing::TestParamInfo<std::string>& info);

}  // namespace quire::testing
