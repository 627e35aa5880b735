// A million tokens of one text through EngineCore in virtual time: with sinks and a window they
// take the blocks of the first few hundred.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/engine_core.h"
#include "sim/sim_executor.h"

namespace quire {
namespace {

TEST(EndlessSimTest, AMillionTokensTakeTheBlocksOfTheFirst) {
  constexpr int kTokens = 1'000'000;
  Capacity capacity;
  capacity.groups = {
      {.layers = 1, .block_tokens = 1024, .blocks = 17, .window = 4096, .sinks = 4}};
  capacity.rows_max = 4;
  capacity.tokens_max = 512;
  capacity.logits_rows_max = 4;
  capacity.context_max = 1u << 24;
  capacity.vocab = 1000;
  capacity.depth = 1;
  SimExecutor executor(capacity, {});
  EngineCore core({}, executor, nullptr);
  Request request;
  request.id = {1};
  request.prompt = {5, 6, 7};
  request.params.tokens_max = kTokens;
  request.params.ignore_eos = true;
  ASSERT_TRUE(core.submit(request).is_ok());
  std::size_t tokens = 0;
  std::uint64_t most = 0;
  FinishReason finish = FinishReason::kNone;
  for (Nanos now{0}; core.has_work(); now += Nanos(1000)) {
    executor.set_now(now);
    for (const TokenEvent& event : core.advance(now).events) {
      tokens += event.accepted.size();
      if (event.finish != FinishReason::kNone) finish = event.finish;
    }
    most = std::max(most, core.stats().blocks_referenced);
  }
  EXPECT_EQ(tokens, std::size_t{kTokens});
  EXPECT_EQ(finish, FinishReason::kLength);
  EXPECT_LE(most, 1 + 4096 / 1024 + 2u);
}

}  // namespace
}  // namespace quire
