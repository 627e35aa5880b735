// Adapters become files of the store: a GGUF file, a folder of PEFT, a file of such a folder; what
// is none is refused by its name; and models are made with them.
#include "store/modelfile/adapters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "formats/testing/gguf_writer.h"
#include "formats/testing/temp_folder.h"
#include "formats/testing/tiny_models.h"
#include "store/modelfile/create.h"

namespace quire::store {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using quire::testing::GgufWriter;

std::string gguf_adapter(float first = 0.5F) {
  GgufWriter writer;
  writer.set("general.architecture", "llama").set("general.type", "adapter")
      .set("adapter.type", "lora").set("adapter.lora.alpha", 2.0F);
  writer.add_tensor("blk.0.attn_q.weight.lora_a", {1, 8}, std::vector<float>(8, first));
  writer.add_tensor("blk.0.attn_q.weight.lora_b", {8, 1}, std::vector<float>(8, 1.0F));
  return writer.bytes();
}

class AdaptersTest : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    fs::create_directories(fs::path(folder_.path() + "/" + name).parent_path());
    return folder_.write(name, text);
  }
  std::string write_peft(const std::string& name) {
    write(name + "/adapter_model.safetensors", "pairs of " + name);
    write(name + "/adapter_config.json", "{}");
    write(name + "/tokenizer_config.json", "{}");
    return folder_.path() + "/" + name;
  }
  std::string refusal(const std::string& path) {
    const auto adapter = import_adapter(store_, path);
    if (adapter.is_ok()) return "it was taken";
    EXPECT_THAT(adapter.status().message(), HasSubstr(path));
    return adapter.status().message();
  }
  StoredFile sent(const std::string& name, const std::string& bytes) {
    StoredFile file = import_file(store_, write("sent", bytes), name).value();
    return file;
  }

  quire::testing::TempFolder folder_;
  LocalStore store_{folder_.path() + "/store"};
  const FileLock held_ = store_.hold().value();
};

TEST_F(AdaptersTest, AGgufFileIsOneFileWhateverItIsCalled) {
  const auto named = import_adapter(store_, write("style.gguf", gguf_adapter()));
  ASSERT_TRUE(named.is_ok()) << named.status().message();
  ASSERT_EQ(named->files.size(), 1u);
  EXPECT_EQ(named->files[0].name, "style.gguf");
  EXPECT_TRUE(store_.has_blob(named->files[0].checksum, gguf_adapter().size()));
  const auto blob = import_adapter(store_, write("sha256-0123", gguf_adapter()));
  EXPECT_EQ(blob.value().files[0].name, "adapter.gguf");
  EXPECT_EQ(blob.value().files[0].checksum, named->files[0].checksum);
  write("one/x.gguf", gguf_adapter());
  write("one/README.md", "words");
  EXPECT_EQ(import_adapter(store_, folder_.path() + "/one").value().files[0].name, "x.gguf");
}

TEST_F(AdaptersTest, AFolderOfPeftIsTwoFilesAndItsWeightsMeanIt) {
  const std::string folder = write_peft("lora");
  const auto adapter = import_adapter(store_, folder);
  ASSERT_TRUE(adapter.is_ok()) << adapter.status().message();
  EXPECT_EQ(adapter->files.size(), 2u);
  EXPECT_TRUE(is_whole(*adapter));
  EXPECT_EQ(import_adapter(store_, folder + "/adapter_model.safetensors").value(), *adapter);
  EXPECT_EQ(import_adapter(store_, folder + "/").value(), *adapter);
}

TEST_F(AdaptersTest, WhatIsNoneIsRefusedByName) {
  EXPECT_THAT(refusal(folder_.path() + "/nobody"), HasSubstr("there is no such file or folder"));
  EXPECT_THAT(refusal(write("x.gguf", "words")), HasSubstr("was not in GGUF format"));
  EXPECT_THAT(refusal(write("x.bin", "PK")), HasSubstr("was not in GGUF format"));
  EXPECT_THAT(refusal(write("model.gguf", quire::testing::tiny_gguf().bytes())),
              HasSubstr("general.type is 'model' and not 'adapter'"));
  EXPECT_THAT(refusal(write("w/model.safetensors", "w")),
              HasSubstr("are called adapter_model.safetensors"));
  EXPECT_THAT(refusal(fs::path(write("empty/x.txt", "")).parent_path()),
              HasSubstr("there is no adapter_model.safetensors and no *.gguf"));
  EXPECT_THAT(refusal(fs::path(write("half/adapter_model.safetensors", "")).parent_path()),
              HasSubstr("there is no adapter_config.json"));
  EXPECT_THAT(refusal(fs::path(write("mlx/adapters.safetensors", "")).parent_path()),
              HasSubstr("MLX's form"));
  EXPECT_THAT(refusal(fs::path(write("pickle/adapter_model.bin", "")).parent_path()),
              HasSubstr("pickle"));
  write("two/a.gguf", gguf_adapter());
  EXPECT_THAT(refusal(fs::path(write("two/b.gguf", gguf_adapter())).parent_path()),
              HasSubstr("there are 2 GGUF files"));
}

