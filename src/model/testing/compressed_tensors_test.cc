// W8A8 directories by example: tiny ones written here, each test changes one thing in them. And the
// expressions by which such files name modules.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <set>
#include <span>

#include "base/json.h"
#include "formats/quant/name_pattern.h"
#include "formats/testing/safetensors_writer.h"
#include "formats/testing/temp_folder.h"
#include "formats/testing/tiny_models.h"
#include "model/describe.h"
#include "model/model_files.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempFolder;

constexpr const char* kDynamic = R"({"quant_method":"compressed-tensors","format":"int-quantized",
"config_groups":{"group_0":{"targets":["Linear"],"output_activations":null,
"weights":{"num_bits":8,"type":"int","symmetric":true,"strategy":"channel","dynamic":false,
"group_size":null,"block_structure":null,"observer":"minmax","observer_kwargs":{}},
"input_activations":{"num_bits":8,"type":"int","symmetric":true,"strategy":"token","dynamic":true,
"group_size":null}}},"ignore":["lm_head"],"kv_cache_scheme":null,"sparsity_config":{},
"quantization_status":"compressed","global_compression_ratio":1.5,"version":"0.9"})";

using Path = std::vector<std::string>;

// Sets the member at a path of keys.
void set_at(Json& json, std::span<const std::string> path, const Json& value) {
  if (path.size() == 1) return json.set(path[0], value);
  Json child = *json.find(path[0]);
  set_at(child, path.subspan(1), value);
  json.set(path[0], child);
}

class CompressedTensorsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    config_ = *parse_json(testing::tiny_hf_config());
    quantization_ = *parse_json(kDynamic);
  }

  // A model whose projections are int8; scales by the name `left_out` are not written.
  std::string write(const std::string& left_out = "") {
    config_.set("quantization_config", quantization_);
    folder_.write("config.json", dump(config_));
    testing::SafetensorsWriter writer;
    for (const testing::TinyTensor& tensor : testing::tiny_tensors()) {
      const std::string name = tensor.hugging_face;
      const std::size_t count = testing::element_count(tensor.shape);
      if (!name.ends_with("_proj.weight") || floats_.contains(name)) {
        writer.add(name, "F32", tensor.shape, testing::tiny_weights(count));
        continue;
      }
      std::vector<std::int8_t> codes(count);
      for (std::size_t i = 0; i < count; ++i) codes[i] = static_cast<std::int8_t>(i * 37 % 255);
      writer.add(name, "I8", tensor.shape, codes);
      const std::string module = name.substr(0, name.size() - 7);
      if (left_out == module + ".weight_scale") continue;
      add_scales(writer, module, tensor.shape[0]);
    }
    for (const auto& [name, values] : extra_) writer.add(name, "F32", {values.size()}, values);
    return folder_.write("model.safetensors", writer.bytes());
  }
  void add_scales(testing::SafetensorsWriter& writer, const std::string& module,
                          std::size_t rows) {
    std::vector<std::uint16_t> scales(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      scales[i] = float_to_bf16(0.25f * static_cast<float>(i + 1));
    }
    if (module.ends_with(bad_scale_)) scales[rows - 1] = bad_bits_;
    writer.add(module + ".weight_scale", "BF16", {rows, 1}, scales);
    if (has_zero_points_) {
      std::vector<std::int8_t> zeros(rows);
      zeros[0] = zero_point_;
      writer.add(module + ".weight_zero_point", "I8", {rows, 1}, zeros);
    }
  }

  std::string refusal(const std::string& left_out = "") {
    write(left_out);
    const auto model = open_model(folder_.path());
    return model.is_ok() ? "accepted" : model.status().message();
  }
  std::string refusal_of(const Path& path, const std::string& value) {
    const Json before = quantization_;
    set_at(quantization_, path, *parse_json(value));
    const std::string message = refusal();
    quantization_ = before;
    return message;
  }

  TempFolder folder_;
  Json config_, quantization_;
  std::set<std::string> floats_;                     // projections that stay as they are
  std::map<std::string, std::vector<float>> extra_;  // further tensors
  bool has_zero_points_ = false;
  std::int8_t zero_point_ = 0;
  std::string bad_scale_ = "nowhere";  // the module whose last scale is bad_bits_
  std::uint16_t bad_bits_ = 0;
};

