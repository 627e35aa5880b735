// gpt-oss as it was published: stacks of experts in MXFP4, not transposed, as a folder of Hugging
// Face and as the GGUF that llama.cpp's converter makes of it, against the same model with the
// experts as transformers writes them in floats, transposed. Their values are the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/testing/gguf_writer.h"
#include "formats/testing/temp_folder.h"
#include "model/describe.h"
#include "quant/coded_llama.h"

namespace quire {
namespace {

using testing::GgufWriter;
using testing::SafetensorsWriter;

constexpr std::size_t kHidden = 64, kFfn = 32, kExperts = 4, kVocab = 96;
constexpr const char* kConfig = R"({"architectures":["GptOssForCausalLM"],"model_type":"gpt_oss",
"attention_bias":true,"hidden_size":64,"intermediate_size":32,"head_dim":16,"hidden_act":"silu",
"num_attention_heads":4,"num_key_value_heads":2,"num_hidden_layers":2,"num_local_experts":4,
"num_experts_per_tok":2,"experts_per_token":2,"sliding_window":24,"swiglu_limit":7.0,
"layer_types":["sliding_attention","full_attention"],"rms_norm_eps":1e-5,"rope_theta":150000,
"max_position_embeddings":256,"tie_word_embeddings":false,"vocab_size":96,"eos_token_id":2)";

class Numbers {
 public:
  float operator()() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<float>(state_ >> 8) * 0x1p-23f - 1;
  }
  std::vector<float> many(std::size_t count, float mean, float scale) {
    std::vector<float> all(count);
    for (float& value : all) value = mean + scale * (*this)();
    return all;
  }

 private:
  std::uint32_t state_ = 4711;
};

// One model in three forms.
struct Forms {
  SafetensorsWriter coded, plain;
  GgufWriter gguf;
};

// Every `step`-th row from `first` on, as blocks of GGUF: the scale, then the codes of the first
// half of 32 values in low nibbles, of the second in high ones.
std::string gguf_blocks(const std::vector<std::uint8_t>& codes,
                        const std::vector<std::uint8_t>& scales, std::size_t columns,
                        std::size_t first, std::size_t step) {
  std::string bytes;
  for (std::size_t row = first; row < codes.size() / columns; row += step) {
    for (std::size_t at = row * columns; at < (row + 1) * columns; at += 32) {
      bytes += static_cast<char>(scales[at / 32]);
      for (std::size_t i = at; i < at + 16; ++i) {
        bytes += static_cast<char>(codes[i] | codes[i + 16] << 4);
      }
    }
  }
  return bytes;
}

// A stack [experts, rows, columns]: as blocks in two forms, transposed as floats in the other. Of
// the way in GGUF has even rows apart from odd ones.
void add_stack(int layer, const std::string& part, std::size_t rows, std::size_t columns,
               Numbers& draw, Forms& forms) {
  constexpr float kSizes[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  const std::string name = fmt::format("model.layers.{}.mlp.experts.{}", layer, part);
  std::vector<std::uint8_t> blocks, scales, codes;
  std::vector<float> floats(kExperts * rows * columns);
  std::size_t at = 0;
  for (std::size_t expert = 0; expert < kExperts; ++expert) {
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t column = 0; column < columns; ++column, ++at) {
        if (column % 32 == 0) scales.push_back(static_cast<std::uint8_t>(124 + (draw() > 0)));
        const auto code = static_cast<std::uint8_t>((draw() + 1) * 7.99f);
        codes.push_back(code);
        if (at % 2 == 0) blocks.push_back(code);
        else blocks.back() = static_cast<std::uint8_t>(blocks.back() | code << 4);
        const float size = std::ldexp(kSizes[code % 8], scales.back() - 127);
        floats[(expert * columns + column) * rows + row] = code < 8 ? size : -size;
      }
    }
  }
  forms.coded.add(name + "_blocks", "U8", {kExperts, rows, columns / 32, 16}, blocks);
  forms.coded.add(name + "_scales", "U8", {kExperts, rows, columns / 32}, scales);
  forms.plain.add(name, "F32", {kExperts, columns, rows}, floats);
  const auto add = [&](const char* gguf, std::size_t first, std::size_t step) {
    forms.gguf.add_tensor(fmt::format("blk.{}.{}_exps.weight", layer, gguf), DType::kMXFP4,
                          {kExperts, rows / step, columns},
                          gguf_blocks(codes, scales, columns, first, step));
  };
  if (part == "down_proj") return add("ffn_down", 0, 1);
  add("ffn_gate", 0, 2);
  add("ffn_up", 1, 2);
}

