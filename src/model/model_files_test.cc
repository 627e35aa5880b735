// open_model and describe_model over all kinds of model files: tiny ones made here, real ones where
// they are.
#include "model/model_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "formats/testing/temp_folder.h"
#include "formats/testing/tiny_models.h"
#include "model/describe.h"

namespace quire {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::TempFolder;

std::string shared(const std::string& path) {
  return std::string(QUIRE_SOURCE_DIR) + "/../shared/" + path;
}

std::string refusal(const std::string& path) {
  const auto model = open_model(path);
  return model.is_ok() ? "accepted" : model.status().message();
}

// A line of what `quire show` says of the architecture's own.
std::string note(const ModelFiles& files, std::string_view name) {
  for (const auto& [key, text] : files.facts().notes) {
    if (key == name) return text;
  }
  return "none";
}

void expect_tiny(const ModelFiles& files) {
  const ModelFacts& facts = files.facts();
  EXPECT_EQ(facts.architecture, "llama");
  EXPECT_EQ(facts.layers, 1);
  ASSERT_EQ(facts.groups.size(), 1u);
  EXPECT_THAT(facts.groups[0].layers, ElementsAre(0));
  EXPECT_EQ(facts.groups[0].k_width, 4);
  EXPECT_EQ(facts.groups[0].v_width, 4);
  EXPECT_EQ(facts.groups[0].kv_heads, 1);
  EXPECT_EQ(facts.vocab, 8);
  EXPECT_EQ(facts.context_max, 32);
  EXPECT_TRUE(facts.has_tied_head);
  EXPECT_EQ(facts.words.bos_id, 1);
  EXPECT_THAT(facts.words.eos_ids, ElementsAre(2));
  EXPECT_EQ(facts.parameters, 664u);
  EXPECT_EQ(facts.weight_bytes, 4 * 664u);
  EXPECT_EQ(facts.weight_types, "F32 11");
  const auto down = files.find("layers.0.down");
  ASSERT_TRUE(down.is_ok());
  EXPECT_THAT(down->shape, ElementsAre(8, 16));
  EXPECT_FLOAT_EQ(reinterpret_cast<const float*>(down->data)[6], 0.03f);
  EXPECT_THAT(files.find("head").status().message(), HasSubstr("'head'"));
}

// --- GGUF ---

class GgufModelTest : public ::testing::Test {
 protected:
  std::string write(const GgufWriter& writer) { return folder_.write("tiny.gguf", writer.bytes()); }
  TempFolder folder_;
};

TEST_F(GgufModelTest, OpensAndIsDescribed) {
  const std::string path = write(testing::tiny_gguf());
  const auto model = open_model(path);
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  expect_tiny(**model);
  EXPECT_THAT(note(**model, "rope"), HasSubstr("adjacent pairs"));
  EXPECT_EQ((*model)->facts().words.bos_text, "<s>");
  EXPECT_TRUE((*model)->tokenizer_json().is_ok());
  const auto text = describe_model(path);
  ASSERT_TRUE(text.is_ok()) << text.status().message();
  EXPECT_THAT(*text, AllOf(HasSubstr("GGUF version 3"), HasSubstr("blk.0.ffn_down.weight"),
                           HasSubstr("[8, 16]"), HasSubstr("chat template no")));
}

TEST_F(GgufModelTest, TheKindIsToldByContent) {
  const std::string path = folder_.write("model.bin", testing::tiny_gguf().bytes());
  EXPECT_TRUE(open_model(path).is_ok());
}

TEST_F(GgufModelTest, QwenHasHalfSplitPairsBiasesAndNorms) {
  GgufWriter qwen2 = testing::tiny_gguf("qwen2");
  EXPECT_THAT(refusal(write(qwen2)), HasSubstr("'blk.0.attn_q.bias': missing"));
  qwen2.add_tensor("blk.0.attn_q.bias", {8}, testing::tiny_weights(8));
  qwen2.add_tensor("blk.0.attn_k.bias", {4}, testing::tiny_weights(4));
  qwen2.add_tensor("blk.0.attn_v.bias", {4}, testing::tiny_weights(4));
  auto model = open_model(write(qwen2));
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  EXPECT_THAT(note(**model, "rope"), HasSubstr("half-split pairs"));
  EXPECT_THAT(note(**model, "heads"), HasSubstr("with biases"));
  EXPECT_TRUE((*model)->find("layers.0.k_bias").is_ok());

  GgufWriter qwen3 = testing::tiny_gguf("qwen3");
  qwen3.add_tensor("blk.0.attn_q_norm.weight", {4}, testing::tiny_weights(4));
  qwen3.add_tensor("blk.0.attn_k_norm.weight", {4}, testing::tiny_weights(4));
  model = open_model(write(qwen3));
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  EXPECT_THAT(note(**model, "heads"), HasSubstr("with norms"));
  EXPECT_TRUE((*model)->find("layers.0.k_norm").is_ok());
}

TEST_F(GgufModelTest, AHeadOfItsOwnIsFound) {
  GgufWriter writer = testing::tiny_gguf();
  writer.add_tensor("output.weight", {8, 8}, testing::tiny_weights(64));
  const auto model = open_model(write(writer));
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  EXPECT_FALSE((*model)->facts().has_tied_head);
  EXPECT_TRUE((*model)->find("head").is_ok());
}

TEST_F(GgufModelTest, FrequencyFactorsAndScalingAreRead) {
  GgufWriter writer = testing::tiny_gguf();
  writer.set("llama.rope.scaling.type", "linear").set("llama.rope.scaling.factor", 4.0f);
  writer.set("llama.rope.freq_base", 500000.0f);
  writer.add_tensor("rope_freqs.weight", {2}, {1, 8});
  const auto model = open_model(write(writer));
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  EXPECT_EQ(note(**model, "rope"),
            "theta 500000, adjacent pairs, linear scaling 4, factors per frequency");
  // A factor without a type is linear, as llama.cpp has it.
  GgufWriter untyped = testing::tiny_gguf();
  untyped.set("llama.rope.scaling.factor", 4.0f);
  const auto scaled = open_model(write(untyped));
  ASSERT_TRUE(scaled.is_ok()) << scaled.status().message();
  EXPECT_NE(note(**scaled, "rope").find("linear scaling 4"), std::string::npos);
}

TEST_F(GgufModelTest, WhatWeCannotDoIsRefusedByName) {
  const auto refused = [&](const GgufWriter& writer) { return refusal(write(writer)); };
  EXPECT_THAT(refused(testing::tiny_gguf().set("llama.rope.scaling.type", "longrope")),
              HasSubstr("'longrope' is not supported"));
  EXPECT_THAT(refused(testing::tiny_gguf().set("llama.expert_count", 8u)),
              HasSubstr("llama.expert_used_count in the metadata"));
  EXPECT_THAT(refused(testing::tiny_gguf().set("llama.attention.value_length", 2u)),
              HasSubstr("value_length"));
  EXPECT_THAT(refused(testing::tiny_gguf().set("general.type", "adapter")),
              HasSubstr("'adapter' is not a model"));
  EXPECT_THAT(refused(testing::tiny_gguf("zebra")),
              AllOf(HasSubstr("'zebra' is not known"), HasSubstr("llama, mistral, qwen2, qwen3")));
  EXPECT_THAT(refused(testing::tiny_gguf().add_tensor("blk.0.attn_sinks.weight", {1}, {0})),
              HasSubstr("llama has no such tensor"));
  EXPECT_THAT(refused(testing::tiny_gguf().add_tensor("rope_freqs.weight", {2}, {1, 0})),
              HasSubstr("rope frequency factors"));
}

TEST_F(GgufModelTest, AVocabularyIsShownButNotLoaded) {
  const std::string path = write(testing::tiny_gguf_metadata());
  EXPECT_THAT(refusal(path), HasSubstr("a vocabulary without weights"));
  const auto text = describe_model(path);
  ASSERT_TRUE(text.is_ok()) << text.status().message();
  EXPECT_THAT(*text,
              AllOf(HasSubstr("a vocabulary without weights"), HasSubstr("tokenizer     yes")));
}

TEST_F(GgufModelTest, AnUnknownArchitectureIsShownButNotLoaded) {
  const auto text = describe_model(write(testing::tiny_gguf("zebra")));
  ASSERT_TRUE(text.is_ok()) << text.status().message();
  EXPECT_THAT(*text, AllOf(HasSubstr("'zebra' is not known"), HasSubstr("blk.0.attn_q.weight")));
}

TEST_F(GgufModelTest, SmolLm2) {
  std::string path;
  if (const char* given = std::getenv("QUIRE_SMOLLM2")) {
    path = given;
  } else {
    const char* home = std::getenv("QUIRE_HOME");
    const char* user = std::getenv("HOME");
    path = home ? home : std::string(user ? user : "") + "/.local/share/quire";
    path += "/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
  }
  if (!fs::exists(path)) GTEST_SKIP() << path << " is not here";
  const auto model = open_model(path);
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  const ModelFacts& facts = (*model)->facts();
  EXPECT_EQ(facts.layers, 30);
  EXPECT_EQ(facts.groups[0].heads, 9);
  EXPECT_EQ(facts.groups[0].kv_heads, 3);
  EXPECT_EQ(facts.vocab, 49152);
  EXPECT_THAT(note(**model, "rope"), HasSubstr("theta 100000"));
  EXPECT_EQ(facts.words.eos_text, "<|im_end|>");
  EXPECT_FALSE(facts.words.add_bos);
  EXPECT_EQ(facts.weight_types, "Q4_1 210, F32 61, Q8_0 1");
  EXPECT_THAT(facts.words.chat_template, HasSubstr("<|im_start|>"));
  EXPECT_TRUE((*model)->tokenizer_json().is_ok());
}

// --- Hugging Face directories ---

class DirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.write("config.json", testing::tiny_hf_config());
    folder_.write("model.safetensors", testing::tiny_safetensors(testing::tiny_tensors()));
  }
  TempFolder folder_;
};