TEST_F(CompressedTensorsTest, ScalesAreThoseOfTheRows) {
  has_zero_points_ = true;
  write();
  const auto model = open_model(folder_.path());
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  const auto k = (*model)->find("layers.0.k");
  ASSERT_TRUE(k.is_ok());
  EXPECT_EQ(k->dtype, DType::kI8);
  EXPECT_THAT(k->shape, ElementsAre(4, 8));
  EXPECT_THAT(std::span(k->scales.values, 4), ElementsAre(0.25f, 0.5f, 0.75f, 1.0f));
  EXPECT_EQ(k->input_scale, 0);
  EXPECT_FALSE((*model)->find("embed")->scales);
  EXPECT_EQ((*model)->facts().weight_types, "I8 7, F32 4");
  const auto text = describe_model(folder_.path());
  ASSERT_TRUE(text.is_ok()) << text.status().message();
  EXPECT_THAT(*text, AllOf(HasSubstr("q_proj.weight"), HasSubstr("I8")));
}

TEST_F(CompressedTensorsTest, ScalesOfInputsAndOfWholeMatrices) {
  set_at(quantization_, Path{"config_groups", "group_0", "input_activations", "dynamic"}, false);
  set_at(quantization_, Path{"config_groups", "group_0", "input_activations", "strategy"},
         "tensor");
  EXPECT_THAT(refusal(), HasSubstr("q_proj.input_scale': missing"));
  for (const testing::TinyTensor& tensor : testing::tiny_tensors()) {
    const std::string name = tensor.hugging_face;
    if (!name.ends_with("_proj.weight")) continue;
    extra_[name.substr(0, name.size() - 7) + ".input_scale"] = {0.5f};
  }
  write();
  auto model = open_model(folder_.path());
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  EXPECT_EQ((*model)->find("layers.0.down")->input_scale, 0.5f);
  EXPECT_EQ((*model)->find("layers.0.down")->scales.of_row(7), 2.0f);
  for (const float bad : {0.0f, -1.0f, 1e-40f, std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()}) {
    extra_["model.layers.0.mlp.down_proj.input_scale"] = {bad};
    EXPECT_THAT(refusal(), AllOf(HasSubstr("down_proj.input_scale"), HasSubstr("not a positive")));
  }
  extra_["model.layers.0.mlp.down_proj.input_scale"] = {0.5f, 0.5f};
  EXPECT_THAT(refusal(), HasSubstr("2 F32 values are no 1 scales"));
}

TEST_F(CompressedTensorsTest, OneScaleForTheMatrixIsThatOfEveryRow) {
  set_at(quantization_, Path{"config_groups", "group_0", "weights", "strategy"}, "tensor");
  EXPECT_THAT(refusal(), HasSubstr("values are no 1 scales"));
  for (const testing::TinyTensor& tensor : testing::tiny_tensors()) {
    const std::string name = tensor.hugging_face;
    if (name.ends_with("_proj.weight") && name.find("k_proj") != name.npos) {
      extra_[name.substr(0, name.size() - 7) + ".weight_scale"] = {3};
    } else if (name.ends_with("_proj.weight")) {
      floats_.insert(name);
    }
  }
  quantization_.set("ignore", *parse_json(R"(["re:.*[qvo]_proj","re:.*\\.mlp\\..*"])"));
  write("model.layers.0.self_attn.k_proj.weight_scale");
  const auto model = open_model(folder_.path());
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  const Scales scales = (*model)->find("layers.0.k")->scales;
  EXPECT_EQ(scales.per_rows, 4u);
  for (std::size_t row = 0; row < 4; ++row) EXPECT_EQ(scales.of_row(row), 3);
}

