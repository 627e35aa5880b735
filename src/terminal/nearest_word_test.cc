#include "terminal/nearest_word.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

TEST(NearestWordTest, SuggestsWhatIsASlipAway) {
  const std::vector<std::string> commands = {"serve", "run", "bench", "show"};
  EXPECT_EQ(nearest_word("sevre", commands), "serve");
  EXPECT_EQ(nearest_word("serv", commands), "serve");
  EXPECT_EQ(nearest_word("shwo", {"show"}), "show");
  EXPECT_EQ(nearest_word("sho", commands), "show");
  EXPECT_EQ(nearest_word("--max-num-seq", {"--max-num-seqs", "--port"}), "--max-num-seqs");
  EXPECT_EQ(nearest_word("kubernetes", commands), "");
}

}  // namespace
}  // namespace quire
