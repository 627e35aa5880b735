// What each quantized format costs on a real model: the matrices of the default model's layers,
// rounded to the format by the tests' writers, read back as a checkpoint, and compared with the
// float32 reference. With float activations the divergence must be that of the dequantized weights.
// QUIRE_WRITE_DOCS=1 writes the rows of docs/quality.md anew, which takes minutes; any other value
// only rows that have it in their names or that are not there yet. Without it the first layers are
// read back, and each number must be the one that the writer meant.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <vector>

#include "backend/cpu/cpu_memory.h"
#include "base/file.h"
#include "formats/testing/temp_folder.h"
#include "kernels/dequantize.h"
#include "lab/eval.h"
#include "quant/integer_forms.h"
#include "testbed.h"

namespace quire {
namespace {

using testing::FloatForm;
using testing::FloatMatrix;
using testing::SafetensorsWriter;
using testing::shared_path;

constexpr const char* kTexts[] = {"tinystories", "frankenstein", "tinyshakespeare"};
constexpr int kFirstLayers = 2;
constexpr double kRoundingMax = 1e-6;  // of a weight, relative to the largest of its matrix
constexpr double kKlDifferenceMax = 1e-4;
constexpr const char* kBegin = "<!-- formats: written by golden_test -->\n";
constexpr const char* kEnd = "<!-- formats end -->\n";

// Names of matrices: ours, and those of a llama's checkpoint.
constexpr std::pair<const char*, const char*> kMatrices[] = {
    {"q", "self_attn.q_proj"}, {"k", "self_attn.k_proj"},  {"v", "self_attn.v_proj"},
    {"o", "self_attn.o_proj"}, {"gate", "mlp.gate_proj"}, {"up", "mlp.up_proj"},
    {"down", "mlp.down_proj"},
};

FloatMatrix floats_of(const TensorView& view) {
  FloatMatrix matrix{view.rows(), view.columns(), {}};
  matrix.values.resize(view.rows() * view.columns());
  for (std::size_t row = 0; row < view.rows(); ++row) {
    dequantize_row(view.dtype, view.data + row * row_bytes(view.dtype, view.columns()),
                   view.columns(), &matrix.values[row * view.columns()]);
  }
  return matrix;
}

void expect_equal(const TensorView& view, const FloatMatrix& matrix, const std::string& name) {
  const WeightView weight(view);
  std::vector<float> row(matrix.columns);
  double error = 0, largest = 0;
  for (std::size_t r = 0; r < matrix.rows; ++r) {
    read_row(weight, 0, r, row.data());
    for (std::size_t c = 0; c < matrix.columns; ++c) {
      const double value = matrix.values[r * matrix.columns + c];
      error = std::max(error, std::abs(value - double{row[c]}));
      largest = std::max(largest, std::abs(value));
    }
  }
  EXPECT_LE(error, kRoundingMax * largest) << name;
}

class SmolLm2FormsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = shared_path("models/smollm2-135m-refs/");
    const std::string model = testing::smollm2_path();
    if (folder_.empty() || model.empty()) GTEST_SKIP() << "the default model is not here";
    model_ = testing::open_test_model(model);
  }

  double mean_kl(const TensorFinder& find, WeightScheme weights) const {
    const bool is_exact = weights == WeightScheme::kFloat32;
    const auto executor = testing::make_test_executor(
        model_.files->design(), find,
        {.kv_dtype = is_exact ? DType::kF32 : DType::kF16, .weights = weights});
    double sum = 0;
    for (const char* name : kTexts) {
      ReferenceText reference;
      reference.ids = testing::read_int32s(folder_ + name + ".ids.i32");
      reference.top_tokens = testing::read_int32s(folder_ + name + ".top20.i32");
      reference.top_logprobs = testing::read_floats(folder_ + name + ".top20lp.f32");
      reference.top = 20;
      sum += compare(*executor, reference).mean_kl / std::size(kTexts);
    }
    return sum;
  }

  // Matrices of the layers from `layers`, all else from the model's own file.
  TensorFinder mixed(TensorFinder layers) const {
    return [this, layers = std::move(layers)](std::string_view name) -> Result<TensorView> {
      auto own = model_.files->find(name);
      const bool is_matrix = own.is_ok() && name.starts_with("layers.") && own->shape.size() == 2;
      return is_matrix ? layers(name) : own;
    };
  }