TEST_F(DirectoryTest, OpensAndIsDescribed) {
  folder_.write("tokenizer.json", "{}");
  const auto model = open_model(folder_.path());
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  expect_tiny(**model);
  EXPECT_THAT(note(**model, "rope"), HasSubstr("half-split pairs"));
  EXPECT_EQ(*(*model)->tokenizer_json(), "{}");
  EXPECT_TRUE(open_model(folder_.path() + "/").is_ok());
  EXPECT_TRUE(open_model(folder_.path() + "/model.safetensors").is_ok());
  const auto text = describe_model(folder_.path());
  ASSERT_TRUE(text.is_ok()) << text.status().message();
  EXPECT_THAT(*text, HasSubstr("model.layers.0.mlp.down_proj.weight"));
}

// A text model in one of several kinds: its configuration and tensors lie one level deeper.
TEST_F(DirectoryTest, ATextModelInsideAnotherIsFound) {
  const std::string text = testing::tiny_hf_config();
  folder_.write("config.json",
                R"({"architectures":["LlamaForCausalLM"],"model_type":"several","vision_config":
{"hidden_size":3},"image_token_index":7,"tie_word_embeddings":true,"text_config":)" + text + "}");
  for (const std::string prefix : {"language_model.", "model.language_model."}) {
    std::vector<std::string> names;
    for (const auto& tensor : testing::tiny_tensors()) {
      const std::string name = tensor.hugging_face;
      names.push_back(prefix + (prefix == "language_model." ? name : name.substr(6)));
    }
    auto tensors = testing::tiny_tensors();
    for (std::size_t i = 0; i < names.size(); ++i) tensors[i].hugging_face = names[i].c_str();
    tensors.push_back({"", "vision_tower.patch.weight", {3}});
    folder_.write("model.safetensors", testing::tiny_safetensors(tensors));
    const auto model = open_model(folder_.path());
    ASSERT_TRUE(model.is_ok()) << model.status().message();
    expect_tiny(**model);
    EXPECT_THAT((*model)->left_out(), ElementsAre("vision_tower.patch.weight"));
    EXPECT_THAT(*describe_model(folder_.path()), HasSubstr("vision_tower.patch.weight"));
  }
}