// Of each expert those of the way in alternate.
void add_biases(int layer, Numbers& draw, Forms& forms) {
  const std::string experts = fmt::format("model.layers.{}.mlp.experts.", layer);
  const std::string front = fmt::format("blk.{}.ffn_", layer);
  const std::vector<float> in = draw.many(kExperts * 2 * kFfn, 0, 0.2f);
  const std::vector<float> out = draw.many(kExperts * kHidden, 0, 0.2f);
  for (SafetensorsWriter* form : {&forms.coded, &forms.plain}) {
    form->add(experts + "gate_up_proj_bias", "F32", {kExperts, 2 * kFfn}, in);
    form->add(experts + "down_proj_bias", "F32", {kExperts, kHidden}, out);
  }
  std::vector<float> gate, up;
  for (std::size_t i = 0; i < in.size(); ++i) (i % 2 == 0 ? gate : up).push_back(in[i]);
  forms.gguf.add_tensor(front + "gate_exps.bias", {kExperts, kFfn}, gate);
  forms.gguf.add_tensor(front + "up_exps.bias", {kExperts, kFfn}, up);
  forms.gguf.add_tensor(front + "down_exps.bias", {kExperts, kHidden}, out);
}

void set_keys(GgufWriter& gguf) {
  const auto whole = [&](const char* name, std::uint32_t value) {
    gguf.set(std::string("gpt-oss.") + name, value);
  };
  gguf.set("general.architecture", std::string("gpt-oss"));
  whole("block_count", 2);
  whole("context_length", 256);
  whole("embedding_length", kHidden);
  whole("feed_forward_length", kFfn);
  whole("expert_feed_forward_length", kFfn);
  whole("expert_count", kExperts);
  whole("expert_used_count", 2);
  whole("attention.head_count", 4);
  whole("attention.head_count_kv", 2);
  whole("attention.key_length", 16);
  whole("attention.value_length", 16);
  whole("attention.sliding_window", 24);
  gguf.set("gpt-oss.attention.layer_norm_rms_epsilon", 1e-5f);
  gguf.set("gpt-oss.rope.freq_base", 150000.0f);
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < kVocab; ++i) tokens.push_back("token" + std::to_string(i));
  gguf.set("tokenizer.ggml.model", std::string("gpt2")).set("tokenizer.ggml.tokens", tokens);
}

// Returns the bytes of the GGUF.
std::string write_forms(const testing::TempFolder& codes, const testing::TempFolder& floats) {
  Forms forms;
  Numbers draw;
  set_keys(forms.gguf);
  const auto add = [&](const std::string& name, const std::string& gguf,
                       const std::vector<std::size_t>& shape, float mean, float scale) {
    std::size_t count = 1;
    for (const std::size_t size : shape) count *= size;
    const std::vector<float> values = draw.many(count, mean, scale);
    forms.coded.add(name, "F32", shape, values);
    forms.plain.add(name, "F32", shape, values);
    forms.gguf.add_tensor(gguf, shape, values);
  };
  add("model.embed_tokens.weight", "token_embd.weight", {kVocab, kHidden}, 0, 1);
  add("lm_head.weight", "output.weight", {kVocab, kHidden}, 0, 0.2f);
  add("model.norm.weight", "output_norm.weight", {kHidden}, 1, 0.25f);
  for (int i = 0; i < 2; ++i) {
    const std::string layer = fmt::format("model.layers.{}.", i), front = fmt::format("blk.{}.", i);
    for (const auto& [name, gguf, rows] :
         std::vector<std::tuple<const char*, const char*, std::size_t>>{
             {"self_attn.q_proj", "attn_q", 64}, {"self_attn.k_proj", "attn_k", 32},
             {"self_attn.v_proj", "attn_v", 32}, {"self_attn.o_proj", "attn_output", 64}}) {
      add(layer + name + ".weight", front + gguf + ".weight", {rows, kHidden}, 0, 0.2f);
      add(layer + name + ".bias", front + gguf + ".bias", {rows}, 0, 0.2f);
    }
    const auto one = [&](const char* name, const char* gguf, const std::vector<std::size_t>& shape,
                         float mean, float scale) {
      add(layer + name, front + gguf, shape, mean, scale);
    };
    // Hardly two experts tie.
    one("mlp.router.weight", "ffn_gate_inp.weight", {kExperts, kHidden}, 0, 2);
    one("mlp.router.bias", "ffn_gate_inp.bias", {kExperts}, 0, 0.2f);
    one("self_attn.sinks", "attn_sinks.weight", {4}, 0, 1);
    one("input_layernorm.weight", "attn_norm.weight", {kHidden}, 1, 0.25f);
    one("post_attention_layernorm.weight", "post_attention_norm.weight", {kHidden}, 1, 0.25f);
    add_stack(i, "gate_up_proj", 2 * kFfn, kHidden, draw, forms);
    add_stack(i, "down_proj", kHidden, kFfn, draw, forms);
    add_biases(i, draw, forms);
  }
  codes.write("config.json",
              std::string(kConfig) + R"(,"quantization_config":{"quant_method":"mxfp4",)"
                                     R"("modules_to_not_convert":["model.layers.*.self_attn",)"
                                     R"("model.layers.*.mlp.router","lm_head"]}})");
  codes.write("model.safetensors", forms.coded.bytes());
  floats.write("config.json", std::string(kConfig) + "}");
  floats.write("model.safetensors", forms.plain.bytes());
  return forms.gguf.bytes();
}

