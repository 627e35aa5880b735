// What sentence-transformers writes beside a model, read and refused: every refusal names its file
// and what was found there, and no path leads out of the folder.
#include "formats/config/sentence_modules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/testing/temp_folder.h"

namespace quire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempFolder;

constexpr const char* kList = R"([
  {"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},
  {"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"},
  {"idx":2,"name":"2","path":"2_Dense","type":"sentence_transformers.models.Dense"},
  {"idx":3,"name":"3","path":"3_Normalize","type":"sentence_transformers.models.Normalize"}])";
constexpr const char* kMean =
    R"({"word_embedding_dimension":72,"pooling_mode_cls_token":false,
"pooling_mode_mean_tokens":true,"pooling_mode_max_tokens":false})";
constexpr const char* kDense =
    R"({"in_features":72,"out_features":40,"bias":true,
"activation_function":"torch.nn.modules.activation.Tanh"})";

Result<Json> read(const char* list, const char* pooling) {
  const TempFolder folder;
  folder.write("modules.json", list);
  folder.write("1_Pooling/config.json", pooling);
  folder.write("2_Dense/config.json", kDense);
  return read_sentence_modules(folder.path());
}

TEST(SentenceModulesTest, BecomeOneObject) {
  const TempFolder empty;
  EXPECT_TRUE(read_sentence_modules(empty.path())->is_null());
  const auto modules = read(kList, kMean);
  ASSERT_TRUE(modules.is_ok()) << modules.status().message();
  EXPECT_EQ(modules->find("pooling")->as_string(), "mean");
  EXPECT_TRUE(modules->find("is_normalised")->as_bool());
  EXPECT_EQ(modules->find("dense_0")->find("out_features")->as_int(), 40);
  EXPECT_THAT(dense_folders(*modules), ElementsAre("2_Dense"));
  const auto newer = read(kList, R"({"embedding_dimension":72,"pooling_mode":"lasttoken"})");
  ASSERT_TRUE(newer.is_ok()) << newer.status().message();
  EXPECT_EQ(newer->find("pooling")->as_string(), "lasttoken");
}

TEST(SentenceModulesTest, AreRefusedByFileAndName) {
  const auto refusal = [](const char* list, const char* pooling) {
    const auto modules = read(list, pooling);
    return modules.is_ok() ? std::string("read") : std::string(modules.status().message());
  };
  EXPECT_THAT(refusal(kList, R"({"pooling_mode_max_tokens":true})"),
              HasSubstr("'1_Pooling/config.json': pooling by 'max' is not supported"));
  EXPECT_THAT(refusal(kList, R"({"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":true})"),
              HasSubstr("2 ways of pooling are asked for, not one"));
  EXPECT_THAT(refusal(kList, "{}"), HasSubstr("0 ways of pooling"));
  EXPECT_THAT(refusal(kList, "{"), HasSubstr("'1_Pooling/config.json'"));
  EXPECT_THAT(refusal("{}", kMean), HasSubstr("'modules.json': it is no list"));
  EXPECT_THAT(refusal(R"([{"path":"1_CNN","type":"sentence_transformers.models.CNN"}])", kMean),
              HasSubstr("a module 'sentence_transformers.models.CNN' in '1_CNN'"));
  for (const char* path : {"..", "../x", "a/b", "/etc", ".hidden", ""}) {
    const std::string list =
        std::string(R"([{"type":"sentence_transformers.models.Dense","path":")") + path + R"("}])";
    EXPECT_THAT(refusal(list.c_str(), kMean), HasSubstr("is no name of a folder here")) << path;
  }
}

}  // namespace
}  // namespace quire
