// One W8A8 model on three ways: quantized at load, found as int8 in memory, and read from a
// compressed-tensors directory: the same logits, bit for bit, on every instruction set. And the
// costs of such a model.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>

#include "formats/testing/safetensors_writer.h"
#include "formats/testing/temp_folder.h"
#include "kernels/select.h"
#include "lab/logits_hash.h"
#include "lab/random_model.h"
#include "model/model_files.h"
#include "model/registry.h"

namespace quire {
namespace {

constexpr const char* kQuantization =
    R"({"quant_method":"compressed-tensors","format":"int-quantized","ignore":["lm_head"],
"config_groups":{"group_0":{"targets":["Linear"],
"weights":{"num_bits":8,"type":"int","symmetric":true,"strategy":"channel","dynamic":false},
"input_activations":{"num_bits":8,"type":"int","symmetric":true,"strategy":"token",
"dynamic":true}}}})";

// A row of weights as codes, to the nearest; its scale.
float quantize(std::span<const float> row, std::vector<std::int8_t>& codes) {
  float largest = 0;
  for (const float value : row) largest = std::max(largest, std::abs(value));
  for (const float value : row) {
    codes.push_back(static_cast<std::int8_t>(std::nearbyint(value * (127 / largest))));
  }
  return largest / 127;
}

struct Names {
  const char* canonical;
  const char* hugging_face;
};
constexpr Names kOfTheModel[] = {{"embed", "model.embed_tokens"}, {"final_norm", "model.norm"},
                                 {"head", "lm_head"}};
constexpr Names kOfALayer[] = {{"attn_norm", "input_layernorm"},
                               {"q", "self_attn.q_proj"},
                               {"k", "self_attn.k_proj"},
                               {"v", "self_attn.v_proj"},
                               {"o", "self_attn.o_proj"},
                               {"ffn_norm", "post_attention_layernorm"},
                               {"gate", "mlp.gate_proj"},
                               {"up", "mlp.up_proj"},
                               {"down", "mlp.down_proj"}};

void add_tensor(testing::SafetensorsWriter& writer, const TensorView& view,
                const std::string& module) {
  const std::span values(reinterpret_cast<const float*>(view.data), view.rows() * view.columns());
  if (module.find("_proj") == module.npos) {
    writer.add(module + ".weight", "F32", view.shape, values);
    return;
  }
  std::vector<std::int8_t> codes;
  std::vector<float> scales;
  for (std::size_t row = 0; row < view.rows(); ++row) {
    scales.push_back(quantize(values.subspan(row * view.columns(), view.columns()), codes));
  }
  writer.add(module + ".weight", "I8", view.shape, codes);
  writer.add(module + ".weight_scale", "F32", {view.rows(), 1}, scales);
}

// The F32 model with its layers quantized, in a directory.
void write_directory(const RandomModel& model, const std::string& config,
                     const testing::TempFolder& folder) {
  testing::SafetensorsWriter writer;
  for (const Names& names : kOfTheModel) {
    add_tensor(writer, *model.find(names.canonical), names.hugging_face);
  }
  for (int i = 0; i < model.design.facts.layers; ++i) {
    for (const Names& names : kOfALayer) {
      add_tensor(writer, *model.find(fmt::format("layers.{}.{}", i, names.canonical)),
                 fmt::format("model.layers.{}.{}", i, names.hugging_face));
    }
  }
  folder.write("model.safetensors", writer.bytes());
  folder.write("config.json", config);
}

// Of the shapes "tiny" and "tiny-odd", as a directory has them.
std::string config_of(std::string_view shape) {
  Json json = *parse_json(find_shape(shape)->config);
  json.set("architectures", Json::array({"LlamaForCausalLM"}));
  json.set("model_type", "llama");
  json.set("quantization_config", *parse_json(kQuantization));
  return dump(json);
}

std::uint64_t hash_of(const Design& design, const TensorFinder& find, WeightScheme weights,
                      std::string_view isa) {
  BenchModelOptions options;
  options.isa = isa;
  options.threads = 2;
  options.weights = weights;
  options.sequences = kHashSequences;
  options.context = kHashContext;
  options.step_tokens = kHashStepTokens;
  const auto model = BenchModel::open(design, find, options);
  EXPECT_TRUE(model.is_ok()) << model.status().message();
  const auto hash = logits_hash(**model);
  EXPECT_TRUE(hash.is_ok()) << hash.status().message();
  return *hash;
}

TEST(W8A8Test, QuantizedAtLoadEqualsTheSameWeightsInADirectory) {
  for (const char* shape : {"tiny", "tiny-odd"}) {
    const std::string config = config_of(shape);
    const RandomModel model = make_random_model(
        *design_of_json("llama", config, Naming::kHuggingFace), {.dtype = DType::kF32});
    const testing::TempFolder folder;
    write_directory(model, config, folder);
    const auto opened = open_model(folder.path());
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    const ModelFiles& files = **opened;
    EXPECT_EQ(files.find("layers.1.down")->dtype, DType::kI8);
    const TensorFinder find = [&](std::string_view name) { return files.find(name); };
    for (const KernelTable* table : all_supported()) {
      const std::uint64_t at_load =
          hash_of(model.design, model.find, WeightScheme::kW8A8, table->name);
      EXPECT_EQ(at_load, hash_of(files.design(), find, WeightScheme::kAsStored, table->name));
      EXPECT_EQ(at_load, hash_of(files.design(), find, WeightScheme::kW8A8, table->name));
      EXPECT_NE(at_load, hash_of(model.design, model.find, WeightScheme::kAsStored, table->name));
    }
  }
}

TEST(W8A8Test, OtherTypesAreNotQuantizedAgain) {
  const RandomModel model = *make_random_model("tiny", {.dtype = DType::kQ4_K});
  BenchModelOptions options;
  options.weights = WeightScheme::kW8A8;
  const auto opened = BenchModel::open(model.design, model.find, options);
  ASSERT_FALSE(opened.is_ok());
  EXPECT_EQ(opened.status().message(),
            "tensor 'layers.0.q' is Q4_K: only F32, F16 and BF16 weights are quantized to w8a8");
}

// By hand: layers of bytes with a float per row, a head of bf16.
TEST(W8A8Test, CostsAByteAWeightAndAFloatARow) {
  const double body = 2 * (2 * 256 * 256 + 2 * 64 * 256 + 3 * 512 * 256), head = 517 * 256;
  const double rows = 2 * (2 * 256 + 2 * 64 + 2 * 512 + 256);
  const auto check = [&](DType dtype, WeightScheme weights) {
    const RandomModel model = *make_random_model("tiny", {.dtype = dtype});
    const ModelCost cost = *count_model_cost(model.design, model.find, DType::kF16, weights);
    EXPECT_EQ(cost.body_elements[static_cast<int>(ActivationForm::kInt8Token)], body);
    EXPECT_EQ(cost.head_elements[static_cast<int>(ActivationForm::kBF16)], head);
    EXPECT_EQ(cost.weight_bytes, body + 4 * rows + 2 * head);
  };
  check(DType::kI8, WeightScheme::kAsStored);
  check(DType::kBF16, WeightScheme::kW8A8);
}

}  // namespace
}  // namespace quire
