#include "lab/load/workload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace quire {
namespace {

std::size_t words_in(const std::string& text) {
  return text.empty() ? 0 : std::count(text.begin(), text.end(), ' ') + 1;
}

TEST(WorkloadTest, NamedOnesHaveTheStatedLengths) {
  WorkloadOptions shared = *named_workload("shared");
  const auto requests = make_requests(shared);
  ASSERT_EQ(requests.size(), 32u);
  std::set<std::string> texts;
  std::string common = requests[0].text;
  for (const LoadRequest& request : requests) {
    EXPECT_EQ(words_in(request.text), 512u + 32u);
    EXPECT_EQ(request.tokens_max, 64);
    texts.insert(request.text);
    const auto end =
        std::mismatch(common.begin(), common.end(), request.text.begin(), request.text.end()).first;
    common.resize(static_cast<std::size_t>(end - common.begin()));
  }
  EXPECT_EQ(texts.size(), 32u);
  EXPECT_GE(words_in(common), 512u);
  EXPECT_LE(words_in(common), 516u);

  for (const LoadRequest& request : make_requests(*named_workload("mixed"))) {
    EXPECT_EQ(words_in(request.text), 128u);
    EXPECT_GE(request.tokens_max, 8);
    EXPECT_LE(request.tokens_max, 128);
  }
  EXPECT_EQ(named_workload("mixt").status().code(), StatusCode::kNotFound);
}

TEST(WorkloadTest, ThePrefixWorkloadIsMadeOfTokenIds) {
  const WorkloadOptions prefix = *named_workload("prefix");
  const auto requests = make_requests(prefix);
  ASSERT_EQ(requests.size(), 48u);
  for (const LoadRequest& request : requests) {
    ASSERT_EQ(request.ids.size(), 512u + 16u);
    EXPECT_TRUE(request.text.empty());
    EXPECT_TRUE(
        std::equal(request.ids.begin(), request.ids.begin() + 512, requests[0].ids.begin()));
    for (const TokenId id : request.ids) {
      EXPECT_GE(id, prefix.ids_below / 2);
      EXPECT_LT(id, prefix.ids_below);
    }
  }
}

TEST(WorkloadTest, TheSeedDecidesEverything) {
  WorkloadOptions options = *named_workload("mixed");
  options.rate = 4;
  const auto one = make_requests(options), again = make_requests(options);
  options.seed = 2;
  const auto other = make_requests(options);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].text, again[i].text);
    EXPECT_EQ(one[i].send_at, again[i].send_at);
    EXPECT_NE(one[i].text, other[i].text);
  }
}

TEST(WorkloadTest, OpenLoopArrivesAtTheRate) {
  WorkloadOptions options = *named_workload("mixed");
  options.rate = 10;
  options.requests = 4000;
  options.own = 1;
  const auto requests = make_requests(options);
  EXPECT_TRUE(std::is_sorted(requests.begin(), requests.end(),
                             [](const auto& a, const auto& b) { return a.send_at < b.send_at; }));
  EXPECT_NEAR(to_seconds(requests.back().send_at), 400, 40);
}

}  // namespace
}  // namespace quire
