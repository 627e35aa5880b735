// Batch invariance through EngineCore: hashes of the raw logits rows of every token of every
// request are the same alone and in a crowd, whatever the chunk size, threads, pool size
// (preemption) and prefix cache; on every ISA and arithmetic, and for a tiny model of every kind. A
// planted kernel that sums by batch size must fail it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <thread>

#include "base/check.h"
#include "base/hash.h"
#include "crowds.h"
#include "kernels/select.h"
#include "lab/random_model.h"
#include "planted_backend.h"
#include "testbed.h"

namespace quire {
namespace {

using testing::Branch;
using testing::Branches;
using testing::Crowd;
using testing::Setting;
using testing::hashing_options;
using testing::kRequests;
using testing::make_test_executor;
using testing::random_crowd;
using testing::random_crowd_for;
using testing::run_alone;
using testing::run_to_end;
using testing::tiny_shape_name;
using testing::tiny_shapes;
using testing::tokens_of;

RandomModel tiny_model(DType dtype) {
  auto model = make_random_model("tiny", {.dtype = dtype, .seed = 42, .threads = 2});
  QUIRE_CHECK(model.is_ok(), "{}", model.status().message());
  return std::move(model).value();
}

struct Difference {
  int branches = 0;
  std::uint64_t preemptions = 0;
};

Difference count_different(LocalExecutor& executor, const Crowd& crowd, const Branches& alone) {
  EngineCore core(hashing_options(), executor, nullptr);
  const Branches together = run_to_end(core, crowd);
  Difference difference;
  difference.preemptions = core.stats().preemptions;
  for (const auto& [key, branch] : alone) {
    const auto found = together.find(key);
    difference.branches += found == together.end() || !(found->second == branch);
  }
  return difference;
}

TEST(InvarianceTest, LogitsAreBitwiseTheSameAloneAndInACrowd) {
  for (const KernelTable* table : all_supported()) {
    const std::string isa(table->name);
    for (const DType dtype :
         {DType::kF32, DType::kBF16, DType::kQ8_0, DType::kQ4_1, DType::kQ4_K, DType::kI8}) {
      const RandomModel model = tiny_model(dtype);
      const Crowd crowd = random_crowd(7, model.design.facts.vocab);
      Setting setting{.isa = isa, .threads = 1, .blocks = 64};
      const Branches alone =
          run_alone(*make_test_executor(model.design, model.find, setting), crowd);
      std::size_t rows = 0;
      for (const auto& [key, branch] : alone) rows += branch.logits_hashes.size();
      EXPECT_EQ(rows, tokens_of(crowd));

      std::uint64_t preemptions = 0;
      for (const auto& [tokens_max, threads, blocks] :
           {std::tuple{16u, 1, 8u}, std::tuple{64u, 2, 12u}, std::tuple{512u, 2, 400u}}) {
        setting.tokens_max = tokens_max;
        setting.threads = threads;
        setting.blocks = blocks;
        const auto executor = make_test_executor(model.design, model.find, setting);
        const Difference difference = count_different(*executor, crowd, alone);
        preemptions += difference.preemptions;
        EXPECT_EQ(difference.branches, 0)
            << isa << " " << dtype_name(dtype) << ": chunk " << tokens_max << ", " << threads
            << " threads, " << blocks << " blocks";
      }
      EXPECT_GT(preemptions, 0u);
      std::printf("FIGURE %s %s: %zu logits rows of %d requests equal in 3 crowds, "
                  "%llu preemptions\n",
                  isa.c_str(), std::string(dtype_name(dtype)).c_str(), rows, kRequests,
                  static_cast<unsigned long long>(preemptions));
    }
  }
}

// What a client gets as logits is what the engine draws from: the hash of each reported row is that
// of the row itself, and in a crowd, cut into chunks, every bit is as it was alone.
TEST(InvarianceTest, ReportedLogitsAreTheRowsThemselves) {
  const RandomModel model = tiny_model(DType::kQ8_0);
  const std::size_t vocab = model.design.facts.vocab;
  Crowd crowd = random_crowd(11, model.design.facts.vocab);
  std::size_t compared = 0;
  for (Request& request : crowd.requests) {
    request.n = 1;
    request.params.prompt_logprobs = 0;
    request.params.raw_logits = true;
  }
  Setting setting{.threads = 1, .blocks = 64};
  const Branches alone = run_alone(*make_test_executor(model.design, model.find, setting), crowd);
  for (const auto& [key, branch] : alone) {
    ASSERT_EQ(branch.logits.size(), branch.logits_hashes.size() * vocab);
    for (std::size_t i = 0; i < branch.logits_hashes.size(); ++i, ++compared) {
      EXPECT_EQ(hash_bytes(branch.logits.data() + i * vocab, vocab * sizeof(float)),
                branch.logits_hashes[i]);
    }
  }
  EXPECT_GT(compared, tokens_of(crowd));
  setting.tokens_max = 16;
  setting.threads = 2;
  setting.blocks = 400;
  const auto executor = make_test_executor(model.design, model.find, setting);
  EXPECT_EQ(count_different(*executor, crowd, alone).branches, 0);
}

// A forked request equals its branches run alone, too.
void expect_branches_alone(LocalExecutor& executor, const Request& request) {
  Branches single;
  for (int i = 0; i < request.n; ++i) {
    Request one = request;
    one.n = 1;
    one.branch_first = i;
    EngineCore core(hashing_options(), executor, nullptr);
    single[{request.id.value, i}] = run_to_end(core, {{one}, {}}).begin()->second;
  }
  EngineCore core(hashing_options(), executor, nullptr);
  EXPECT_EQ(run_to_end(core, {{request}, {}}), single);
}

struct Chunking {
  std::uint32_t tokens_max, rows_max, blocks;
  int threads;
};
constexpr Chunking kChunkings[] = {
    {1, 1, 64, 1}, {7, 4, 8, 2}, {16, 16, 8, 1}, {64, 64, 8, 1}, {512, 64, 400, 2}};
constexpr std::uint32_t kContext = 256;
constexpr std::uint32_t kWholeMax = 136;  // tokens of the longest prompt

class TinyShapeTest : public ::testing::TestWithParam<std::string> {};

TEST_P(TinyShapeTest, IsBitwiseTheSameAloneAndInACrowd) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kQ8_0}) {
    auto made = make_random_model(GetParam(), {.dtype = dtype, .seed = 42, .threads = 2});
    ASSERT_TRUE(made.is_ok()) << made.status().message();
    const RandomModel& model = *made;
    const ModelFacts& facts = model.design.facts;
    Crowd crowd = random_crowd_for(17, facts);
    const Branches alone = run_alone(
        *make_test_executor(model.design, model.find, {.threads = 1, .blocks = 64}), crowd);
    std::size_t rows = 0;
    for (const auto& [key, branch] : alone) {
      rows += branch.logits_hashes.size() + !branch.pooled.empty();
    }
    const bool is_pooled = facts.kind == ModelKind::kEncoder;
    EXPECT_EQ(rows, is_pooled ? crowd.requests.size() : tokens_of(crowd));
    std::uint64_t preemptions = 0;
    for (Chunking chunking : kChunkings) {
      // What is read as a whole fits into a step.
      if (facts.kind != ModelKind::kDecoder) {
        chunking.tokens_max = std::max(chunking.tokens_max, kWholeMax);
        chunking.blocks = std::max(6u, chunking.blocks - 2);  // chunks are rare: less room for them
      }
      const auto executor = make_test_executor(
          model.design, model.find,
          {.threads = chunking.threads, .tokens_max = chunking.tokens_max,
           .rows_max = chunking.rows_max, .blocks = chunking.blocks, .context_max = kContext});
      const Difference difference = count_different(*executor, crowd, alone);
      preemptions += difference.preemptions;
      EXPECT_EQ(difference.branches, 0) << dtype_name(dtype) << ": chunk " << chunking.tokens_max;
    }
    const std::vector<GroupFacts>& groups = facts.groups;
    const bool has_window = std::any_of(groups.begin(), groups.end(),
                                        [](const GroupFacts& g) { return g.window > 0; });
    const bool has_states_alone = std::all_of(groups.begin(), groups.end(),
                                              [](const GroupFacts& g) { return g.holds_state; });
    // A window's blocks come back by themselves, a state does not grow with the text; a pooled text
    // is there for one step.
    EXPECT_TRUE(preemptions > 0 || has_window || has_states_alone || is_pooled);
    Request forked = crowd.requests[1];
    forked.params.temperature = 1;
    forked.params.tokens_max = 20;
    forked.n = 3;
    if (!is_pooled) {
      expect_branches_alone(
          *make_test_executor(model.design, model.find, {.threads = 2, .blocks = 64}), forked);
    }
    std::printf("FIGURE %s %s: %zu logits rows equal in chunks of 1, 7, 64 and 512, forked, "
                "%llu preemptions\n", GetParam().c_str(),
                std::string(dtype_name(dtype)).c_str(), rows,
                static_cast<unsigned long long>(preemptions));
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, TinyShapeTest, ::testing::ValuesIn(tiny_shapes()),
                         tiny_shape_name);