// What changes nothing may be there; what asks for nothing, too.
TEST_F(DirectoryTest, AnOptionThatNobodyKnowsIsRefusedByName) {
  Json config = *parse_json(testing::tiny_hf_config());
  config.set("sparkle_factor", 2);
  folder_.write("config.json", dump(config));
  EXPECT_THAT(refusal(folder_.path()),
              HasSubstr("sparkle_factor in config.json: 2 is an option that"));
  config.set("sparkle_factor", false);
  config.set("attention_dropout", 0.5);
  folder_.write("config.json", dump(config));
  EXPECT_EQ(refusal(folder_.path()), "accepted");
}

TEST_F(DirectoryTest, ShardsAreOneModel) {
  fs::remove(folder_.path() + "/model.safetensors");
  EXPECT_THAT(refusal(folder_.path()), HasSubstr("neither model.safetensors nor"));
  auto tensors = testing::tiny_tensors();
  const std::vector<testing::TinyTensor> first(tensors.begin(), tensors.begin() + 5);
  const std::vector<testing::TinyTensor> second(tensors.begin() + 5, tensors.end());
  std::string map;
  for (const auto& tensor : first) map += fmt::format(R"("{}":"1.st",)", tensor.hugging_face);
  for (const auto& tensor : second) map += fmt::format(R"("{}":"2.st",)", tensor.hugging_face);
  map.pop_back();
  folder_.write("1.st", testing::tiny_safetensors(first));
  folder_.write("2.st", testing::tiny_safetensors(second));
  folder_.write("model.safetensors.index.json", "{\"weight_map\":{" + map + "}}");
  const auto model = open_model(folder_.path());
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  expect_tiny(**model);
}

