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
  std::vector<int> order;      // guarded by the turns
  std::atomic<int> waiting{0};  // threads that have asked at least once, or are about to
  const auto work = [&](int me) {
    for (int round = 0; round < kRounds; ++round) {
      if (round == 0) ++waiting;
      Turns::Turn turn = turns.take();
      // The first one in holds on until the other has come, so that both are busy from then on.
      while (waiting < 2) std::this_thread::yield();
      order.push_back(me);
      // Long enough for the other one to ask again before this one does.
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  };
  std::thread other([&] { work(1); });
  work(0);
  other.join();
  ASSERT_EQ(order.size(), 2u * kRounds) << "a turn was held twice at a time";
  // Who gives a turn back asks again at once, and must still stand behind the one who waits. The
  // system may delay a thread on its way to ask, so a few exceptions are fair; a lock that the
  // same thread takes again and again makes hundreds.
  int repeats = 0;
  for (std::size_t i = 1; i < order.size(); ++i) repeats += order[i] == order[i - 1];
  EXPECT_LT(repeats, kRounds / 2);
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