  // One row of the table.
  std::string row(const FloatForm& form) const {
    const int layers = is_whole_ ? model_.files->facts().layers : kFirstLayers;
    std::map<std::string, FloatMatrix, std::less<>> dequantized;
    SafetensorsWriter writer;
    std::size_t bytes = 0, values = 0;
    const auto add = [&](const std::string& name, const std::vector<std::size_t>& shape) {
      std::size_t count = 1;
      for (const std::size_t size : shape) count *= size;
      writer.add(name, "F32", shape, std::vector<float>(count, 1));
    };
    add("model.embed_tokens.weight", {8, 576});
    add("model.norm.weight", {576});
    for (int layer = 0; layer < layers; ++layer) {
      add(fmt::format("model.layers.{}.input_layernorm.weight", layer), {576});
      add(fmt::format("model.layers.{}.post_attention_layernorm.weight", layer), {576});
      for (const auto& [ours, theirs] : kMatrices) {
        const std::string name = fmt::format("layers.{}.{}", layer, ours);
        const FloatMatrix matrix = floats_of(*model_.files->find(name));
        testing::WrittenMatrix written =
            form.write(fmt::format("model.layers.{}.{}", layer, theirs), matrix);
        testing::add_parts(written.parts, writer);
        dequantized[name] = {matrix.rows, matrix.columns, std::move(written.values)};
      }
    }
    const testing::TempFolder folder;
    folder.write("model.safetensors", writer.bytes());
    folder.write("config.json",
                 R"({"model_type":"llama","architectures":["LlamaForCausalLM"],"vocab_size":8,)"
                 R"("hidden_size":576,"intermediate_size":1536,"num_attention_heads":9,)"
                 R"("num_key_value_heads":3,"rms_norm_eps":1e-5,"tie_word_embeddings":true,)"
                 R"("max_position_embeddings":2048,"hidden_act":"silu","num_hidden_layers":)" +
                     std::to_string(layers) + R"(,"quantization_config":)" + form.quantization +
                     "}");
    const auto coded = open_model(folder.path());
    if (!coded.is_ok()) {
      ADD_FAILURE() << form.name << ": " << coded.status().message();
      return "";
    }
    for (const auto& [name, matrix] : dequantized) {
      bytes += (*coded)->find(name)->bytes();
      values += matrix.values.size();
      expect_equal(*(*coded)->find(name), matrix, form.name + " " + name);
    }
    if (!is_whole_) return "";
    const TensorFinder from_codes = [&](std::string_view name) { return (*coded)->find(name); };
    const TensorFinder from_floats = [&](std::string_view name) -> Result<TensorView> {
      const FloatMatrix& matrix = dequantized.find(name)->second;
      return TensorView{std::string(name), DType::kF32, {matrix.rows, matrix.columns},
                        reinterpret_cast<const std::byte*>(matrix.values.data())};
    };
    const double exact = mean_kl(mixed(from_floats), WeightScheme::kFloat32);
    const double read = mean_kl(mixed(from_codes), WeightScheme::kFloat32);
    const double usual = mean_kl(mixed(from_codes), WeightScheme::kAsStored);
    const bool is_asked = !(*coded)->facts().asked_activations.empty();
    const std::string asked =
        is_asked ? fmt::format("{:.4f}", mean_kl(mixed(from_codes), WeightScheme::kAsAsked)) : "";
    std::printf("FIGURE %s: KL %.5f, of the dequantized weights %.5f, with the usual products "
                "%.5f, with activations as asked %s\n", form.name.c_str(), read, exact, usual,
                asked.c_str());
    EXPECT_NEAR(read, exact, kKlDifferenceMax) << form.name;
    return fmt::format("| {} | {} | {:.2f} | {:.4f} | {:.4f} | {:.4f} | {} |\n", form.name,
                       dtype_name(form.tile),
                       8 * static_cast<double>(bytes) / static_cast<double>(values), exact, read,
                       usual, asked);
  }

  const char* const asked_ = std::getenv("QUIRE_WRITE_DOCS");
  const bool is_whole_ = asked_ != nullptr;
  std::string folder_;
  testing::OpenModel model_;
};

TEST_F(SmolLm2FormsTest, EveryFormCostsWhatItsDequantizedWeightsCost) {
  std::string table =
      "| format | tile | bits a weight in the file | KL of the dequantized weights | KL as read, "
      "float activations | KL as served | the same, `--activations as-asked` |\n"
      "|---|---|---|---|---|---|---|\n";
  std::vector<FloatForm> forms = testing::integer_forms();
  for (FloatForm& form : testing::float_forms()) forms.push_back(std::move(form));
  for (FloatForm& form : testing::byte_forms()) forms.push_back(std::move(form));
  const std::string path = std::string(QUIRE_SOURCE_DIR) + "/docs/quality.md";
  const std::string page = read_file(path, 1 << 20).value();
  for (const FloatForm& form : forms) {
    const std::size_t at = page.find("| " + form.name + " |");
    const bool is_kept = is_whole_ && at != page.npos && std::string_view(asked_) != "1" &&
                         form.name.find(asked_) == form.name.npos;
    table += is_kept ? page.substr(at, page.find('\n', at) + 1 - at) : row(form);
    EXPECT_TRUE(is_whole_ || at != page.npos) << form.name << " is not on the page";
  }
  if (!is_whole_) return;
  const std::size_t begin = page.find(kBegin), end = page.find(kEnd);
  ASSERT_NE(begin, page.npos);
  ASSERT_NE(end, page.npos);
  const std::size_t from = begin + std::string_view(kBegin).size();
  std::ofstream(path) << page.substr(0, from) << table << page.substr(end);
}

}  // namespace
}  // namespace quire
