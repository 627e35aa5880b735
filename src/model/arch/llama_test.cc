// What config.json and its neighbours may say: each row changes one field of a valid configuration.
#include "model/arch/llama.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.h"
#include "formats/config/hf_config.h"
#include "formats/quant/quant_methods.h"
#include "formats/testing/temp_folder.h"
#include "formats/testing/tiny_models.h"
#include "model/registry.h"

namespace quire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempFolder;

// What the directory's configuration comes to.
struct Read {
  DecoderConfig config;
  Words words;

  int window() const { return *std::max_element(config.windows.begin(), config.windows.end()); }
};

class HfConfigTest : public ::testing::Test {
 protected:
  void SetUp() override { config_ = *parse_json(testing::tiny_hf_config()); }

  // Reads the configuration with one field changed to the value of a JSON text.
  Result<Read> read_with(const std::string& key, const std::string& value) {
    Json changed = config_;
    changed.set(key, *parse_json(value));
    folder_.write("config.json", dump(changed));
    QUIRE_ASSIGN_OR_RETURN(const HfConfig hf, read_hf_config(folder_.path()));
    QUIRE_RETURN_IF_ERROR(read_quantization(*hf.root, folder_.path()).status());
    Checkpoint checkpoint;
    checkpoint.architecture = hf.architecture;
    checkpoint.architecture_place = "model_type in config.json";
    checkpoint.classes = hf.classes;
    checkpoint.vocab = hf.vocab;
    checkpoint.words = hf.words;
    checkpoint.fields = hf.fields(nullptr);
    QUIRE_RETURN_IF_ERROR(design_of_checkpoint(checkpoint).status());
    const bool is_mistral = hf.architecture == "mistral";
    const LlamaTraits traits = {.has_window_switch = hf.architecture.starts_with("qwen"),
                                .window_default = is_mistral ? 4096 : 0};
    return Read{read_llama(hf.fields(nullptr), hf.vocab, traits), hf.words};
  }
  std::string refusal(const std::string& key, const std::string& value) {
    const auto config = read_with(key, value);
    return config.is_ok() ? "accepted" : config.status().message();
  }

  TempFolder folder_;
  Json config_;
};

TEST_F(HfConfigTest, RefusesValuesOutOfRange) {
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"hidden_size", "0"},
           {"hidden_size", "-8"},
           {"hidden_size", "8.5"},
           {"hidden_size", "\"8\""},
           {"hidden_size", "4294967296"},
           {"intermediate_size", "null"},
           {"num_hidden_layers", "1025"},
           {"num_attention_heads", "0"},
           {"num_attention_heads", "3"},
           {"head_dim", "3"},
           {"vocab_size", "1048577"},
           {"vocab_size", "[8]"},
           {"max_position_embeddings", "0"},
           {"rms_norm_eps", "0"},
           {"rms_norm_eps", "1e300"},
           {"rope_theta", "-1"},
           {"eos_token_id", "8"},
           {"eos_token_id", "[2, -1]"},
           {"bos_token_id", "\"<s>\""},
       }) {
    const std::string message = refusal(key, value);
    EXPECT_THAT(message, ::testing::AnyOf(HasSubstr(key), HasSubstr("odd"))) << key << " " << value;
  }
  EXPECT_THAT(refusal("num_key_value_heads", "3"), HasSubstr("cannot share"));
}

TEST_F(HfConfigTest, RefusesWhatWeDoNotComputeByName) {
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"attn_logit_softcapping", "50.0"},
           {"final_logit_softcapping", "30.0"},
           {"hidden_act", "\"gelu\""},
           {"num_local_experts", "8"},
           {"partial_rotary_factor", "0.5"},
           {"quantization_config", R"({"quant_method":"aqlm"})"},
           {"architectures", R"(["LlamaForTokenClassification"])"},
           {"layer_types", R"(["sliding_attention"])"},
           {"rope_scaling", R"({"rope_type":"axial"})"},
           {"rope_parameters", R"({"rope_type":"spiral","factor":2})"},
       }) {
    const auto config = read_with(key, value);
    ASSERT_FALSE(config.is_ok()) << key;
    EXPECT_EQ(config.status().code(), StatusCode::kUnsupported) << key;
    EXPECT_THAT(config.status().message(), HasSubstr(key));
  }
  EXPECT_THAT(refusal("rope_scaling", R"({"type":"cubic"})"),
              HasSubstr("'cubic' is not supported"));
  EXPECT_THAT(refusal("model_type", "\"zebra\""), HasSubstr("known are llama, mistral"));
}

