// Vocabularies that a class makes sense of: what is refused, by name, and what is put around a
// text.
#include "formats/words/word_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/testing/temp_folder.h"
#include "formats/words/piece_classes.h"
#include "formats/words/ranked_words.h"

namespace quire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ClassWords words_of(std::string_view tokenizer_config, std::string_view added = "{}") {
  const testing::TempFolder folder;
  folder.write("tokenizer_config.json", tokenizer_config);
  folder.write("added_tokens.json", added);
  return ClassWords::read(folder.path());
}

void expect_refused(const Result<GgufVocabulary>& vocabulary, const std::string& message) {
  ASSERT_FALSE(vocabulary.is_ok()) << message;
  EXPECT_THAT(vocabulary.status().message(), HasSubstr(message));
}

TEST(ClassWordsTest, ComeFromEveryFileThatHasThem) {
  const testing::TempFolder folder;
  folder.write("config.json", R"({"model_type":"bart"})");
  folder.write("special_tokens_map.json", R"({"sep_token":{"content":"</s>"}})");
  folder.write("added_tokens.json", R"({"<new>":7})");
  folder.write("tokenizer_config.json",
               R"({"added_tokens_decoder":{"5":{"content":"<five>","special":true},
                   "x":{"content":"no id"}},"do_lower_case":true})");
  const ClassWords words = ClassWords::read(folder.path());
  EXPECT_EQ(words.name(), "BartTokenizer");
  EXPECT_EQ(words.text("sep_token"), "</s>");
  EXPECT_TRUE(words.flag("do_lower_case", false));
  ASSERT_EQ(words.added().size(), 2u);
  EXPECT_EQ(words.added()[0].text, "<five>");
  EXPECT_EQ(words.added()[1].id, 7u);
  EXPECT_EQ(words_of(R"({"tokenizer_class":"GPT2TokenizerFast"})").name(), "GPT2Tokenizer");
}

TEST(WordFilesTest, AClassThatIsNotKnownIsRefusedByName) {
  const std::string vocab = R"({"a":0,"b":1})";
  const ClassWords clip = words_of(R"({"tokenizer_class":"CLIPTokenizer"})");
  expect_refused(read_vocab_and_merges(vocab, "", clip),
                 "tokenizer_class 'CLIPTokenizer' of a vocab.json is not known; known are");
  expect_refused(read_vocab_list("a\n", words_of(R"({"tokenizer_class":"MPNetTokenizer"})")),
                 "tokenizer_class 'MPNetTokenizer' of a vocab.txt");
}

TEST(WordFilesTest, IdsAreOneEach) {
  const ClassWords words = words_of(R"({"tokenizer_class":"GPT2Tokenizer"})");
  expect_refused(read_vocab_and_merges(R"({"a":0,"b":2})", "", words), "no token has the id 1");
  expect_refused(read_vocab_and_merges(R"({"a":0,"b":0})", "", words), "0 is the id of 'a'");
  expect_refused(read_vocab_and_merges(R"({"a":-1})", "", words), "-1 is not an id");
  expect_refused(read_vocab_and_merges("[]", "", words), "an array, not an object");
  expect_refused(read_vocab_and_merges(R"({"a":0})", "",
                                       words_of(R"({"tokenizer_class":"GPT2Tokenizer"})",
                                                R"({"<new>":5})")),
                 "added token '<new>': id 5, but 1 is the next one");
}

TEST(WordFilesTest, ATextStandsBetweenTheTokensOfItsClass) {
  const std::string vocab = R"({"<s>":0,"</s>":1,"a":2})";
  const auto roberta = read_vocab_and_merges(
      vocab, "#version: 0.2\n", words_of(R"({"tokenizer_class":"RobertaTokenizer"})"));
  ASSERT_TRUE(roberta.is_ok()) << roberta.status().message();
  EXPECT_THAT(roberta->around->before, ElementsAre(0));
  EXPECT_THAT(roberta->around->after, ElementsAre(1));
  EXPECT_THAT(roberta->around->between, ElementsAre(1));
  const auto opt = read_vocab_and_merges(
      vocab, "",
      words_of(R"({"tokenizer_class":"GPT2Tokenizer","add_bos_token":true,"bos_token":"</s>"})"));
  ASSERT_TRUE(opt.is_ok()) << opt.status().message();
  EXPECT_THAT(opt->around->before, ElementsAre(1));
  EXPECT_TRUE(opt->around->after.empty());
}

TEST(RankedWordsTest, LinesAreATokenAndARank) {
  EXPECT_TRUE(is_tiktoken("IQ== 0\nIg== 1\n"));
  EXPECT_FALSE(is_tiktoken("IQ==\n"));
  EXPECT_FALSE(is_tiktoken("IQ= 0\n"));
  const ClassWords words = words_of("{}");
  expect_refused(read_tiktoken("IQ== 0\nIg== one\n", words), "line 2: not a token in base64");
  expect_refused(read_tiktoken("IQ== 0\nIg== 0\n", words), "line 2: rank 0 once more");
  expect_refused(read_tiktoken("IQ== 0\nIg== 9999999999\n", words), "line 2");
  expect_refused(read_tiktoken("IQ== 0\nIg== 1\n", words), "a tiktoken file of 2 tokens");
}