// Two models on one device: their threads take turns, while a third one is loaded and dropped again
// and again between their steps.
TEST(InvarianceTest, ModelsThatShareADeviceDoNotSeeEachOther) {
  auto device = make_cpu_device(2);
  ASSERT_TRUE(device.is_ok());
  const Setting setting{.tokens_max = 64, .blocks = 64, .device = *device};
  struct Busy {
    RandomModel model;
    Crowd crowd;
    Branches alone;
    std::unique_ptr<LocalExecutor> executor;
    Difference difference;
  };
  std::array<Busy, 2> models;
  for (std::size_t i = 0; i < models.size(); ++i) {
    Busy& busy = models[i];
    busy.model = tiny_model(i == 0 ? DType::kQ8_0 : DType::kQ4_K);
    busy.crowd = random_crowd(13 + i, busy.model.design.facts.vocab);
    busy.alone = run_alone(
        *make_test_executor(busy.model.design, busy.model.find, {.blocks = 64}), busy.crowd);
    busy.executor = make_test_executor(busy.model.design, busy.model.find, setting);
  }
  std::atomic<int> at_work{2};
  std::vector<std::thread> threads;
  for (Busy& busy : models) {
    threads.emplace_back([&] {
      busy.difference = count_different(*busy.executor, busy.crowd, busy.alone);
      --at_work;
    });
  }
  int loads = 0;
  const RandomModel third = tiny_model(DType::kF32);
  for (; at_work > 0; ++loads) make_test_executor(third.design, third.find, setting);
  for (std::thread& thread : threads) thread.join();
  for (const Busy& busy : models) EXPECT_EQ(busy.difference.branches, 0);
  EXPECT_GT(loads, 0);
  std::printf("FIGURE 2 models of %d requests each on one device: equal to each alone, beside %d "
              "loads of a third\n", kRequests, loads);
}

