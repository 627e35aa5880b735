// Which tokens of a vocabulary are known to end a turn.
#include "text/end_of_turn.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "text/tokenizer_for_tests.h"

namespace quire {
namespace {

// A vocabulary of nothing but these, ids in order.
std::shared_ptr<const Tokenizer> vocabulary_of(const std::vector<const char*>& tokens) {
  std::string vocab;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    vocab += fmt::format("{}\"{}\":{}", i == 0 ? "" : ",", tokens[i], i);
  }
  return tokenizer_of(R"({"version":"1.0","added_tokens":[],"normalizer":null,)"
                      R"("pre_tokenizer":null,"post_processor":null,"decoder":null,)"
                      R"("model":{"type":"BPE","merges":[],"vocab":{)" + vocab + "}}}");
}

using Ids = std::vector<TokenId>;

TEST(EndOfTurn, IsKnownByItsText) {
  EXPECT_EQ(end_of_turn_ids(*vocabulary_of({"a", "<|im_end|>", "<|im_start|>", "<|endoftext|>"})),
            (Ids{1, 3}));
  for (const char* text : {"<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<|end|>",
                           "<|END_OF_TURN_TOKEN|>", "[EOT]",
                           "<\uFF5Cend\u2581of\u2581sentence\uFF5C>"}) {
    EXPECT_EQ(end_of_turn_ids(*vocabulary_of({"a", text})), Ids{1}) << text;
  }
  EXPECT_EQ(end_of_turn_ids(*vocabulary_of({"a", "im_end", "</s>", "<|start|>"})), Ids{});
}

TEST(EndOfTurn, AnEndOfAPartIsNoneWhereThereIsAnEndOfTheWhole) {
  EXPECT_EQ(end_of_turn_ids(*vocabulary_of({"<|end|>", "<|return|>", "<|call|>"})), (Ids{1, 2}));
}

TEST(EndOfTurn, MayBeLimitedToWhatATemplateWrites) {
  const auto vocabulary = vocabulary_of({"<|im_end|>", "<|endoftext|>"});
  EXPECT_EQ(end_of_turn_ids(*vocabulary, "{{ m.content }}<|im_end|>"), Ids{0});
  EXPECT_EQ(end_of_turn_ids(*vocabulary, ""), Ids{});
}

}  // namespace
}  // namespace quire
