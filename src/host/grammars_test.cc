#include "host/grammars.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <semaphore>
#include <string>
#include <vector>

namespace quire {
namespace {

class Nothing final : public Constraint {
 public:
  Result<std::unique_ptr<ConstraintState>> begin() const override {
    return Status(StatusCode::kInternal, "never asked");
  }
};

// A compiler that says when it begins and goes on when it may.
struct Bench {
  std::counting_semaphore<> begun{0}, may_end{0}, told{0};
  std::atomic<int> compiled = 0;
  std::mutex mutex;
  std::vector<std::string> outcomes;

  Grammars::Compile compile() {
    return [this](const GrammarSource& source) -> Grammars::Outcome {
      ++compiled;
      begun.release();
      may_end.acquire();
      if (source.text == "bad") return Status(StatusCode::kInvalidArgument, "it is bad");
      return std::shared_ptr<const Constraint>(std::make_shared<Nothing>());
    };
  }
  std::function<void(Grammars::Outcome)> note() {
    return [this](const Grammars::Outcome& outcome) {
      const std::lock_guard lock(mutex);
      outcomes.push_back(outcome.is_ok() ? "" : outcome.status().message());
      told.release();
    };
  }
};

GrammarSource source(const std::string& text) { return {GrammarKind::kRegex, text}; }

TEST(Grammars, TheSameSourceIsCompiledOnceAndEverybodyIsTold) {
  Bench bench;
  Grammars grammars(bench.compile());
  EXPECT_FALSE(grammars.find(source("a")).has_value());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(grammars.want(source("a"), bench.note()).is_ok());
  bench.begun.acquire();
  ASSERT_TRUE(grammars.want(source("a"), bench.note()).is_ok());  // while it is being compiled
  EXPECT_EQ(grammars.stats().waiting, 4u);
  bench.may_end.release();
  for (int i = 0; i < 4; ++i) bench.told.acquire();
  EXPECT_EQ(bench.outcomes, std::vector<std::string>(4));
  EXPECT_EQ(bench.compiled, 1);
  ASSERT_TRUE(grammars.find(source("a")).has_value());
  ASSERT_TRUE(grammars.want(source("a"), bench.note()).is_ok());  // told at once
  bench.told.acquire();
  EXPECT_EQ(bench.compiled, 1);
  EXPECT_FALSE(grammars.find({GrammarKind::kLark, "a"}).has_value());
}

TEST(Grammars, WhatCannotBeCompiledIsRemembered) {
  Bench bench;
  Grammars grammars(bench.compile());
  bench.may_end.release();
  ASSERT_TRUE(grammars.want(source("bad"), bench.note()).is_ok());
  bench.told.acquire();
  EXPECT_EQ(bench.outcomes, std::vector<std::string>{"it is bad"});
  const auto found = grammars.find(source("bad"));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->status().message(), "it is bad");
  EXPECT_EQ(grammars.stats().failed, 1u);
}

TEST(Grammars, TheLastUsesStay) {
  Bench bench;
  Grammars grammars(bench.compile(), {.kept_max = 2});
  bench.may_end.release(16);
  const auto make = [&](const char* text) {
    ASSERT_TRUE(grammars.want(source(text), bench.note()).is_ok());
    bench.told.acquire();
  };
  make("a");
  make("b");
  EXPECT_TRUE(grammars.find(source("a")).has_value());
  make("c");
  EXPECT_FALSE(grammars.find(source("b")).has_value());
  EXPECT_TRUE(grammars.find(source("a")).has_value());
  EXPECT_EQ(grammars.stats().kept, 2u);
  EXPECT_EQ(grammars.stats().evicted, 1u);
}

TEST(Grammars, BytesOfSourcesAreBounded) {
  Bench bench;
  Grammars grammars(bench.compile(), {.bytes_max = 100});
  bench.may_end.release(16);
  for (const char c : {'a', 'b', 'c'}) {
    ASSERT_TRUE(grammars.want(source(std::string(60, c)), bench.note()).is_ok());
    bench.told.acquire();
    EXPECT_EQ(grammars.stats().kept, 1u);
  }
}

TEST(Grammars, TheQueueIsBounded) {
  Bench bench;
  Grammars grammars(bench.compile(), {.sources_waiting_max = 2, .uses_waiting_max = 3});
  ASSERT_TRUE(grammars.want(source("a"), bench.note()).is_ok());
  ASSERT_TRUE(grammars.want(source("b"), bench.note()).is_ok());
  EXPECT_EQ(grammars.want(source("c"), bench.note()).code(), StatusCode::kResourceExhausted);
  ASSERT_TRUE(grammars.want(source("b"), bench.note()).is_ok());
  EXPECT_EQ(grammars.want(source("b"), bench.note()).code(), StatusCode::kResourceExhausted);
  bench.may_end.release(2);
  for (int i = 0; i < 3; ++i) bench.told.acquire();
  ASSERT_TRUE(grammars.want(source("c"), bench.note()).is_ok());
  bench.may_end.release();
  bench.told.acquire();
}

TEST(Grammars, WhoStillWaitsAtTheEndIsNotCalled) {
  Bench bench;
  {
    Grammars grammars(bench.compile());
    ASSERT_TRUE(grammars.want(source("a"), bench.note()).is_ok());
    ASSERT_TRUE(grammars.want(source("b"), bench.note()).is_ok());
    bench.begun.acquire();
    bench.may_end.release(2);
  }
  EXPECT_LE(bench.outcomes.size(), 2u);
}

}  // namespace
}  // namespace quire
