// Adapters on models: the rows that a backend reads are those of a file into which the adapter was
// merged by hand, whichever kind of file either is.
#include "model/adapt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "backend/cpu/cpu_memory.h"
#include "base/hash.h"
#include "formats/testing/gguf_writer.h"
#include "formats/testing/safetensors_writer.h"
#include "formats/testing/temp_folder.h"
#include "formats/testing/tiny_models.h"
#include "model/model_files.h"

namespace quire {
namespace {

using ::testing::HasSubstr;
using testing::GgufWriter;
using testing::SafetensorsWriter;
using testing::TinyTensor;
using Shape = std::vector<std::size_t>;

constexpr std::size_t kRank = 2, kHead = 4;
constexpr float kAlpha = 3;  // of both kinds

// Numbers of their own for each name.
std::vector<float> numbers(std::string_view name, std::size_t count) {
  const std::uint64_t seed = hash_bytes(name.data(), name.size());
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(static_cast<std::int64_t>(mix64(seed + i) % 2001) - 1000) / 1e3f;
  }
  return values;
}

// A matrix [rows, columns] with its part of an adapter, as Hugging Face's files have them.
struct Matrix {
  std::string name;
  Shape shape;
  std::size_t head = 0;  // GGUF has the rows of each head woven

  std::vector<float> weight() const { return numbers(name, shape[0] * shape[1]); }
  std::vector<float> a() const { return numbers(name + "a", kRank * shape[1]); }
  std::vector<float> b() const { return numbers(name + "b", shape[0] * kRank); }
  std::vector<float> merged() const {
    std::vector<float> values = weight();
    const std::vector<float> left = b(), right = a();
    for (std::size_t r = 0; r < shape[0]; ++r) {
      for (std::size_t c = 0; c < shape[1]; ++c) {
        for (std::size_t k = 0; k < kRank; ++k) {
          values[r * shape[1] + c] +=
              kAlpha / kRank * left[r * kRank + k] * right[k * shape[1] + c];
        }
      }
    }
    return values;
  }
  // Rows as GGUF has them.
  std::vector<float> woven(std::vector<float> values) const {
    if (head == 0) return values;
    const std::size_t columns = values.size() / shape[0];
    std::vector<float> out(values.size());
    for (std::size_t r = 0; r < shape[0]; ++r) {
      const std::size_t in_head = r % head;
      const std::size_t from = r - in_head + in_head % 2 * (head / 2) + in_head / 2;
      std::copy_n(&values[from * columns], columns, &out[r * columns]);
    }
    return out;
  }
};

bool has_part(const TinyTensor& tensor) {
  const std::string_view name = tensor.gguf;
  return name.ends_with("attn_q.weight") || name.ends_with("attn_k.weight") ||
         name.ends_with("attn_v.weight") || name.ends_with("ffn_down.weight");
}
std::vector<float> others(const TinyTensor& tensor) {
  return numbers(tensor.gguf, testing::element_count(tensor.shape));
}
Matrix matrix_of(const TinyTensor& tensor) {
  const std::string_view name = tensor.gguf;
  const bool is_turned =
      name.ends_with("attn_q.weight") || name.ends_with("attn_k.weight");
  return {tensor.gguf, tensor.shape, is_turned ? kHead : 0};
}

class AdaptTest : public ::testing::Test {
 protected:
  using Values = std::vector<float> (Matrix::*)() const;

