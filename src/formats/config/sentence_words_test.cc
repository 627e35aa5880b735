// What an embedder's or a classifier's files say to who asks them for vectors, and what is refused.
#include "formats/config/sentence_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/testing/temp_folder.h"

namespace quire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using testing::TempFolder;

struct Files {
  const char* lengths = "{}";
  const char* prompts = "{}";
  const char* config = "{}";
  bool leaves_prompts_out = false;
};

Result<Words> read(const Files& files) {
  const TempFolder folder;
  folder.write("sentence_bert_config.json", files.lengths);
  folder.write("config_sentence_transformers.json", files.prompts);
  Words words;
  const Status status = read_sentence_words(folder.path(), parse_json(files.config).value(),
                                            files.leaves_prompts_out, words);
  if (!status.is_ok()) return status;
  return words;
}

std::string refusal(const Files& files) {
  const auto words = read(files);
  return words.is_ok() ? std::string("read") : words.status().message();
}

TEST(SentenceWordsTest, NothingIsSaidWithoutFiles) {
  const TempFolder folder;
  Words words;
  ASSERT_TRUE(read_sentence_words(folder.path(), Json::object(), false, words).is_ok());
  EXPECT_EQ(words.pooled.tokens_max, 0);
  EXPECT_TRUE(words.pooled.prompts.empty());
  EXPECT_FALSE(words.pooled.is_matryoshka);
}

TEST(SentenceWordsTest, LengthsAndPrompts) {
  const auto words = read({.lengths = R"({"max_seq_length":256,"do_lower_case":false})",
                           .prompts = R"({"prompts":{"query":"q: ","document":""},
"default_prompt_name":"query","similarity_fn_name":"cosine"})"});
  ASSERT_TRUE(words.is_ok()) << words.status().message();
  EXPECT_EQ(words->pooled.tokens_max, 256);
  EXPECT_THAT(words->pooled.prompts, ElementsAre(Pair("query", "q: "), Pair("document", "")));
  EXPECT_EQ(words->pooled.default_prompt, "query");
  EXPECT_TRUE(words->warnings.empty());
}

TEST(SentenceWordsTest, WhatWeDoNotDoIsAWarning) {
  const auto words = read({.lengths = R"({"do_lower_case":true})",
                           .prompts = R"({"prompts":{"query":"q: "}})",
                           .leaves_prompts_out = true});
  ASSERT_TRUE(words.is_ok());
  EXPECT_TRUE(words->pooled.prompts.empty());
  EXPECT_THAT(words->warnings, ElementsAre(HasSubstr("do_lower_case"), HasSubstr("prompts")));
}

TEST(SentenceWordsTest, LabelsAndWhatScoresMean) {
  const auto words = read({.config = R"({"id2label":{"1":"good","0":"bad","2":7},
"matryoshka_dimensions":[64,128],"problem_type":"multi_label_classification",
"sbert_ce_default_activation_function":"torch.nn.modules.linear.Identity"})"});
  ASSERT_TRUE(words.is_ok()) << words.status().message();
  EXPECT_THAT(words->pooled.labels, ElementsAre("bad", "good", "LABEL_2"));
  EXPECT_THAT(words->pooled.dimensions, ElementsAre(64, 128));
  EXPECT_TRUE(words->pooled.is_matryoshka);
  EXPECT_EQ(words->pooled.problem, "multi_label_classification");
  EXPECT_EQ(words->pooled.activation, "torch.nn.modules.linear.Identity");
  const auto newer = read({.config = R"({"sentence_transformers":{"version":"5",
"activation_fn":"torch.nn.modules.activation.Sigmoid"}})"});
  EXPECT_EQ(newer->pooled.activation, "torch.nn.modules.activation.Sigmoid");
}

TEST(SentenceWordsTest, WhatIsDamagedIsRefusedByFileAndField) {
  EXPECT_THAT(refusal({.lengths = "["}), HasSubstr("'sentence_bert_config.json'"));
  EXPECT_THAT(refusal({.lengths = R"({"max_seq_length":0})"}), HasSubstr("max_seq_length"));
  EXPECT_THAT(refusal({.prompts = R"({"prompts":[]})"}), HasSubstr("prompts in"));
  EXPECT_THAT(refusal({.prompts = R"({"prompts":{"a":1}})"}), HasSubstr("'a' is no text"));
  EXPECT_THAT(refusal({.prompts = R"({"prompts":{"a":""},"default_prompt_name":"b"})"}),
              HasSubstr("default_prompt_name"));
  EXPECT_THAT(refusal({.config = R"({"matryoshka_dimensions":[0]})"}),
              HasSubstr("matryoshka_dimensions"));
}

}  // namespace
}  // namespace quire
