// A model with modules of sentence-transformers beside it whose folders do not fit: it is refused
// with the folder's name, never pooled some other way in silence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "model/model_files.h"
#include "tiny_checkpoint.h"

namespace quire {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;

class ModulesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const testing::TinyFixture fixture = testing::read_tiny("bert_dense");
    testing::write_tiny_checkpoint(fixture, fixture.spellings.front(), DType::kF32, folder_);
  }

  std::string refusal() const {
    const auto files = open_model(folder_.path());
    return files.is_ok() ? "" : std::string(files.status().message());
  }

  TempFolder folder_;
};

TEST_F(ModulesTest, ADenseModuleWithoutWeightsIsRefused) {
  EXPECT_EQ(refusal(), "");
  std::filesystem::remove(folder_.path() + "/2_Dense/model.safetensors");
  EXPECT_THAT(refusal(), HasSubstr("2_Dense/model.safetensors"));
}

TEST_F(ModulesTest, ADenseModuleOfAnotherSizeOrActivationIsRefused) {
  folder_.write("2_Dense/config.json", R"({"in_features":72,"out_features":41,"bias":true})");
  EXPECT_THAT(refusal(), HasSubstr("2_Dense.linear"));
  folder_.write("2_Dense/config.json", R"({"in_features":72,"out_features":40,"bias":false})");
  EXPECT_THAT(refusal(), HasSubstr("2_Dense.linear.bias"));
  folder_.write("2_Dense/config.json",
                R"({"in_features":72,"out_features":40,"bias":true,
"activation_function":"torch.nn.modules.activation.Mish"})");
  EXPECT_THAT(refusal(), HasSubstr("torch.nn.modules.activation.Mish"));
}

TEST_F(ModulesTest, APoolingModuleThatIsNotThereIsRefused) {
  std::filesystem::remove(folder_.path() + "/1_Pooling/config.json");
  EXPECT_THAT(refusal(), HasSubstr("1_Pooling/config.json"));
}

}  // namespace
}  // namespace quire