  std::string gguf_model(Values values) {
    GgufWriter writer = testing::tiny_gguf_metadata();
    for (const TinyTensor& tensor : testing::tiny_tensors()) {
      const Matrix matrix = matrix_of(tensor);
      writer.add_tensor(tensor.gguf, tensor.shape,
                        has_part(tensor) ? matrix.woven((matrix.*values)())
                                         : others(tensor));
    }
    return folder_.write(fmt::format("model{}.gguf", count_++), writer.bytes());
  }
  std::string hf_model(Values values) {
    SafetensorsWriter writer;
    for (const TinyTensor& tensor : testing::tiny_tensors()) {
      const Matrix matrix = matrix_of(tensor);
      writer.add(tensor.hugging_face, "F32", tensor.shape,
                 has_part(tensor) ? (matrix.*values)() : others(tensor));
    }
    const std::string folder = fmt::format("model{}", count_++);
    folder_.write(folder + "/config.json", testing::tiny_hf_config());
    folder_.write(folder + "/model.safetensors", writer.bytes());
    return folder_.path() + "/" + folder;
  }
  std::string gguf_adapter() {
    GgufWriter writer;
    writer.set("general.architecture", "llama").set("general.type", "adapter");
    writer.set("adapter.type", "lora").set("adapter.lora.alpha", kAlpha);
    for (const TinyTensor& tensor : testing::tiny_tensors()) {
      if (!has_part(tensor)) continue;
      const Matrix matrix = matrix_of(tensor);
      writer.add_tensor(std::string(tensor.gguf) + ".lora_a", {kRank, tensor.shape[1]}, matrix.a());
      writer.add_tensor(std::string(tensor.gguf) + ".lora_b", {tensor.shape[0], kRank},
                        matrix.woven(matrix.b()));
    }
    return folder_.write("adapter.gguf", writer.bytes());
  }
  std::string peft_adapter() {
    SafetensorsWriter writer;
    for (const TinyTensor& tensor : testing::tiny_tensors()) {
      if (!has_part(tensor)) continue;
      const Matrix matrix = matrix_of(tensor);
      const std::string name = tensor.hugging_face;
      const std::string module = "base_model.model." + name.substr(0, name.rfind('.'));
      writer.add(module + ".lora_A.weight", "F32", {kRank, tensor.shape[1]}, matrix.a());
      writer.add(module + ".lora_B.weight", "F32", {tensor.shape[0], kRank}, matrix.b());
    }
    folder_.write("peft/adapter_model.safetensors", writer.bytes());
    folder_.write("peft/adapter_config.json", fmt::format(
        R"({{"peft_type":"LORA","r":{},"lora_alpha":{}}})", kRank, kAlpha));
    return folder_.path() + "/peft";
  }

  // Every row of every matrix, as a backend reads it.
  static std::vector<float> all_rows(const ModelFiles& files) {
    std::vector<float> all;
    for (const TensorRule& rule : files.design().tensors.rules) {
      if (rule.is_vector()) continue;
      const auto find = [&](std::string_view name) { return files.find(name); };
      const WeightView view = weight_view(find, rule).value();
      std::vector<float> row(view.columns);
      for (std::size_t e = 0; e < view.experts(); ++e) {
        for (std::size_t r = 0; r < view.rows; ++r) {
          read_row(view, e, r, row.data());
          all.insert(all.end(), row.begin(), row.end());
        }
      }
    }
    return all;
  }
  static void expect_equal(const std::string& base, std::vector<AdapterChoice> adapters,
                           const std::string& merged) {
    const auto adapted = open_model(base, {}, adapters);
    ASSERT_TRUE(adapted.is_ok()) << adapted.status().message();
    const auto wanted = open_model(merged);
    ASSERT_TRUE(wanted.is_ok()) << wanted.status().message();
    const std::vector<float> a = all_rows(**adapted), b = all_rows(**wanted);
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-5) << i;
    EXPECT_NE(all_rows(*open_model(base).value()), a);
    EXPECT_NE((*adapted)->stamp(), open_model(base).value()->stamp());
  }
  static std::string refusal(const std::string& base, const std::string& adapter) {
    const auto model = open_model(base, {}, std::vector<AdapterChoice>{{adapter}});
    return model.is_ok() ? "accepted" : model.status().message();
  }

  testing::TempFolder folder_;
  int count_ = 0;
};

TEST_F(AdaptTest, OnFilesOfItsOwnKind) {
  expect_equal(gguf_model(&Matrix::weight), {{gguf_adapter()}}, gguf_model(&Matrix::merged));
  expect_equal(hf_model(&Matrix::weight), {{peft_adapter()}}, hf_model(&Matrix::merged));
}

