// The lists and the tensors of a GGUF file as clients are shown them.
#include "store/modelfile/gguf_contents.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "formats/testing/gguf_writer.h"

namespace quire::store {
namespace {

TEST(GgufContents, ListsComeWhereTheyAreAskedFor) {
  quire::testing::GgufWriter writer;
  writer.set("general.architecture", "llama")
      .set("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b"})
      .set("tokenizer.ggml.token_type", std::vector<std::int32_t>{1, 3})
      .set("tokenizer.ggml.scores", std::vector<float>{0.5F, -1.0F});
  writer.add_tensor("w", {2, 32}, std::vector<float>(64, 1.0F));
  const std::string path = std::string(::testing::TempDir()) + "/contents.gguf";
  std::ofstream(path) << writer.bytes();
  const auto all = gguf_contents(path, true);
  ASSERT_TRUE(all.is_ok()) << all.status().message();
  const Json lists = Json::object(all->lists);
  EXPECT_EQ(dump(*lists.find("tokenizer.ggml.tokens")), R"(["a","b"])");
  EXPECT_EQ(dump(*lists.find("tokenizer.ggml.token_type")), "[1,3]");
  EXPECT_EQ(dump(*lists.find("tokenizer.ggml.scores")), "[0.5,-1.0]");
  EXPECT_EQ(lists.find("general.architecture"), nullptr);
  EXPECT_EQ(dump(all->tensors), R"([{"name":"w","type":"F32","shape":[32,2]}])");
  const auto few = gguf_contents(path, false);
  ASSERT_TRUE(few.is_ok());
  EXPECT_TRUE(few->lists.empty());
  EXPECT_EQ(few->tensors.items().size(), 1u);
  std::filesystem::remove(path);
  EXPECT_FALSE(gguf_contents(path, true).is_ok());
}

}  // namespace
}  // namespace quire::store