TEST_F(DirectoryTest, TensorsMustFitTheArchitecture) {
  auto tensors = testing::tiny_tensors();
  tensors.push_back({"", "model.layers.0.self_attn.o_proj.bias", {8}});
  folder_.write("model.safetensors", testing::tiny_safetensors(tensors));
  EXPECT_THAT(refusal(folder_.path()), HasSubstr("llama has no such tensor"));
  tensors.pop_back();
  tensors[2].shape = {8, 4};
  folder_.write("model.safetensors", testing::tiny_safetensors(tensors));
  EXPECT_THAT(refusal(folder_.path()),
              HasSubstr("shape [8, 4], but the configuration says [8, 8]"));
  tensors.erase(tensors.begin() + 2);
  folder_.write("model.safetensors", testing::tiny_safetensors(tensors));
  EXPECT_THAT(refusal(folder_.path()), HasSubstr("q_proj.weight': missing"));
}

TEST_F(DirectoryTest, ATokenizerIsNeededOrNamed) {
  const auto model = open_model(folder_.path());
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  EXPECT_THAT((*model)->tokenizer_json().status().message(), HasSubstr("--tokenizer"));
  const std::string vocabulary =
      folder_.write("vocabulary.gguf", testing::tiny_gguf_metadata().bytes());
  const auto named = open_model(folder_.path(), vocabulary);
  ASSERT_TRUE(named.is_ok());
  const auto json = (*named)->tokenizer_json();
  ASSERT_TRUE(json.is_ok()) << json.status().message();
  EXPECT_THAT(*json, HasSubstr("\"ab\""));
}

TEST_F(DirectoryTest, PicklesAreNeverRead) {
  const std::string path = folder_.write("pytorch_model.bin", "PK\x03\x04 and so on");
  EXPECT_THAT(refusal(path), HasSubstr("pickle"));
  fs::remove(folder_.path() + "/model.safetensors");
  EXPECT_THAT(refusal(folder_.path()), HasSubstr("pickle"));
}

TEST_F(DirectoryTest, TinyStories) {
  const std::string path = shared("models/tinystories-656K");
  if (!fs::exists(path)) GTEST_SKIP() << path << " is not here";
  const auto model = open_model(path);
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  EXPECT_EQ((*model)->facts().layers, 2);
  EXPECT_EQ((*model)->facts().words.bos_text, "<|start_story|>");
  EXPECT_EQ((*model)->find("embed")->name, "lm_head.weight");
  EXPECT_TRUE((*model)->tokenizer_json().is_ok());
}

// --- llama2.c ---

std::string llama2c_bytes(int vocab, int head_floats) {
  const std::int32_t header[] = {8, 16, 1, 2, 1, vocab, 4};
  std::string bytes(reinterpret_cast<const char*>(header), sizeof(header));
  const std::size_t floats = 664 + 2 * 4 * 2 + head_floats;
  bytes.resize(bytes.size() + floats * sizeof(float));
  return bytes;
}

TEST(Llama2cModelTest, SizesMustBeExact) {
  TempFolder folder;
  const std::string path = folder.write("tiny.bin", llama2c_bytes(8, 0));
  const auto model = open_model(path);
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  EXPECT_TRUE((*model)->facts().has_tied_head);
  EXPECT_EQ((*model)->facts().parameters, 664u);
  EXPECT_THAT((*model)->tokenizer_json().status().message(), HasSubstr("--tokenizer"));
  const auto untied = open_model(folder.write("untied.bin", llama2c_bytes(-8, 64)));
  ASSERT_TRUE(untied.is_ok()) << untied.status().message();
  EXPECT_TRUE((*untied)->find("head").is_ok());
  EXPECT_THAT(refusal(folder.write("short.bin", llama2c_bytes(-8, 63))), HasSubstr("but it has"));
  EXPECT_THAT(refusal(folder.write("long.bin", llama2c_bytes(8, 1))), HasSubstr("but it has"));
  EXPECT_THAT(refusal(folder.write("zero.bin", std::string(64, '\0'))), HasSubstr("magic"));
}

TEST(Llama2cModelTest, Stories) {
  const std::string folder = shared("models/stories260K/");
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not here";
  const auto model = open_model(folder + "stories260K.bin", folder + "tok512.bin");
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  EXPECT_EQ((*model)->facts().width, 64);
  EXPECT_EQ((*model)->find("layers.0.down")->columns(), 172u);
  EXPECT_EQ((*model)->facts().vocab, 512);
  EXPECT_TRUE((*model)->facts().has_tied_head);
  EXPECT_THAT(note(**model, "rope"), HasSubstr("adjacent pairs"));
  EXPECT_TRUE((*model)->tokenizer_json().is_ok());
  EXPECT_TRUE(describe_model(folder + "stories260K.bin").is_ok());
}

}  // namespace
}  // namespace quire