TEST_F(AdaptersTest, FilesThatWereSentAreOneAdapter) {
  const StoredFile gguf = sent("x.gguf", gguf_adapter());
  const StoredFile config = sent("adapter_config.json", "{}");
  const StoredFile weights = sent("adapter_model.safetensors", "w");
  const StoredFile words = sent("tokenizer_config.json", "{1}");
  EXPECT_EQ(adapter_of_blobs(store_, {gguf}).value().files.size(), 1u);
  EXPECT_EQ(adapter_of_blobs(store_, {sent("lora", gguf_adapter())}).value().files[0].name,
            "adapter.gguf");
  EXPECT_EQ(adapter_of_blobs(store_, {words, weights, config}).value().files.size(), 2u);
  const auto refused = [&](const std::vector<StoredFile>& files) {
    const auto adapter = adapter_of_blobs(store_, files);
    EXPECT_EQ(adapter.status().code(), StatusCode::kInvalidArgument);
    return adapter.status().message();
  };
  EXPECT_EQ(refused({}), "no files provided to convert");
  EXPECT_EQ(refused({gguf, gguf}), "only one adapter is currently supported");
  EXPECT_THAT(refused({config}), HasSubstr("was not in GGUF format"));
  EXPECT_THAT(refused({weights}), HasSubstr("adapter_config.json and adapter_model.safetensors"));
  EXPECT_THAT(refused({weights, weights, config}), HasSubstr("each once"));
  EXPECT_THAT(refused({gguf, weights, config}), HasSubstr("'x.gguf' is not a file of an adapter"));
  EXPECT_THAT(refused({sent("m.gguf", quire::testing::tiny_gguf().bytes())}),
              HasSubstr("general.type is 'model'"));
}

TEST_F(AdaptersTest, AModelIsCheckedWithAllThatItHasAndHandsThemDown) {
  Weights weights = import_weights(store_, write("m.gguf", "GGUF and more")).value();
  weights.adapters.push_back(import_adapter(store_, write("a.gguf", gguf_adapter())).value());
  weights.adapters.push_back(import_adapter(store_, write_peft("lora")).value());
  std::vector<std::string> seen;
  const auto made = create_model(store_, "mario", weights, {},
                                 [&](const std::string& path, const std::vector<std::string>& all) {
                                   EXPECT_TRUE(fs::is_regular_file(path));
                                   EXPECT_TRUE(fs::is_regular_file(all.at(0)));
                                   EXPECT_TRUE(fs::is_directory(all.at(1)));
                                   seen = all;
                                   return ok_status();
                                 });
  ASSERT_TRUE(made.is_ok()) << made.status().message();
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_EQ(made->adapters, weights.adapters);
  const Manifest found = store_.find("mario").value();
  EXPECT_EQ(found.adapters, weights.adapters);
  Weights more{found.files, found.dress, found.source, found.adapters};
  more.adapters.push_back(import_adapter(store_, write("b.gguf", gguf_adapter(2))).value());
  EXPECT_EQ(create_model(store_, "luigi", more, {}, nullptr).value().adapters.size(), 3u);
  more.adapters.resize(9, more.adapters.front());
  EXPECT_EQ(create_model(store_, "many", more, {}, nullptr).status().message(),
            "a model of 9 adapters; at most 8");
  const auto refused = create_model(store_, "bad", weights, {}, [](const auto&, const auto& all) {
    return error(StatusCode::kCorrupt, "{} does not fit", fs::path(all.at(0)).filename().string());
  });
  EXPECT_EQ(refused.status().message(), "a.gguf does not fit");
  EXPECT_FALSE(store_.find("bad").is_ok());
}

}  // namespace
}  // namespace quire::store