TEST(InvarianceTest, APlantedKernelThatSumsByBatchSizeIsCaught) {
  const RandomModel model = tiny_model(DType::kF32);
  const Crowd crowd = random_crowd(7, model.design.facts.vocab);
  LocalOptions options;
  options.capacity.tokens_max = 64;
  options.capacity.blocks = 400;
  auto planted =
      make_executor(testing::planted_backend(1), model.design, model.find, options);
  ASSERT_TRUE(planted.is_ok()) << planted.status().message();
  const Branches alone = run_alone(**planted, crowd);
  const Difference difference = count_different(**planted, crowd, alone);
  std::printf("FIGURE planted kernel: %d of %d requests differ\n", difference.branches, kRequests);
  EXPECT_GT(difference.branches, 0);
}

TEST(InvarianceTest, ChoiceOfNEqualsTheBranchRunAlone) {
  const RandomModel model = tiny_model(DType::kQ8_0);
  const auto executor = make_test_executor(model.design, model.find, {.threads = 2, .blocks = 64});
  Crowd crowd = random_crowd(11, model.design.facts.vocab);
  Request forked = crowd.requests[1];
  forked.id = {1000};
  forked.params.temperature = 1;
  forked.params.tokens_max = 20;
  forked.n = 4;

  Branches single;
  for (int i = 0; i < 4; ++i) {
    Request one = forked;
    one.n = 1;
    one.branch_first = i;
    EngineCore core(hashing_options(), *executor, nullptr);
    single[{1000, i}] = run_to_end(core, {{one}, {}}).begin()->second;
  }
  EXPECT_NE(single.at({1000, 0}).tokens, single.at({1000, 1}).tokens);

  EngineCore quiet(hashing_options(), *executor, nullptr);
  EXPECT_EQ(run_to_end(quiet, {{forked}, {}}), single);

  crowd.requests.insert(crowd.requests.begin() + 3, forked);
  crowd.arrivals.insert(crowd.arrivals.begin() + 3, 0);
  EngineCore busy(hashing_options(), *executor, nullptr);
  const Branches together = run_to_end(busy, crowd);
  for (const auto& [key, branch] : single) EXPECT_EQ(together.at(key), branch);
  std::printf("FIGURE n = 4: each choice equals its branch run alone, and in a crowd of %d\n",
              kRequests);
}

}  // namespace
}  // namespace quire
