// Golden tests of the default model against float32 references made by an independent
// implementation: int8 arithmetic on every ISA of this machine, and exact arithmetic (weights
// unpacked to float32, float32 KV). A bound is the worst figure that was measured, which the test
// prints, times kLeeway; and what was compared is counted, so that nothing passes by being absent.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <memory>

#include "base/file.h"
#include "base/json.h"
#include "kernels/dequantize.h"
#include "kernels/select.h"
#include "lab/eval.h"
#include "testbed.h"

namespace quire {
namespace {

using testing::read_floats;
using testing::read_int32s;
using testing::run_to_end;
using testing::shared_path;

constexpr const char* kTexts[] = {"tinystories", "frankenstein", "tinyshakespeare"};
constexpr std::size_t kTop = 20;
constexpr std::size_t kPositions = 512;  // of each text
constexpr int kChats = 6;
constexpr int kGreedyIds = 141;          // of 154, those with a margin above 0.01

// Every processor and compiler gives the same bits here but for bf16, so what lies between measured
// and allowed is room for a change of arithmetic that is meant, and not more.
constexpr double kLeeway = 1.5;

struct Cost {
  double perplexity = 0;  // the change in either direction, as a share
  double differing = 0;   // share of positions where another token is the likeliest
  double mean_kl = 0;
};

// `measured` is the worst of the texts. A NaN is within nothing.
void expect_within(const Divergence& d, double perplexity, const Cost& measured) {
  EXPECT_LE(std::abs(d.perplexity / perplexity - 1), kLeeway * measured.perplexity);
  EXPECT_LE(1 - d.top1_agreement, kLeeway * measured.differing);
  EXPECT_LE(d.mean_kl, kLeeway * measured.mean_kl);
}

class SmolLm2Test : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = shared_path("models/smollm2-135m-refs/");
    const std::string model = testing::smollm2_path();
    if (folder_.empty()) GTEST_SKIP() << "../shared/models/smollm2-135m-refs is not here";
    if (model.empty()) GTEST_SKIP() << "the default model is not in the store";
    model_ = testing::open_test_model(model);
    auto text = read_file(folder_ + "index.json", 1 << 20);
    ASSERT_TRUE(text.is_ok());
    auto index = parse_json(*text);
    ASSERT_TRUE(index.is_ok()) << index.status().message();
    index_ = std::move(index).value();
  }

  ReferenceText reference(const std::string& name) const {
    ReferenceText reference;
    reference.ids = read_int32s(folder_ + name + ".ids.i32");
    reference.top_tokens = read_int32s(folder_ + name + ".top20.i32");
    reference.top_logprobs = read_floats(folder_ + name + ".top20lp.f32");
    reference.top = kTop;
    EXPECT_EQ(reference.ids.size(), kPositions);
    EXPECT_EQ(reference.top_tokens.size(), kPositions * kTop);
    EXPECT_EQ(reference.top_logprobs.size(), kPositions * kTop);
    return reference;
  }

  double perplexity(const std::string& name) const {
    return index_.find("texts")->find(name)->find("perplexity")->as_double();
  }

  std::vector<TokenId> ids_of(const Json& array) const {
    std::vector<TokenId> ids;
    for (const Json& id : array.items()) ids.push_back(static_cast<TokenId>(id.as_int()));
    return ids;
  }

  testing::Branch greedy(LocalExecutor& executor, const Json& chat, int tokens_max) {
    EngineCore core({}, executor, model_.tokenizer);
    Request request;
    request.id = {1};
    request.prompt = ids_of(*chat.find("prompt_ids"));
    request.params.temperature = 0;
    request.params.tokens_max = tokens_max;
    return run_to_end(core, {{request}, {}}).at({1, 0});
  }

  std::string folder_;
  Json index_;
  testing::OpenModel model_;
};

TEST_F(SmolLm2Test, TextsTokenizeToTheReferenceIds) {
  for (const char* name : kTexts) {
    const auto text = read_file(folder_ + name + ".txt", 1 << 20);
    const auto ids = model_.tokenizer->encode(*text, {.add_special = false, .parse_special = true});
    ASSERT_TRUE(ids.is_ok());
    EXPECT_EQ(ids->size(), kPositions);
    EXPECT_EQ(*ids, read_int32s(folder_ + name + ".ids.i32")) << name;
  }
}