TEST_F(CompressedTensorsTest, IgnoredModulesStayAsTheyAre) {
  floats_ = {"model.layers.0.mlp.down_proj.weight"};
  EXPECT_THAT(refusal(), AllOf(HasSubstr("down_proj.weight"), HasSubstr("does not list")));
  quantization_.set("ignore", *parse_json(R"(["re:.*down_proj$"])"));
  EXPECT_EQ(refusal(), "accepted");
  quantization_.set("ignore", *parse_json(R"(["model.layers.0.mlp.down_proj", "lm_head"])"));
  EXPECT_EQ(refusal(), "accepted");
  floats_.clear();
  EXPECT_THAT(refusal(), AllOf(HasSubstr("down_proj.weight"), HasSubstr("lists")));
}

TEST_F(CompressedTensorsTest, ScalesAndZeroPointsAreChecked) {
  EXPECT_THAT(refusal("model.layers.0.self_attn.o_proj.weight_scale"),
              HasSubstr("o_proj.weight_scale': missing"));
  bad_scale_ = "up_proj";
  for (const std::uint16_t bits : {0x0000, 0xBF80, 0x7F80, 0x7FC0}) {  // 0, -1, infinity, NaN
    bad_bits_ = bits;
    EXPECT_THAT(refusal(), AllOf(HasSubstr("up_proj.weight_scale"), HasSubstr("scale 15 is")));
  }
  bad_scale_ = "nowhere";
  has_zero_points_ = true;
  zero_point_ = 1;
  EXPECT_THAT(refusal(), HasSubstr("zero points other than 0"));
  zero_point_ = 0;
  extra_["model.layers.0.mlp.up_proj.weight_g_idx"] = {0};
  EXPECT_THAT(refusal(), HasSubstr("no such tensor"));
  extra_ = {{"model.layers.0.mlp.up_proj.input_scale", {1}}};  // but inputs are dynamic
  EXPECT_THAT(refusal(), HasSubstr("no such tensor"));
}

TEST_F(CompressedTensorsTest, Int8NeedsAConfiguration) {
  write();
  folder_.write("config.json", testing::tiny_hf_config());
  EXPECT_THAT(open_model(folder_.path()).status().message(), HasSubstr("I8 without scales"));
  Json older = *parse_json(testing::tiny_hf_config());
  older.set("compression_config", quantization_);
  folder_.write("config.json", dump(older));
  EXPECT_THAT(open_model(folder_.path()).status().message(), HasSubstr("compression_config"));
}

// By the method's name, with what is read instead, although the codes are of a type that no reader
// of safetensors knows.
TEST_F(CompressedTensorsTest, OtherMethodsAreRefusedByName) {
  testing::SafetensorsWriter writer;
  writer.add("model.layers.0.mlp.down_proj.qweight", "I32", {1, 16}, std::vector<float>(16));
  const auto refused = [&](const std::string& key, const std::string& value) {
    Json config = *parse_json(testing::tiny_hf_config());
    config.set(key, *parse_json(value));
    folder_.write("config.json", dump(config));
    folder_.write("model.safetensors", writer.bytes());
    return open_model(folder_.path()).status().message();
  };
  for (const std::string method : {"quanto", "aqlm", "vptq"}) {
    EXPECT_THAT(refused("quantization_config", "{\"quant_method\":\"" + method + "\"}"),
                AllOf(HasSubstr("quant_method"), HasSubstr("'" + method + "' weights are not read"),
                      HasSubstr("compressed-tensors"), HasSubstr("GGUF")));
  }
  EXPECT_THAT(refused("quantization", R"({"bits":4})"), HasSubstr("'mlx' weights"));
  folder_.write("quantize_config.json", R"({"bits":4})");
  EXPECT_THAT(refused("use_cache", "true"), HasSubstr("'quantize_config.json': group_size"));
  folder_.write("quantize_config.json", "[]");
  EXPECT_THAT(refused("use_cache", "true"), HasSubstr("'quantize_config.json': it is"));
}

