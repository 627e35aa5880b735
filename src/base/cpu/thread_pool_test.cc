#include "base/cpu/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <vector>

#include "base/cpu/cpu_info.h"

namespace quire {
namespace {

TEST(ThreadPool, EveryWorkerRunsOnce) {
  for (int threads : {1, 2, 3, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    std::vector<int> calls(static_cast<std::size_t>(threads));
    for (int round = 0; round < 200; ++round) {
      pool.run([&](int worker, int workers) {
        EXPECT_EQ(workers, threads);
        ++calls[static_cast<std::size_t>(worker)];  // no race: one worker, one slot
      });
    }
    for (int count : calls) EXPECT_EQ(count, 200);
  }
}

TEST(ThreadPool, ForEachCoversEveryItemOnce) {
  ThreadPool pool(3);
  for (int count : {0, 1, 2, 17, 1000}) {
    std::vector<int> visits(static_cast<std::size_t>(count));
    pool.for_each(count, [&](int item, int worker) {
      EXPECT_LT(worker, 3);
      ++visits[static_cast<std::size_t>(item)];
    });
    EXPECT_EQ(std::accumulate(visits.begin(), visits.end(), 0), count);
    for (int visit : visits) EXPECT_EQ(visit, 1);
  }
}

TEST(ThreadPool, ItemsOfTheSecondKindSeeAllOfTheFirst) {
  for (int threads : {1, 2, 3, 5}) {
    ThreadPool pool(threads);
    for (const int first : {0, 1, 2, 50}) {
      for (const int second : {0, 1, 40}) {
        std::vector<int> made(static_cast<std::size_t>(first));
        std::vector<int> seen(static_cast<std::size_t>(second));
        for (int round = 1; round <= 20; ++round) {
          pool.for_each_then(
              first, [&](int item, int) { made[static_cast<std::size_t>(item)] = round; }, second,
              [&](int item, int worker) {
                EXPECT_LT(worker, threads);
                seen[static_cast<std::size_t>(item)] =
                    std::accumulate(made.begin(), made.end(), 0);
              });
          for (const int sum : seen) ASSERT_EQ(sum, first * round) << threads << " " << first;
        }
      }
    }
  }
}

// Each worker begins with a contiguous range of its own; nobody is idle while items are left.
TEST(ThreadPool, AWorkerThatIsHeldUpLosesItsItems) {
  ThreadPool pool(2);
  std::atomic<bool> is_held = false;
  std::atomic<int> done = 0;
  std::vector<int> worker_of(100, -1);
  pool.for_each(100, [&](int item, int worker) {
    worker_of[static_cast<std::size_t>(item)] = worker;
    // The first item of the second range waits until the other worker has done all the rest.
    if (item == 50) {
      is_held = true;
      while (done < 99) std::this_thread::yield();
    }
    if (item == 0) {
      while (!is_held) std::this_thread::yield();
    }
    ++done;
  });
  EXPECT_EQ(done, 100);
  EXPECT_EQ(worker_of[0], 0);
  EXPECT_EQ(worker_of[50], 1);
  EXPECT_EQ(std::count(worker_of.begin(), worker_of.end(), 1), 1);
}

TEST(ThreadPool, WakesWorkersThatHaveParked) {
  ThreadPool pool(2);
  std::atomic<int> sum = 0;
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // past the spin
    pool.run([&](int worker, int) { sum += worker + 1; });
  }
  EXPECT_EQ(sum, 15);
}

TEST(ThreadPool, ResultsOfARunAreVisibleToTheNext) {
  ThreadPool pool(3);
  std::vector<int> value(3, 0);
  for (int round = 1; round <= 300; ++round) {
    pool.run([&](int worker, int workers) {
      value[static_cast<std::size_t>((worker + round) % workers)] += 1;
    });
  }
  for (int v : value) EXPECT_EQ(v, 300);
}

}  // namespace
}  // namespace quire