TEST_F(SmolLm2Test, Int8ArithmeticStaysCloseToFloat32OnEveryIsa) {
  constexpr Cost kMeasured{.perplexity = 0.0051, .differing = 0.038, .mean_kl = 0.00265};
  for (const KernelTable* table : all_supported()) {
    const std::string isa(table->name);
    const auto executor = model_.executor({.isa = isa});
    for (const char* name : kTexts) {
      const Divergence d = compare(*executor, reference(name));
      std::printf("FIGURE %s %-15s perplexity %.3f (float32 %.3f, %+.2f %%), top-1 %.3f (>= %.3f), "
                  "KL %.5f (<= %.5f)\n",
                  isa.c_str(), name, d.perplexity, perplexity(name),
                  100 * (d.perplexity / perplexity(name) - 1), d.top1_agreement,
                  1 - kLeeway * kMeasured.differing, d.mean_kl, kLeeway * kMeasured.mean_kl);
      expect_within(d, perplexity(name), kMeasured);
    }
  }
}

// The matrices of the layers as float32, as if the file had them so.
TensorFinder unpack_layers(const ModelFiles& files) {
  const auto memory = std::make_shared<std::map<std::string, std::vector<float>, std::less<>>>();
  return [&files, memory](std::string_view name) -> Result<TensorView> {
    auto view = files.find(name);
    if (!view.is_ok() || !name.starts_with("layers.") || view->shape.size() != 2) return view;
    std::vector<float>& values = (*memory)[std::string(name)];
    values.resize(view->rows() * view->columns());
    for (std::size_t row = 0; row < view->rows(); ++row) {
      dequantize_row(view->dtype, view->data + row * row_bytes(view->dtype, view->columns()),
                     view->columns(), &values[row * view->columns()]);
    }
    view->dtype = DType::kF32;
    view->data = reinterpret_cast<const std::byte*>(values.data());
    return view;
  };
}

// docs/quality.md has these figures. Users cannot do this: --quantize refuses quantized files.
TEST_F(SmolLm2Test, W8A8RoundedToNearestCostsWhatItCosts) {
  const TensorFinder find = unpack_layers(*model_.files);
  constexpr Cost kUnpacked{.perplexity = 0.0015, .differing = 0.026, .mean_kl = 0.00076};
  constexpr Cost kW8A8{.perplexity = 0.034, .differing = 0.137, .mean_kl = 0.0275};
  for (const WeightScheme weights : {WeightScheme::kAsStored, WeightScheme::kW8A8}) {
    const auto executor =
        testing::make_test_executor(model_.files->design(), find, {.weights = weights});
    const bool is_w8a8 = weights == WeightScheme::kW8A8;
    for (const char* name : kTexts) {
      const Divergence d = compare(*executor, reference(name));
      const Cost& measured = is_w8a8 ? kW8A8 : kUnpacked;
      std::printf("FIGURE layers as %s, %-15s perplexity %+.2f %%, top-1 %.3f, KL %.5f (<= %.5f)\n",
                  is_w8a8 ? "W8A8" : "F32 ", name, 100 * (d.perplexity / perplexity(name) - 1),
                  d.top1_agreement, d.mean_kl, kLeeway * measured.mean_kl);
      expect_within(d, perplexity(name), measured);
    }
  }
}

