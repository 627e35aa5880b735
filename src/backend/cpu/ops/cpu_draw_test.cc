// Draws through the backend: each task is answered by its own row, whoever draws, in whatever order
// and company. What is drawn is runtime/sampler_test's business.
#include <gtest/gtest.h>

#include <random>

#include "backend/cpu/ops/draw_row.h"
#include "backend/testing/one_op.h"
#include "kernels/select.h"

namespace quire {
namespace {

constexpr int kRows = 24, kVocab = 3001;

struct Wishes {
  std::vector<float> logits = std::vector<float>(kRows * kVocab);
  std::vector<DrawTask> tasks;
  std::vector<std::int32_t> history = std::vector<std::int32_t>(90);
  std::vector<TokenBias> biases = {{5, 1.5f}, {2000, -3}};

  Wishes() {
    std::mt19937 engine(4);
    std::normal_distribution<float> normal(0, 2);
    for (float& logit : logits) logit = normal(engine);
    for (std::int32_t& token : history) token = static_cast<std::int32_t>(engine() % kVocab);
    for (int i = 0; i < 100; ++i) {
      DrawTask& task = tasks.emplace_back();
      task.row = static_cast<int>(engine() % kRows);  // some rows often, perhaps some never
      task.temperature = i % 3 == 0 ? 0.0f : 0.8f;
      task.top_p = i % 4 == 0 ? 0.9f : 1.0f;
      task.top_k = i % 5 == 0 ? 40 : 0;
      task.alternatives = i % 6 - 1;
      task.seed = engine();
      task.position = static_cast<std::uint64_t>(i);
      if (i % 7 == 0) task.target = i;
      if (i % 2 == 0) task.biases = biases;
      if (i % 3 == 1) task.history = history, task.prompt_count = 40, task.presence_penalty = 1;
    }
  }
  std::span<const float> row(const DrawTask& task) const {
    return std::span(logits).subspan(static_cast<std::size_t>(task.row) * kVocab, kVocab);
  }
};

TEST(CpuDrawTest, EachTaskIsAnsweredByItsOwnRowWhoeverDraws) {
  const Wishes wishes;
  for (const KernelTable* table : all_supported()) {
    for (const int threads : {1, 3}) {
      CpuBackend backend(*table, threads);
      const Buffer logits = backend.buffer(Rows::kWanted, kRows, kVocab);
      testing::fill(logits, wishes.logits);
      EXPECT_TRUE(backend.draw(logits, {}).empty());
      const std::vector<Drawn> drawn = backend.draw(logits, wishes.tasks);
      ASSERT_EQ(drawn.size(), wishes.tasks.size());
      for (std::size_t i = 0; i < drawn.size(); ++i) {
        const DrawTask& task = wishes.tasks[i];
        EXPECT_EQ(drawn[i].outcome, DrawOutcome::kOk);
        EXPECT_TRUE(drawn[i] == draw_row(*table, task, wishes.row(task))) << i;
      }
    }
  }
}

TEST(CpuDrawTest, ARowThatTheBufferDoesNotHaveIsRefused) {
  CpuBackend backend(*select_kernels("").value(), 1);
  const Buffer logits = backend.buffer(Rows::kWanted, 2, 8);
  testing::fill(logits, std::vector<float>(16));
  DrawTask task;
  task.row = 2;
  EXPECT_DEATH(backend.draw(logits, {&task, 1}), "row 2 of 2");
}

}  // namespace
}  // namespace quire