std::string tekken_of(std::string_view config, std::string_view vocab, std::string_view more = "") {
  return R"({"config":{"pattern":"a","default_vocab_size":5,)" + std::string(config) +
         R"("version":"v3"},"vocab":[)" + std::string(vocab) + "]" + std::string(more) + "}";
}

TEST(RankedWordsTest, TekkenHasItsSpecialTokensInFront) {
  const std::string specials = R"("default_num_special_tokens":3,)";
  const std::string vocab = R"({"rank":0,"token_bytes":"YQ=="},{"rank":1,"token_bytes":"IA=="},
                                {"rank":2,"token_bytes":"YSA="})";
  EXPECT_TRUE(is_tekken(tekken_of(specials, vocab)));
  const auto plain = read_tekken(tekken_of(specials, vocab));
  ASSERT_TRUE(plain.is_ok()) << plain.status().message();
  EXPECT_THAT(plain->tokens, ElementsAre("<unk>", "<s>", "</s>", "a", "\u0120"));
  const auto listed = read_tekken(tekken_of(
      specials, vocab, R"(,"special_tokens":[{"rank":1,"token_str":"<begin>"}])"));
  ASSERT_TRUE(listed.is_ok()) << listed.status().message();
  EXPECT_THAT(listed->tokens, ElementsAre("<SPECIAL_0>", "<begin>", "<SPECIAL_2>", "a", "\u0120"));
}

TEST(RankedWordsTest, TekkenNamesTheFieldThatIsWrong) {
  const std::string specials = R"("default_num_special_tokens":3,)";
  expect_refused(read_tekken(tekken_of("", "")), "config.default_num_special_tokens");
  expect_refused(read_tekken(tekken_of(R"("default_num_special_tokens":5,)", "")),
                 "config.default_num_special_tokens: 5 of 5");
  expect_refused(read_tekken(tekken_of(specials, R"({"rank":0,"token_bytes":"YQ=="})")),
                 "vocab: not a list of 2");
  expect_refused(read_tekken(tekken_of(specials, R"({"rank":0,"token_bytes":"!"},{"rank":1})")),
                 "vocab[0]");
  expect_refused(read_tekken(tekken_of(specials, R"({"rank":0,"token_bytes":"YQ=="},
                                                    {"rank":0,"token_bytes":"IA=="})")),
                 "vocab[1]");
  expect_refused(read_tekken(R"({"config":{"default_vocab_size":5}})"), "config.pattern");
}

GgufVocabulary unigram_pieces() {
  GgufVocabulary pieces;
  pieces.model = "t5";
  pieces.tokens = {"<unk>", "<s>", "</s>", "a", "b"};
  pieces.scores = {0, 0, 0, -1, -2};
  pieces.token_types = {2, 3, 3, 1, 1};
  return pieces;
}

TEST(PieceClassesTest, NumberPiecesEachInItsWay) {
  const auto xlm_r = follow_piece_class(
      unigram_pieces(), words_of(R"({"tokenizer_class":"XLMRobertaTokenizerFast"})"), "");
  ASSERT_TRUE(xlm_r.is_ok()) << xlm_r.status().message();
  EXPECT_THAT(xlm_r->tokens,
              ElementsAre("<s>", "<pad>", "</s>", "<unk>", "a", "b", "<mask>"));
  const auto t5 = follow_piece_class(
      unigram_pieces(), words_of(R"({"tokenizer_class":"T5Tokenizer","extra_ids":2})"), "");
  ASSERT_TRUE(t5.is_ok()) << t5.status().message();
  EXPECT_THAT(t5->tokens, ElementsAre("<unk>", "<s>", "</s>", "a", "b", "<extra_id_1>",
                                      "<extra_id_0>"));
  const auto nllb = follow_piece_class(
      unigram_pieces(),
      words_of(R"({"tokenizer_class":"NllbTokenizer","src_lang":"fra_Latn",
                   "additional_special_tokens":["eng_Latn","fra_Latn"]})"), "");
  ASSERT_TRUE(nllb.is_ok()) << nllb.status().message();
  EXPECT_THAT(nllb->tokens, ElementsAre("<s>", "<pad>", "</s>", "<unk>", "a", "b", "eng_Latn",
                                        "fra_Latn", "<mask>"));
  EXPECT_THAT(nllb->around->before, ElementsAre(7));
  EXPECT_THAT(nllb->around->after, ElementsAre(2));
  const auto marian =
      follow_piece_class(unigram_pieces(), words_of(R"({"tokenizer_class":"MarianTokenizer"})"),
                         R"({"</s>":0,"<unk>":1,"b":2,"c":3,"a":4,"<pad>":5})");
  ASSERT_TRUE(marian.is_ok()) << marian.status().message();
  EXPECT_THAT(marian->token_types, ElementsAre(3, 2, 1, 5, 1, 3));
  EXPECT_EQ(marian->unknown, 1u);
}

TEST(PieceClassesTest, WhatIsMissingIsNamed) {
  const auto follow = [](const char* config) {
    return follow_piece_class(unigram_pieces(), words_of(config), "");
  };
  expect_refused(follow(R"({"tokenizer_class":"MarianTokenizer"})"), "no vocab.json");
  expect_refused(follow(R"({"tokenizer_class":"NllbTokenizer"})"), "'eng_Latn' is not among them");
  expect_refused(follow(R"({"tokenizer_class":"AlbertTokenizer"})"),
                 "tokenizer_class 'AlbertTokenizer' of a SentencePiece file is not known");
}

}  // namespace
}  // namespace quire
