// What the operator has said, and what he has not.
#include "serve/intake/wishes/operator_limits.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

std::string refusal(const ClientLimits& limits, const char* body) {
  const auto found = refuse_beyond(limits, *parse_json(body), std::nullopt);
  return found ? found->param + ": " + found->message : "";
}

constexpr const char* kMuch = R"({"stop":["a","b","c","d","e"],"best_of":9,"top_logprobs":20})";

TEST(OperatorLimits, WhatNobodyHasSaidBoundsNobody) {
  EXPECT_EQ(refusal({}, kMuch), "");
  EXPECT_FALSE(refuse_batch({}, 1000).has_value());
  EXPECT_FALSE(refuse_input({}, 1000, "prompt").has_value());
}

TEST(OperatorLimits, WhatHeHasSaidIsToldInTgisWords) {
  EXPECT_EQ(refusal({.stop_sequences_max = 4, .said = {.stop_sequences = true}}, kMuch),
            "stop: `stop` supports up to 4 stop sequences. Given: 5");
  EXPECT_EQ(refusal({.stop_sequences_max = 0, .said = {.stop_sequences = true}}, R"({"stop":"a"})"),
            "stop: `stop` supports up to 0 stop sequences. Given: 1");
  EXPECT_EQ(refusal({.best_of_max = 2, .said = {.best_of = true}}, kMuch),
            "best_of: `best_of` must be > 0 and <= 2. Given: 9");
  EXPECT_EQ(refusal({.top_n_tokens_max = 5, .said = {.top_n_tokens = true}}, kMuch),
            "top_logprobs: `top_logprobs` must be >= 0 and <= 5. Given: 20");
  EXPECT_EQ(refusal({.top_n_tokens_max = 0, .said = {.top_n_tokens = true}}, R"({"logprobs":1})"),
            "logprobs: `logprobs` must be >= 0 and <= 0. Given: 1");
  EXPECT_EQ(refusal({.top_n_tokens_max = 0, .said = {.top_n_tokens = true}},
                    R"({"logprobs":true})"), "");
  const auto batch = refuse_batch({.batch_size_max = 2, .said = {.batch_size = true}}, 3);
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(batch->status, 422);
  EXPECT_EQ(batch->type, "batch size exceeded");
  EXPECT_FALSE(refuse_batch({.batch_size_max = 2, .said = {.batch_size = true}}, 2).has_value());
  EXPECT_EQ(refuse_input({.input_tokens_max = 9}, 10, "prompt")->message,
            "`prompt` must have less than 9 tokens. Given: 10");
  EXPECT_FALSE(refuse_input({.input_tokens_max = 9}, 9, "prompt").has_value());
  const std::optional<AskedGrammar> grammar = any_object("response_format");
  EXPECT_EQ(refuse_beyond({.has_grammars = false}, Json::object(), grammar)->param,
            "response_format");
  EXPECT_FALSE(refuse_beyond({}, Json::object(), grammar).has_value());
}

}  // namespace
}  // namespace quire