// Where the rows of queries and keys lie in another order.
TEST_F(AdaptTest, OnFilesOfTheOtherKind) {
  expect_equal(gguf_model(&Matrix::weight), {{peft_adapter()}}, gguf_model(&Matrix::merged));
  expect_equal(hf_model(&Matrix::weight), {{gguf_adapter()}}, hf_model(&Matrix::merged));
}

TEST_F(AdaptTest, SeveralAddUpWithTheirScales) {
  expect_equal(gguf_model(&Matrix::weight), {{gguf_adapter(), 0.25f}, {peft_adapter(), 0.75f}},
               gguf_model(&Matrix::merged));
}

// One rule on a tensor of zeros: what is added to it is all that its rows are.
class AdaptRuleTest : public AdaptTest {
 protected:
  // Of PEFT: pairs by modules, of inputs and outputs.
  struct Module {
    std::string name;
    std::size_t in, out;
  };
  std::string peft(const std::vector<Module>& modules) {
    SafetensorsWriter writer;
    for (const Module& m : modules) {
      const std::string module = "base_model.model." + m.name;
      writer.add(module + ".lora_A.weight", "F32", {kRank, m.in},
                 numbers(m.name + "a", kRank * m.in));
      writer.add(module + ".lora_B.weight", "F32", {m.out, kRank},
                 numbers(m.name + "b", m.out * kRank));
    }
    folder_.write("rule/adapter_model.safetensors", writer.bytes());
    folder_.write("rule/adapter_config.json",
                  fmt::format(R"({{"peft_type":"LORA","r":{},"lora_alpha":{}}})", kRank, kRank));
    return folder_.path() + "/rule";
  }
  // B A of a module, [out, in].
  static float product(const Module& m, std::size_t row, std::size_t column) {
    const auto a = numbers(m.name + "a", kRank * m.in), b = numbers(m.name + "b", m.out * kRank);
    float sum = 0;
    for (std::size_t k = 0; k < kRank; ++k) sum += b[row * kRank + k] * a[k * m.in + column];
    return sum;
  }
  Result<Adapters> open(const TensorRule& rule, const std::string& path) {
    rules_.rules.clear();
    rules_.add(rule);
    tensors_[rule.canonical] = {};
    const AdapterChoice choice{path};
    return Adapters::open({&choice, 1}, {rules_, tensors_, Naming::kHuggingFace, "", true});
  }
  static std::vector<float> row_of(const Adapters& adapters, const std::string& name,
                                   std::size_t row, std::size_t columns) {
    std::vector<float> out(columns);
    for (const WeightDelta& delta : adapters.deltas().at(name)) {
      add_delta(delta, row, columns, out.data());
    }
    return out;
  }

  TensorRules rules_;
  TensorMap tensors_;
};

TEST_F(AdaptRuleTest, RowsOfAFusedTensorTakeTheirPart) {
  const Module qkv = {"h.qkv", 4, 12};
  const auto adapters = open({"k", "", Stored("h.qkv.weight").rows(4, 12), {4, 4}}, peft({qkv}));
  ASSERT_TRUE(adapters.is_ok()) << adapters.status().message();
  EXPECT_NEAR(row_of(*adapters, "k", 1, 4)[2], product(qkv, 5, 2), 1e-6);
  const auto woven = open({"k", "", Stored("h.qkv.weight").runs(2, 2, 6, 12), {4, 4}}, peft({qkv}));
  ASSERT_TRUE(woven.is_ok()) << woven.status().message();
  EXPECT_NEAR(row_of(*woven, "k", 3, 4)[1], product(qkv, 9, 1), 1e-6);
}