TEST_F(HfConfigTest, ReadsRopeScaling) {
  auto config = read_with("rope_scaling", R"({"type":"linear","factor":4.0})");
  ASSERT_TRUE(config.is_ok()) << config.status().message();
  EXPECT_EQ(config->config.rope.scaling, RopeScaling::kLinear);
  EXPECT_EQ(config->config.rope.factor, 4);
  config = read_with("rope_parameters", R"({"rope_type":"llama3","factor":8.0,"rope_theta":500000,
      "low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192})");
  ASSERT_TRUE(config.is_ok()) << config.status().message();
  EXPECT_EQ(config->config.rope.scaling, RopeScaling::kLlama3);
  EXPECT_EQ(config->config.rope.theta, 500000);
  EXPECT_EQ(config->config.rope.original_context, 8192);
  EXPECT_THAT(refusal("rope_scaling", R"({"rope_type":"llama3","factor":8.0})"),
              HasSubstr("low_freq_factor of rope_scaling in config.json: missing"));
  EXPECT_EQ(read_with("rope_scaling", R"({"rope_type":"default"})")->config.rope.scaling,
            RopeScaling::kNone);
}

// The published values of YaRN for a context of 4: 32 turns are kept, one is divided, and attention
// is sharpened by 0.1 ln 4 + 1. A context that the file does not stretch is stretched by the
// factor.
TEST_F(HfConfigTest, ReadsYarnAndDynamicScaling) {
  config_.set("max_position_embeddings", 32768);
  auto config = read_with("rope_scaling", R"({"type":"yarn","factor":4.0,
      "original_max_position_embeddings":32768})");
  ASSERT_TRUE(config.is_ok()) << config.status().message();
  EXPECT_EQ(config->config.rope.scaling, RopeScaling::kYarn);
  EXPECT_NEAR(config->config.rope.magnitude, 1.1386294, 1e-6);
  EXPECT_EQ(config->config.context_max, 131072);
  config = read_with("rope_parameters", R"({"rope_type":"dynamic","factor":2})");
  ASSERT_TRUE(config.is_ok()) << config.status().message();
  EXPECT_EQ(config->config.context_max, 32768);
  EXPECT_THAT(refusal("rope_scaling",
                      R"({"type":"yarn","factor":4.0,"beta_fast":1,"beta_slow":2})"),
              HasSubstr("beta_fast 1, beta_slow 2"));
}

TEST_F(HfConfigTest, BiasesAreReadWhereTheFileAsks) {
  auto config = read_with("attention_bias", "true");
  ASSERT_TRUE(config.is_ok()) << config.status().message();
  EXPECT_TRUE(config->config.has_qkv_bias && config->config.has_o_bias);
  config = read_with("mlp_bias", "true");
  ASSERT_TRUE(config.is_ok()) << config.status().message();
  EXPECT_TRUE(config->config.has_mlp_bias);
}

TEST_F(HfConfigTest, WindowsMayDifferByLayer) {
  config_.set("model_type", "mistral");
  EXPECT_EQ(read_with("sliding_window", "16")->window(), 16);
  EXPECT_EQ(read_with("sliding_window", "null")->window(), 0);
  EXPECT_EQ(read_with("use_cache", "true")->window(), 4096);  // as the first Mistral
  config_.set("model_type", "qwen2");
  config_.set("sliding_window", 16);
  EXPECT_EQ(read_with("use_sliding_window", "false")->window(), 0);
  config_.set("max_window_layers", 1);
  const auto config = read_with("use_sliding_window", "true");
  ASSERT_TRUE(config.is_ok()) << config.status().message();
  EXPECT_EQ(config->config.windows.front(), 0);
  EXPECT_EQ(config->window(), config->config.windows.size() > 1 ? 16 : 0);
}

TEST_F(HfConfigTest, EosIdsComeFromBothFiles) {
  folder_.write("generation_config.json",
                R"({"eos_token_id":[3,2],"temperature":0.6,"top_p":0.9,"top_k":20})");
  const auto config = read_with("eos_token_id", "2");
  ASSERT_TRUE(config.is_ok()) << config.status().message();
  EXPECT_THAT(config->words.eos_ids, ElementsAre(3, 2));
  EXPECT_FLOAT_EQ(config->words.generation.temperature, 0.6f);
  EXPECT_EQ(config->words.generation.top_k, 20);
  EXPECT_EQ(config->words.generation.repetition_penalty, -1);
}

TEST_F(HfConfigTest, WordsComeFromTheTokenizerConfig) {
  folder_.write("tokenizer_config.json", R"({"bos_token":"<s>","eos_token":{"content":"</s>"},
      "model_max_length":1000000000000000019884624838656,
      "chat_template":[{"name":"tool_use","template":"A"},{"name":"default","template":"B"}]})");
  auto config = read_with("use_cache", "true");
  ASSERT_TRUE(config.is_ok()) << config.status().message();
  EXPECT_EQ(config->words.bos_text, "<s>");
  EXPECT_EQ(config->words.eos_text, "</s>");
  EXPECT_EQ(config->words.chat_template, "B");
  folder_.write("chat_template.jinja", "C");
  EXPECT_EQ(read_with("use_cache", "true")->words.chat_template, "C");
  folder_.write("tokenizer_config.json", "{\"a\":1,\"a\":2}");
  EXPECT_THAT(refusal("use_cache", "true"), HasSubstr("'tokenizer_config.json': JSON"));
}

}  // namespace
}  // namespace quire
