// Errands: as many at once as may be, on threads of their own, and room again when one is over.
#include "serve/background/errands.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace quire {
namespace {

TEST(ErrandsTest, AsManyAreUnderWayAtOnceAsMayBeAndNoMore) {
  std::promise<void> end;
  const std::shared_future<void> over = end.get_future().share();
  std::atomic<int> done{0};
  Errands errands;
  const auto wait = [&done, over] {
    over.wait();
    ++done;
  };
  for (std::size_t i = 0; i < Errands::kAtOnce; ++i) EXPECT_TRUE(errands.begin(wait));
  EXPECT_FALSE(errands.begin(wait));
  EXPECT_EQ(errands.under_way(), Errands::kAtOnce);
  end.set_value();
  while (errands.under_way() > 0) std::this_thread::yield();
  EXPECT_TRUE(errands.begin(wait)) << "there is room again";
  errands.join();
  EXPECT_EQ(done, static_cast<int>(Errands::kAtOnce) + 1) << "who was refused was not begun";
}

TEST(ErrandsTest, ItsEndWaitsForThem) {
  std::atomic<bool> is_done{false};
  {
    Errands errands;
    EXPECT_TRUE(errands.begin([&] { is_done = true; }));
  }
  EXPECT_TRUE(is_done);
}

}  // namespace
}  // namespace quire