// The files of GPT-2 have inputs outside; its adapters do not.
TEST_F(AdaptRuleTest, AMatrixThatIsStoredTheOtherWayRound) {
  const Module attn = {"h.c_attn", 4, 12};
  const auto adapters =
      open({"k", "", Stored("h.c_attn.weight").rows(4, 12).transposed(), {4, 4}}, peft({attn}));
  ASSERT_TRUE(adapters.is_ok()) << adapters.status().message();
  EXPECT_NEAR(row_of(*adapters, "k", 3, 4)[0], product(attn, 7, 0), 1e-6);
}

TEST_F(AdaptRuleTest, ExpertsHaveTheirOwn) {
  TensorRule rule = {"gate", "gate_exps.weight", "experts.{e}.w1.weight", {3, 6, 4},
                     Role::kExperts};
  const Module one = {"experts.1.w1", 4, 6};
  const auto adapters = open(rule, peft({one}));
  ASSERT_TRUE(adapters.is_ok()) << adapters.status().message();
  EXPECT_FALSE(adapters->deltas().contains("gate.0"));
  EXPECT_TRUE(adapters->deltas().contains("gate"));  // so that each is looked for
  EXPECT_NEAR(row_of(*adapters, "gate.1", 5, 4)[3], product(one, 5, 3), 1e-6);

  const std::vector<float> a = numbers("a", 3 * kRank * 4), b = numbers("b", 3 * 6 * kRank);
  GgufWriter writer;
  writer.set("general.type", "adapter").set("adapter.type", "lora");
  writer.add_tensor("gate_exps.weight.lora_a", {3, kRank, 4}, a);
  writer.add_tensor("gate_exps.weight.lora_b", {3, 6, kRank}, b);
  rules_.are_alike = true;
  const auto whole = open(rule, folder_.write("experts.gguf", writer.bytes()));
  ASSERT_TRUE(whole.is_ok()) << whole.status().message();
  float sum = 0;
  for (std::size_t k = 0; k < kRank; ++k) {
    sum += b[2 * 6 * kRank + 4 * kRank + k] * a[2 * kRank * 4 + k * 4 + 1];
  }
  EXPECT_NEAR(row_of(*whole, "gate.2", 4, 4)[1], sum, 1e-6);
}

TEST_F(AdaptRuleTest, WhatCannotBeAddedIsRefused) {
  const Module m = {"x", 4, 4};
  EXPECT_THAT(open({"v", "", "x.weight", {4}, Role::kNorm}, peft({m})).status().message(),
              HasSubstr("adapters of vectors are not supported"));
  EXPECT_THAT(open({"m", "", Stored("x.weight").converted(Convert::kUnitRows), {4, 4}}, peft({m}))
                  .status().message(),
              HasSubstr("values are converted"));
  EXPECT_THAT(open({"t", "", "x.weight", {4, 4}, Role::kTable}, peft({m})).status().message(),
              HasSubstr("products with a table"));
  GgufWriter writer;
  writer.set("general.type", "adapter").set("adapter.type", "lora");
  writer.add_tensor("x.weight.lora_a", {kRank, 4}, numbers("a", kRank * 4));
  writer.add_tensor("x.weight.lora_b", {4, kRank}, numbers("b", 4 * kRank));
  rules_.are_alike = false;
  EXPECT_THAT(open({"m", "x.weight", "x.weight", {4, 4}}, folder_.write("o.gguf", writer.bytes()))
                  .status().message(),
              HasSubstr("lie in another order: convert it"));
}

