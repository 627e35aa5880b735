#include "text/fill_in_middle.h"

#include <gtest/gtest.h>

#include "text/tokenizer_for_tests.h"

namespace quire {
namespace {

// Bytes, and control tokens from 256 on.
std::shared_ptr<const Tokenizer> with_tokens(const std::vector<std::string>& names) {
  std::string vocab, added;
  for (unsigned byte = 0; byte < 256; ++byte) {
    vocab += fmt::format("{}{}:{}", byte > 0 ? "," : "", quoted(byte_level_symbol(byte)), byte);
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    added += fmt::format(R"({}{{"id":{},"content":"{}","single_word":false,"lstrip":false,)"
                         R"("rstrip":false,"normalized":false,"special":true}})",
                         i > 0 ? "," : "", 256 + i, names[i]);
  }
  return tokenizer_of(fmt::format(
      R"({{"version":"1.0","added_tokens":[{}],"normalizer":null,"post_processor":null,)"
      R"("pre_tokenizer":{{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,)"
      R"("use_regex":true}},"decoder":{{"type":"ByteLevel","add_prefix_space":false,)"
      R"("trim_offsets":true}},"model":{{"type":"BPE","vocab":{{{}}},"merges":[]}}}})",
      added, vocab));
}

TEST(FillInMiddle, NotEveryVocabularyHasTheTokens) {
  EXPECT_FALSE(find_gap_tokens(*byte_level_tokenizer()).has_value());
  EXPECT_FALSE(find_gap_tokens(*with_tokens({"<fim_prefix>", "<fim_suffix>"})).has_value());
}

TEST(FillInMiddle, PrefixSuffixMiddle) {
  const auto tokenizer =
      with_tokens({"<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<file_sep>"});
  const auto tokens = find_gap_tokens(*tokenizer);
  ASSERT_TRUE(tokens.has_value());
  EXPECT_EQ(tokens->ends, std::vector<TokenId>{259});
  EXPECT_EQ(encode_gap(*tokenizer, *tokens, "a", "<fim_middle>").value(),
            (std::vector<TokenId>{256, 'a', 258, '<', 'f', 'i', 'm', '_', 'm', 'i', 'd', 'd', 'l',
                                  'e', '>', 257}))
      << "what is written in the texts stays letters";
}

TEST(FillInMiddle, TheSuffixFirstWhereThereIsNoMiddle) {
  const auto tokenizer = with_tokens({"[PREFIX]", "[SUFFIX]"});
  const auto tokens = find_gap_tokens(*tokenizer);
  ASSERT_TRUE(tokens.has_value());
  EXPECT_EQ(encode_gap(*tokenizer, *tokens, "a", "b").value(),
            (std::vector<TokenId>{257, 'b', 256, 'a'}));
}

}  // namespace
}  // namespace quire