// What int8 KV costs: beside it, the same weights with float16 KV.
TEST_F(SmolLm2Test, Int8KvStaysCloseToFloat16Kv) {
  constexpr double kPerplexityMeasured = 0.0028, kKlMeasured = 0.0010;  // beside float16
  constexpr double kDifferingMeasured = 0.044;                          // beside float32
  for (const char* name : {"tinystories", "frankenstein"}) {
    const Divergence half = compare(*model_.executor({}), reference(name));
    const Divergence int8 = compare(*model_.executor({.kv_dtype = DType::kI8}), reference(name));
    std::printf("FIGURE KV int8 %-15s perplexity %.3f (KV f16 %.3f), top-1 %.3f (%.3f), KL %.5f "
                "(%.5f)\n",
                name, int8.perplexity, half.perplexity, int8.top1_agreement, half.top1_agreement,
                int8.mean_kl, half.mean_kl);
    EXPECT_LE(std::abs(int8.perplexity / half.perplexity - 1), kLeeway * kPerplexityMeasured);
    EXPECT_LE(1 - int8.top1_agreement, kLeeway * kDifferingMeasured);
    EXPECT_LE(int8.mean_kl, half.mean_kl + kLeeway * kKlMeasured);
  }
}

// What the smaller types cost, and which of the two pays: beside float32 KV of the same weights.
TEST_F(SmolLm2Test, SmallKvTypesCostWhatTheyCost) {
  struct Priced {
    const char* name;
    KvTypes types;
    double kl_measured;  // the worse text's, of the reference
  };
  const Priced kPriced[] = {
      {"f16", DType::kF16, 0.0026},
      {"int8", DType::kI8, 0.0035},
      {"fp8", DType::kF8, 0.0082},
      {"k=int8,v=int4", {DType::kI8, DType::kQ4_1}, 0.0099},
      {"k=int4,v=int8", {DType::kQ4_1, DType::kI8}, 0.0704},
      {"int4", DType::kQ4_1, 0.0811},
  };
  for (const Priced& priced : kPriced) {
    const auto executor = model_.executor({.kv_dtype = priced.types});
    double worst = 0;
    for (const char* name : {"tinystories", "frankenstein"}) {
      const Divergence d = compare(*executor, reference(name));
      std::printf("FIGURE KV %-14s %-15s perplexity %+.2f %%, top-1 %.3f, KL %.4f\n", priced.name,
                  name, 100 * (d.perplexity / perplexity(name) - 1), d.top1_agreement, d.mean_kl);
      worst = std::max(worst, d.mean_kl);
    }
    EXPECT_LE(worst, kLeeway * priced.kl_measured) << priced.name;
  }
}

TEST_F(SmolLm2Test, ExactArithmeticReproducesTheReference) {
  const auto executor =
      model_.executor({.kv_dtype = DType::kF32, .weights = WeightScheme::kFloat32});
  constexpr double kErrorMeasured = 1.5e-4;
  double error_max = 0;
  for (const char* name : kTexts) {
    const Divergence d = compare(*executor, reference(name));
    EXPECT_LE(d.mean_kl, 1e-6) << "or NaN, which no maximum shows";
    error_max = std::max(error_max, d.logprob_error_max);
  }
  std::printf("FIGURE exact arithmetic: largest log-probability error %.2e (at most %.2e)\n",
              error_max, kLeeway * kErrorMeasured);
  EXPECT_LE(error_max, kLeeway * kErrorMeasured);

  int compared = 0;
  EXPECT_EQ(index_.find("chat")->items().size(), std::size_t{kChats});
  for (const Json& chat : index_.find("chat")->items()) {
    const auto expected = ids_of(*chat.find("greedy_ids"));
    const auto branch = greedy(*executor, chat, static_cast<int>(expected.size()));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (chat.find("margins")->items()[i].as_double() <= 0.01) break;  // may part here honestly
      ASSERT_LT(i, branch.tokens.size());
      EXPECT_EQ(branch.tokens[i], expected[i]) << chat.find("question")->as_string();
      ++compared;
    }
  }
  std::printf("FIGURE exact arithmetic: %d greedy ids equal where the margin exceeds 0.01\n",
              compared);
  EXPECT_EQ(compared, kGreedyIds);
}

TEST_F(SmolLm2Test, NamesTheCapitalOfFrance) {
  const auto executor = model_.executor({});
  const auto branch = greedy(*executor, index_.find("chat")->items()[0], 12);
  std::printf("FIGURE %s\n", branch.text.c_str());
  EXPECT_NE(branch.text.find("Paris"), std::string::npos);
}

}  // namespace
}  // namespace quire
