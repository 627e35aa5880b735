// The cache of answers by itself: what is found, what makes room, what goes with its model.
#include "serve/background/response_cache.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

#include "serve/dialects/kserve/inference/infer_values.h"

namespace quire {
namespace {

constexpr std::size_t kOverhead = ResponseCache::kEntryOverhead;

ResponseCache::Answer answer(const std::string& id) {
  auto made = std::make_shared<InferResponse>();
  made->id = id;
  return made;
}

struct Model {
  explicit Model(std::string name) : edition{std::move(name), thing, "fp"} {}
  std::shared_ptr<int> thing = std::make_shared<int>(0);
  ResponseCache::Edition edition;
};

std::string found(ResponseCache& cache, const Model& model, const std::string& question) {
  const ResponseCache::Answer kept = cache.find(model.edition, question);
  return kept == nullptr ? "" : kept->id;
}

TEST(ResponseCacheTest, WhatWasKeptIsFoundByTheSameQuestionOfTheSameModel) {
  ResponseCache cache(10'000);
  const Model a("a"), b("b");
  EXPECT_EQ(found(cache, a, "q"), "");
  cache.keep(a.edition, "q", answer("1"), 10);
  cache.keep(b.edition, "q", answer("nobody asked"), 10);
  EXPECT_EQ(found(cache, a, "q"), "1");
  EXPECT_EQ(found(cache, b, "q"), "") << "of an edition that was never asked for nothing is kept";
  EXPECT_EQ(found(cache, a, "qq"), "");
  cache.keep(a.edition, "q", answer("2"), 10);
  EXPECT_EQ(found(cache, a, "q"), "1") << "who came first stays";
  EXPECT_EQ(cache.usage().entries, 1u);
  EXPECT_EQ(cache.usage().bytes, 1 + 10 + kOverhead);
}

TEST(ResponseCacheTest, WhoWasNotAskedForLongestMakesRoom) {
  ResponseCache cache(3 * (1 + 100 + kOverhead));
  const Model a("a");
  found(cache, a, "1");
  for (const char* question : {"1", "2", "3"}) {
    cache.keep(a.edition, question, answer(question), 100);
  }
  EXPECT_EQ(found(cache, a, "1"), "1");
  cache.keep(a.edition, "4", answer("4"), 100);
  EXPECT_EQ(found(cache, a, "2"), "");
  for (const char* question : {"1", "3", "4"}) EXPECT_EQ(found(cache, a, question), question);
  EXPECT_EQ(cache.usage().evictions, 1u);
  EXPECT_EQ(cache.usage().bytes, cache.usage().bytes_max);
  cache.keep(a.edition, "5", answer("5"), 101 + 2 * (1 + 100 + kOverhead));
  EXPECT_EQ(cache.usage().entries, 3u) << "one byte too large: nobody makes room for it";
  cache.keep(a.edition, "5", answer("5"), 100 + 2 * (1 + 100 + kOverhead));
  EXPECT_EQ(cache.usage().entries, 1u);
  EXPECT_EQ(found(cache, a, "5"), "5");
  EXPECT_FALSE(cache.may_hold(1, ~std::size_t{0}));
}

TEST(ResponseCacheTest, AnotherEditionOfAModelBeginsAnew) {
  ResponseCache cache(10'000);
  const Model old("a"), other("b");
  Model next("a"), changed = old;
  changed.edition.fingerprint = "fp2";
  found(cache, old, "q");
  found(cache, other, "q");
  cache.keep(old.edition, "q", answer("old"), 10);
  cache.keep(other.edition, "q", answer("other"), 10);
  EXPECT_EQ(found(cache, next, "q"), "");
  EXPECT_EQ(cache.usage().entries, 1u);
  cache.keep(old.edition, "q", answer("late"), 10);
  EXPECT_EQ(found(cache, next, "q"), "") << "what the old one still computes is not kept";
  cache.keep(next.edition, "q", answer("next"), 10);
  EXPECT_EQ(found(cache, next, "q"), "next");
  EXPECT_EQ(found(cache, other, "q"), "other");
  EXPECT_EQ(found(cache, changed, "q"), "");
  next.thing.reset();
  const Model reborn("a");
  EXPECT_EQ(found(cache, reborn, "q"), "") << "wherever in memory it lies";
}

TEST(ResponseCacheTest, CountsAreByModelAndGoWithIt) {
  ResponseCache cache(10'000);
  Model a("a");
  found(cache, a, "q");
  cache.keep(a.edition, "q", answer("1"), 10);
  cache.count_miss("a");
  cache.add_miss_time("a", Nanos{5});
  cache.add_miss_time("nobody", Nanos{5});
  cache.count_hit("a", Nanos{7});
  EXPECT_EQ(cache.counts("a").hits, 1u);
  EXPECT_EQ(cache.counts("a").misses, 1u);
  EXPECT_EQ(cache.counts("a").hit_time, Nanos{7});
  EXPECT_EQ(cache.counts("a").miss_time, Nanos{5});
  EXPECT_GT(cache.counts("a").last_hit_ms, 0u);
  EXPECT_EQ(cache.all_counts().size(), 1u);
  cache.keep_only({"a"});
  EXPECT_EQ(cache.usage().entries, 1u);
  cache.keep_only({"b"});
  EXPECT_EQ(cache.usage().entries, 1u) << "it is none of the host's, but somebody has it";
  a.thing.reset();
  cache.keep_only({"b"});
  EXPECT_EQ(cache.usage().entries, 0u);
  EXPECT_EQ(cache.usage().bytes, 0u);
  EXPECT_TRUE(cache.all_counts().empty());
}

// Many threads, few places: the bound holds throughout, and nobody gets another's answer.
TEST(ResponseCacheTest, ManyAskAtOnce) {
  ResponseCache cache(20 * kOverhead);
  const Model models[] = {Model("a"), Model("b")};
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&cache, &models, seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 3000; ++i) {
        const Model& model = models[random() % 2];
        const std::string question = std::to_string(random() % 30);
        const std::string expected = model.edition.model + question;
        const ResponseCache::Answer kept = cache.find(model.edition, question);
        if (kept != nullptr) {
          EXPECT_EQ(kept->id, expected);
        } else {
          cache.keep(model.edition, question, answer(expected), random() % 300);
        }
        EXPECT_LE(cache.usage().bytes, 20 * kOverhead);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(cache.usage().evictions, 0u);
}

}  // namespace
}  // namespace quire