TEST(GptOssQuantizedTest, ExpertsInMxfp4AreTheFloatsThatTheyStandFor) {
  const testing::TempFolder codes, floats;
  write_forms(codes, floats);
  const auto coded = open_model(codes.path());
  ASSERT_TRUE(coded.is_ok()) << coded.status().message();
  const auto plain = open_model(floats.path());
  ASSERT_TRUE(plain.is_ok()) << plain.status().message();
  EXPECT_EQ((*coded)->find("layers.0.experts_gate.3")->dtype, DType::kMXFP4);
  EXPECT_EQ((*coded)->find("layers.0.experts_down.0")->dtype, DType::kMXFP4);
  const auto expected = testing::logits_of(**plain, WeightScheme::kFloat32);
  const double error =
      testing::largest_error(testing::logits_of(**coded, WeightScheme::kFloat32), expected);
  const double usual =
      testing::largest_error(testing::logits_of(**coded, WeightScheme::kAsStored), expected);
  std::printf("FIGURE gpt-oss in MXFP4: largest error of a logit %.2e, %.2e with the usual "
              "products\n", error, usual);
  EXPECT_LT(error, testing::kLogitErrorMax);
  EXPECT_LT(usual, 0.5);
  const auto shown = describe_model(codes.path());
  ASSERT_TRUE(shown.is_ok()) << shown.status().message();
  EXPECT_THAT(*shown, ::testing::HasSubstr("mxfp4, groups of 32"));
}

TEST(GptOssQuantizedTest, GgufHoldsTheSameBlocks) {
  const testing::TempFolder codes, floats, folder;
  const auto coded = open_model(folder.write("model.gguf", write_forms(codes, floats)));
  ASSERT_TRUE(coded.is_ok()) << coded.status().message();
  const auto plain = open_model(floats.path());
  ASSERT_TRUE(plain.is_ok()) << plain.status().message();
  EXPECT_EQ((*coded)->find("layers.1.experts_up.2")->dtype, DType::kMXFP4);
  const double error =
      testing::largest_error(testing::logits_of(**coded, WeightScheme::kFloat32),
                             testing::logits_of(**plain, WeightScheme::kFloat32));
  std::printf("FIGURE gpt-oss in MXFP4 as GGUF: largest error of a logit %.2e\n", error);
  EXPECT_LT(error, testing::kLogitErrorMax);
}

// What was made of a rule's tensors is given back and made anew.
TEST(GptOssQuantizedTest, WovenExpertsAreLetGo) {
  const testing::TempFolder codes, floats;
  write_forms(codes, floats);
  const auto coded = open_model(codes.path());
  ASSERT_TRUE(coded.is_ok()) << coded.status().message();
  for (const char* rule : {"layers.0.experts_gate", "layers.0.experts_down"}) {
    const std::string name = std::string(rule) + ".2";
    const TensorView first = (*coded)->find(name).value();
    const std::string before(reinterpret_cast<const char*>(first.data), first.bytes());
    (*coded)->let_go(rule);
    const TensorView again = (*coded)->find(name).value();
    EXPECT_EQ(before, std::string(reinterpret_cast<const char*>(again.data), again.bytes()));
  }
}

}  // namespace
}  // namespace quire
