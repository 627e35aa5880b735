// Turns: one at a time, in order of asking, and two busy threads alternate.
#include "base/cpu/turns.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace quire {
namespace {

TEST(TurnsTest, TwoBusyThreadsAlternate) {
  constexpr int kRounds = 200;
  Turns turns;
  std::vector<int> order;  // guarded by the turns
  const auto work = [&](int me) {
    for (int round = 0; round < kRounds; ++round) {
      const Turns::Turn turn = turns.take();
      order.push_back(me);
      // Both are busy: nobody gives his turn back before the other has asked for the next one. Who
      // asks again at once must still stand behind him.
      while (round + 1 < kRounds && turns.waiting() == 0) std::this_thread::yield();
    }
  };
  std::thread other([&] { work(1); });
  work(0);
  other.join();
  ASSERT_EQ(order.size(), 2u * kRounds) << "a turn was held twice at a time";
  for (std::size_t i = 1; i < order.size(); ++i) ASSERT_NE(order[i], order[i - 1]) << i;
  EXPECT_EQ(turns.waiting(), 0u);
}

TEST(TurnsTest, ATurnEndsWhereItIsGivenBackOrMovedTo) {
  Turns turns;
  Turns::Turn kept;
  {
    Turns::Turn turn = turns.take();
    kept = std::move(turn);
  }
  kept.give_back();
  kept = turns.take();
  std::thread elsewhere([&] { kept.give_back(); });  // an executor may die on another thread
  elsewhere.join();
  turns.take().give_back();
}

TEST(TurnsDeathTest, AskingTwiceIsAMistake) {
  EXPECT_DEATH(
      {
        Turns turns;
        const Turns::Turn turn = turns.take();
        turns.take().give_back();
      },
      "holds one");
}

}  // namespace
}  // namespace quire