// A matrix that the adapter has as a whole stands for the model's.
TEST_F(AdaptTest, WholeTensorsReplaceTheModels) {
  const std::string base = hf_model(&Matrix::weight), adapter = peft_adapter();
  const std::vector<float> up = numbers("another", 16 * 8);
  const std::vector<float> a = numbers("a", kRank * 8), b = numbers("b", 8 * kRank);
  const auto write = [&](const std::string& module, const Shape& shape) {
    SafetensorsWriter writer;
    const std::string front = "base_model.model.model.";
    writer.add(front + "layers.0.self_attn.q_proj.lora_A.weight", "F32", {kRank, 8}, a);
    writer.add(front + "layers.0.self_attn.q_proj.lora_B.weight", "F32", {8, kRank}, b);
    writer.add(front + module + ".weight", "F32", shape,
               std::vector<float>(up.begin(), up.begin() + std::ssize(up) * 8 / 16 *
                                                   static_cast<long>(shape[0]) / 8));
    folder_.write("peft/adapter_model.safetensors", writer.bytes());
  };
  write("layers.0.mlp.up_proj", {16, 8});
  const auto model = open_model(base, {}, std::vector<AdapterChoice>{{adapter}});
  ASSERT_TRUE(model.is_ok()) << model.status().message();
  const auto* values = reinterpret_cast<const float*>((*model)->find("layers.0.up")->data);
  EXPECT_EQ(std::vector<float>(values, values + up.size()), up);
  write("layers.0.mlp.up_proj", {8, 8});
  EXPECT_THAT(refusal(base, adapter), HasSubstr("its shape is [8, 8], but the model's [16, 8]"));
  write("embed_tokens", {8, 8});
  EXPECT_THAT(refusal(base, adapter), HasSubstr("a table that is the head as well"));
  write("layers.3.mlp.up_proj", {16, 8});
  EXPECT_THAT(refusal(base, adapter), HasSubstr("has no 'model.layers.3.mlp.up_proj.weight'"));
}

TEST_F(AdaptTest, IsToldOfTheModel) {
  const auto model = open_model(gguf_model(&Matrix::weight), {},
                                std::vector<AdapterChoice>{{gguf_adapter(), 0.5f}});
  ASSERT_TRUE(model.is_ok());
  std::string note;
  for (const auto& [key, text] : (*model)->facts().notes) note += key == "adapter" ? text : "";
  EXPECT_EQ(note, "adapter.gguf: LoRA of rank 2 on 4 matrices, which are held as floats, scaled by "
                  "0.5");
}

TEST_F(AdaptTest, WhatDoesNotFitIsRefusedByName) {
  const std::string base = gguf_model(&Matrix::weight);
  const auto adapter = [&](const std::string& target, const Shape& a, const Shape& b,
                           const std::string& architecture = "llama") {
    GgufWriter writer;
    writer.set("general.architecture", architecture).set("general.type", "adapter");
    writer.set("adapter.type", "lora");
    writer.add_tensor(target + ".lora_a", a, numbers("a", testing::element_count(a)));
    writer.add_tensor(target + ".lora_b", b, numbers("b", testing::element_count(b)));
    return folder_.write("bad.gguf", writer.bytes());
  };
  EXPECT_THAT(refusal(base, adapter("blk.7.attn_q.weight", {2, 8}, {8, 2})),
              HasSubstr("'bad.gguf': tensor 'blk.7.attn_q.weight.lora_a': the model has no"));
  EXPECT_THAT(refusal(base, adapter("blk.0.attn_k.weight", {2, 8}, {8, 2})),
              HasSubstr("asks for [4, 2]: it is for another model"));
  EXPECT_THAT(refusal(base, adapter("blk.0.attn_q.weight", {2, 4}, {8, 2})),
              HasSubstr("asks for [2, 8]: it is for another model"));
  EXPECT_THAT(refusal(base, adapter("token_embd.weight", {8, 2}, {8, 2})),
              HasSubstr("a table that is the head as well"));
  EXPECT_THAT(refusal(base, adapter("blk.0.attn_q.weight", {2, 8}, {8, 2}, "qwen2")),
              HasSubstr("general.architecture is \"qwen2\""));
  EXPECT_THAT(refusal(base, base), HasSubstr("general.type"));
  EXPECT_THAT(refusal(base, adapter("blk.0.attn_q.weight", {9, 8}, {8, 9})),
              HasSubstr("a rank of 9 for a matrix of 8 x 8"));
  const auto loud = open_model(base, {}, std::vector<AdapterChoice>{{gguf_adapter(), 3e38f}});
  EXPECT_THAT(loud.status().message(), HasSubstr("are too large"));
}

}  // namespace
}  // namespace quire