TEST_F(CompressedTensorsTest, WhatWeDoNotComputeIsRefusedByName) {
  EXPECT_EQ(refusal_of({"format"}, "\"naive-quantized\""), "accepted");
  EXPECT_EQ(refusal_of({"sparsity_config"}, R"({"format":"dense"})"), "accepted");
  EXPECT_EQ(refusal_of({"kv_cache_scheme"}, R"({"num_bits":8,"type":"float"})"), "accepted");
  const Path weights = {"config_groups", "group_0", "weights"};
  const Path inputs = {"config_groups", "group_0", "input_activations"};
  const auto in = [](Path path, const std::string& key) {
    path.push_back(key);
    return path;
  };
  for (const auto& [path, value] : std::vector<std::pair<Path, std::string>>{
           {{"quant_method"}, "\"aqlm\""},
           {{"quant_method"}, "null"},
           {{"format"}, "\"marlin-24\""},
           {{"format"}, "\"mixed-precision\""},
           {{"sparsity_config"}, R"({"format":"sparse-24-bitmask"})"},
           {{"transform_config"}, R"({"config_groups":{}})"},
           {{"config_groups"}, "{}"},
           {{"config_groups"}, R"({"a":[],"b":{}})"},
           {{"config_groups"}, "[]"},
           {{"ignore"}, "\"lm_head\""},
           {{"ignore"}, "[1]"},
           {{"ignore"}, R"x(["re:(a|b)"])x"},
           {in({"config_groups", "group_0"}, "targets"), R"(["Linear","Embedding"])"},
           {in({"config_groups", "group_0"}, "output_activations"), R"({"num_bits":8})"},
           {in(weights, "num_bits"), "4"},
           {in(weights, "type"), "\"float\""},
           {in(weights, "symmetric"), "false"},
           {in(weights, "strategy"), "\"group\""},
           {in(weights, "group_size"), "128"},
           {in(weights, "dynamic"), "true"},
           {in(weights, "actorder"), "\"group\""},
           {in(inputs, "num_bits"), "16"},
           {in(inputs, "symmetric"), "false"},
           {in(inputs, "strategy"), "\"tensor\""},
           {in(inputs, "dynamic"), "false"},
           {in(inputs, "dynamic"), "\"local\""},
       }) {
    const std::string field = path.back() == "dynamic" ? "" : path.back();
    EXPECT_THAT(refusal_of(path, value), AllOf(HasSubstr("config.json"), HasSubstr(field)))
        << path.back() << " " << value;
  }
}

TEST(NamePatternTest, NamesAndExpressions) {
  const auto matches = [](const char* pattern, const char* name) {
    const auto parsed = NamePattern::parse(pattern);
    EXPECT_TRUE(parsed.is_ok()) << pattern;
    return parsed.is_ok() && parsed->matches(name);
  };
  EXPECT_TRUE(matches("lm_head", "lm_head"));
  EXPECT_FALSE(matches("lm_head", "lm_heads"));
  EXPECT_FALSE(matches("m_head", "lm_head"));
  EXPECT_TRUE(matches("re:.*lm_head", "model.lm_head"));
  EXPECT_TRUE(matches("re:lm", "lm_head"));  // a beginning is enough
  EXPECT_FALSE(matches("re:head", "lm_head"));
  EXPECT_FALSE(matches("re:lm$", "lm_head"));
  EXPECT_TRUE(matches("re:^model\\.layers\\.[0-9]+\\.mlp.*$", "model.layers.31.mlp.up_proj"));
  EXPECT_FALSE(matches("re:model\\.layers\\.[0-9]+\\.mlp", "model.layers..mlp"));
  EXPECT_FALSE(matches("re:model\\.layers", "modelxlayers"));
  EXPECT_TRUE(matches("re:a?b+[^x-z]\\d", "bbbq7"));
  EXPECT_FALSE(matches("re:a?b+[^x-z]\\d", "aby7"));
  EXPECT_TRUE(matches("re:", "anything"));
  EXPECT_TRUE(matches("re:.*a.*a.*a.*a.*a.*a.*a.*a$", std::string(200, 'a').c_str()));
  EXPECT_FALSE(matches("re:.*a.*a.*a.*a.*a.*a.*a.*b$", std::string(200, 'a').c_str()));
  for (const char* refused : {"re:(a|b)", "re:*a", "re:a{2}", "re:[a", "re:a\\", "re:\\b", "re:a^",
                              "re:a$b", "re:a**", "re:[a\\"}) {
    EXPECT_FALSE(NamePattern::parse(refused).is_ok()) << refused;
  }
  EXPECT_FALSE(NamePattern::parse(std::string(300, 'a')).is_ok());
}

}  // namespace
}  // namespace quire
