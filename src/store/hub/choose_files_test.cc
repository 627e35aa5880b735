#include "store/hub/choose_files.h"

#include <gtest/gtest.h>

#include "store/hub/python_index.h"

namespace quire::store {
namespace {

std::vector<HubFile> files(const std::vector<std::string>& paths) {
  std::vector<HubFile> made;
  for (const std::string& path : paths) made.push_back({path, 10, {}});
  return made;
}

std::vector<std::string> chosen(const std::vector<std::string>& paths, const std::string& choice) {
  const auto choice_made = choose_files(files(paths), choice);
  if (!choice_made.is_ok()) return {choice_made.status().message()};
  std::vector<std::string> names;
  for (const HubFile& file : choice_made->files) names.push_back(file.path);
  return names;
}

using Paths = std::vector<std::string>;

TEST(ChooseFilesTest, QuantizationsAreReadFromNames) {
  EXPECT_EQ(quantization_of("Qwen3-4B-Q4_K_M.gguf"), "Q4_K_M");
  EXPECT_EQ(quantization_of("sub/model.q8_0.gguf"), "Q8_0");
  EXPECT_EQ(quantization_of("m-IQ2_XXS-00001-of-00003.gguf"), "IQ2_XXS");
  EXPECT_EQ(quantization_of("m-UD-Q4_K_XL.gguf"), "Q4_K_XL");
  EXPECT_EQ(quantization_of("gpt-oss-mxfp4.gguf"), "MXFP4");
  EXPECT_EQ(quantization_of("m-bf16.gguf"), "BF16");
  EXPECT_EQ(quantization_of("m-Q6_K_L.gguf"), "Q6_K_L");
  EXPECT_EQ(quantization_of("m-Q4_0_4_4.gguf"), "Q4_0_4_4");
  EXPECT_EQ(quantization_of("m_q5_k_m.gguf"), "Q5_K_M");
  EXPECT_EQ(quantization_of("My Model (v1) Q8_0.gguf"), "Q8_0");
  EXPECT_EQ(quantization_of("q2-tiny-IQ4_NL.GGUF"), "IQ4_NL");
  EXPECT_EQ(quantization_of("f16games.gguf"), "");
  EXPECT_EQ(quantization_of("model.gguf"), "");
}

TEST(ChooseFilesTest, WithoutAWordTheUsualOneIsTakenAndSaid) {
  const Paths paths = {"m-Q8_0.gguf", "m-Q4_K_M.gguf", "m-Q2_K.gguf", "README.md",
                       "mmproj-m-F16.gguf"};
  EXPECT_EQ(chosen(paths, ""), Paths{"m-Q4_K_M.gguf"});
  const std::string said = choose_files(files(paths), "")->statement;
  EXPECT_EQ(said, "taking Q4_K_M of Q4_K_M, Q8_0, Q2_K; another one: add it behind the name, as in "
                  ":Q2_K");
  EXPECT_EQ(choose_files(files({"m-Q8_0.gguf"}), "")->statement, "");
}

TEST(ChooseFilesTest, AQuantizationOrAFileIsTakenByName) {
  const Paths paths = {"m-Q8_0.gguf", "m-Q4_K_M.gguf", "sub/n-Q4_K_M.gguf"};
  EXPECT_EQ(chosen(paths, "q8_0"), Paths{"m-Q8_0.gguf"});
  EXPECT_EQ(chosen(paths, "sub/n-Q4_K_M.gguf"), Paths{"sub/n-Q4_K_M.gguf"});
  EXPECT_EQ(chosen(paths, "Q5_K_M"), Paths{"there is no 'Q5_K_M' in it; there are Q4_K_M, Q8_0"});
}

// As publishers call them.
TEST(ChooseFilesTest, QuantizationsAreFoundByTheNameInTheFile) {
  const Paths dynamic = {"M-Q4_K_M.gguf", "M-UD-Q4_K_XL.gguf", "M-UD-IQ1_S.gguf"};
  EXPECT_EQ(chosen(dynamic, "Q4_K_XL"), Paths{"M-UD-Q4_K_XL.gguf"});
  EXPECT_EQ(chosen(dynamic, "ud-q4_k_xl"), Paths{"M-UD-Q4_K_XL.gguf"});
  const Paths both = {"M-UD-Q4_K_M.gguf", "M-Q4_K_M.gguf", "M-Q6_K_L.gguf", "M-Q6_K.gguf"};
  EXPECT_EQ(chosen(both, "Q4_K_M"), Paths{"M-Q4_K_M.gguf"});
  EXPECT_EQ(chosen(both, "UD-Q4_K_M"), Paths{"M-UD-Q4_K_M.gguf"});
  EXPECT_EQ(chosen(both, "Q6_K"), Paths{"M-Q6_K.gguf"});
  EXPECT_EQ(chosen(both, "Q6_K_L"), Paths{"M-Q6_K_L.gguf"});
  EXPECT_EQ(chosen({"Q8_0/model.gguf", "Q4_0/model.gguf"}, "Q8_0"), Paths{"Q8_0/model.gguf"});
  EXPECT_EQ(chosen({"M-Q8_0.GGUF"}, ""), Paths{"M-Q8_0.GGUF"});
}

TEST(ChooseFilesTest, WhatIsNoModelIsNeverTaken) {
  const Paths others = {"mmproj-F16.gguf", "M-mmproj-F16.gguf", "imatrix-F16.gguf",
                        "M.imatrix-F16.gguf", "lora-F16.gguf", "M-adapter-F16.gguf"};
  for (const std::string& other : others) {
    EXPECT_EQ(chosen({other, "M-BF16.gguf"}, ""), Paths{"M-BF16.gguf"});
    EXPECT_EQ(chosen({other, "M-BF16.gguf"}, "F16"),
              Paths{"there is no 'F16' in it; there are BF16"});
    EXPECT_EQ(chosen({other, "M-BF16.gguf"}, other),
              Paths{"there is no '" + other + "' in it; there are BF16"});
  }
  EXPECT_EQ(chosen({"M-lora-merged-F16.gguf"}, ""), Paths{"M-lora-merged-F16.gguf"});
}

TEST(ChooseFilesTest, ASplitFileComesWithAllItsParts) {
  const Paths paths = {"q/m-Q8_0-00002-of-00002.gguf", "q/m-Q8_0-00001-of-00002.gguf",
                       "m-F16.gguf"};
  const Paths parts = {"q/m-Q8_0-00001-of-00002.gguf", "q/m-Q8_0-00002-of-00002.gguf"};
  EXPECT_EQ(chosen(paths, ""), parts);
  EXPECT_EQ(chosen(paths, "m-Q8_0-00001-of-00002.gguf"), parts);
}

TEST(ChooseFilesTest, ADirectoryIsItsSafetensorsWithWhatBelongsToThem) {
  EXPECT_EQ(chosen({"config.json", "model-00001-of-00002.safetensors", "tokenizer.json",
                    "model-00002-of-00002.safetensors", "model.safetensors.index.json",
                    "consolidated.safetensors", "pytorch_model.bin", "onnx/model.onnx",
                    "sub/model.safetensors", "chat_template.jinja", "modeling_x.py"}, ""),
            (Paths{"config.json", "model-00001-of-00002.safetensors", "tokenizer.json",
                   "model-00002-of-00002.safetensors", "model.safetensors.index.json",
                   "chat_template.jinja"}));
}

TEST(ChooseFilesTest, ModulesBesideAModelComeWithTheirFolders) {
  const Paths paths = {"config.json", "model.safetensors", "modules.json", "1_Pooling/config.json",
                       "2_Dense/config.json", "2_Dense/model.safetensors",
                       "2_Dense/pytorch_model.bin", "onnx/config.json", "1_Pooling/a/config.json"};
  EXPECT_EQ(chosen(paths, ""),
            (Paths{"config.json", "model.safetensors", "modules.json", "1_Pooling/config.json",
                   "2_Dense/config.json", "2_Dense/model.safetensors"}));
  EXPECT_EQ(chosen({"config.json", "model.safetensors", "1_Pooling/config.json"}, ""),
            (Paths{"config.json", "model.safetensors"}));
}

TEST(ChooseFilesTest, PicklesAreNeverTaken) {
  const Paths refusal = chosen({"config.json", "pytorch_model.bin"}, "");
  ASSERT_EQ(refusal.size(), 1u);
  EXPECT_NE(refusal[0].find("pickles"), std::string::npos);
}

TEST(PythonIndexTest, LinksAreFoundAndResolved) {
  const std::string page = R"(<a href='x-1.0.tar.gz'>x</a>
      <a href="../../files/a&amp;b/x-1.0-py3-none-any.whl#sha256=00">x-1.0</a>)";
  EXPECT_EQ(find_link(page, "http://index.test/simple/x/", "x-1.0-py3-none-any.whl").value(),
            "http://index.test/files/a&b/x-1.0-py3-none-any.whl");
  EXPECT_EQ(find_link(page, "http://index.test/simple/x/", "x-2.whl").status().code(),
            StatusCode::kNotFound);
  EXPECT_FALSE(find_link(R"(<a href="file:///etc/x.whl">)", "http://i.test/", "x.whl").is_ok());
}

}  // namespace
}  // namespace quire::store
