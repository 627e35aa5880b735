// Whole models, quantized and run: a random one whose rows are whole super-blocks, and stories260K,
// which is trained and whose rows are not. Both are written as F32 files of GGUF, quantized as
// `quire create -q` does it, opened again, and their distributions compared with the original's.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/file.h"
#include "base/hash.h"
#include "formats/quantize/gguf_quantize.h"
#include "formats/testing/gguf_writer.h"
#include "formats/testing/temp_folder.h"
#include "lab/eval.h"
#include "lab/random_model.h"
#include "model/model_files.h"
#include "model/registry.h"
#include "backend/cpu/cpu_backend.h"
#include "runtime/make_executor.h"

namespace quire {
namespace {

using testing::GgufWriter;
using testing::TempFolder;

struct Sizes {
  std::uint32_t width, ffn, layers, heads, kv_heads, vocab;
};

// A llama of these sizes; its tensors are those that `find` has under the names of the rules.
std::string gguf_of(const Sizes& sizes, const Design& design, const TensorFinder& find) {
  GgufWriter writer;
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
  for (std::uint32_t i = 0; i < sizes.vocab; ++i) {
    tokens.push_back(i == 0 ? "<unk>" : "w" + std::to_string(i));
    types.push_back(i == 0 ? 2 : 1);
  }
  writer.set("general.architecture", "llama")
      .set("general.file_type", std::uint32_t{0})
      .set("llama.block_count", sizes.layers)
      .set("llama.context_length", std::uint32_t{512})
      .set("llama.embedding_length", sizes.width)
      .set("llama.feed_forward_length", sizes.ffn)
      .set("llama.attention.head_count", sizes.heads)
      .set("llama.attention.head_count_kv", sizes.kv_heads)
      .set("llama.attention.layer_norm_rms_epsilon", 1e-5f)
      .set("llama.rope.freq_base", 10000.0f)
      .set("tokenizer.ggml.model", "llama")
      .set("tokenizer.ggml.tokens", tokens)
      .set("tokenizer.ggml.scores", std::vector<float>(sizes.vocab))
      .set("tokenizer.ggml.token_type", types);
  for (const TensorRule& rule : design.tensors.rules) {
    const auto view = find(rule.canonical);
    if (!view.is_ok()) continue;  // of a head that is the table
    EXPECT_EQ(view->dtype, DType::kF32) << rule.canonical;
    writer.add_tensor(rule.gguf.name, view->dtype, view->shape,
                      {reinterpret_cast<const char*>(view->data), view->bytes()});
  }
  return writer.bytes();
}

std::string quantized(const std::string& path, std::string_view type, const TempFolder& folder) {
  const GgufFile source = GgufFile::open(path).value();
  const QuantizePlan plan = plan_quantization(source, *parse_file_type(type)).value();
  std::string bytes;
  QuantizeSink sink;
  sink.write = [&](std::span<const std::byte> piece) {
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return ok_status();
  };
  const Status status = quantize_gguf(source, plan, 2, sink);
  EXPECT_TRUE(status.is_ok()) << status.message();
  return folder.write(std::string(type) + ".gguf", bytes);
}

// Log-probabilities of all tokens at each position.
std::vector<std::vector<double>> distributions(const std::string& path,
                                               std::span<const TokenId> ids) {
  auto files = open_model(path).value();
  LocalOptions options;
  options.kv_dtype = DType::kF32;
  options.capacity.tokens_max = 64;
  options.capacity.rows_max = 1;
  options.capacity.blocks = 64;
  options.capacity.context_max = 512;
  const auto executor =
      make_executor(make_cpu_backend({.threads = 2}).value(), files->design(),
                    [&](std::string_view name) { return files->find(name); }, options);
  EXPECT_TRUE(executor.is_ok()) << executor.status().message();
  std::vector<std::vector<double>> all;
  compute_logits(**executor, ids, 64, [&](std::size_t, std::span<const float> logits) {
    double sum = 0;
    const float most = *std::max_element(logits.begin(), logits.end());
    for (const float logit : logits) sum += std::exp(double{logit} - most);
    std::vector<double> row;
    for (const float logit : logits) row.push_back(double{logit} - most - std::log(sum));
    all.push_back(std::move(row));
  });
  return all;
}

// Mean Kullback-Leibler divergence in nats.
double divergence(const std::vector<std::vector<double>>& from,
                  const std::vector<std::vector<double>>& to) {
  double sum = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    for (std::size_t token = 0; token < from[i].size(); ++token) {
      sum += std::exp(from[i][token]) * (from[i][token] - to[i][token]);
    }
  }
  return sum / static_cast<double>(from.size());
}

struct Bound {
  const char* type;
  double divergence;
};

void compare(const char* model, const std::string& path, std::span<const TokenId> ids,
             std::span<const Bound> bounds, const TempFolder& folder) {
  const auto original = distributions(path, ids);
  ASSERT_EQ(original.size(), ids.size());
  for (const auto& [type, most] : bounds) {
    const std::string made = quantized(path, type, folder);
    const double found = divergence(original, distributions(made, ids));
    std::printf("FIGURE %s as %s: %ju bytes of %ju, KL %.6f nats\n", model, type,
                std::uintmax_t{std::filesystem::file_size(made)},
                std::uintmax_t{std::filesystem::file_size(path)}, found);
    EXPECT_LT(found, most) << type;
    EXPECT_GT(found, -1e-9) << type;
  }
}

TEST(QuantizeModelTest, AModelOfWholeSuperBlocksStaysNearItself) {
  const RandomShape* shape = find_shape("tiny");
  const RandomModel model =
      make_random_model(*design_of_json("llama", shape->config, shape->naming), {});
  const TempFolder folder;
  const std::string path = folder.write(
      "f32.gguf", gguf_of({256, 512, 2, 8, 2, 517}, model.design, model.find));
  std::vector<TokenId> ids;
  for (int i = 0; i < 200; ++i) ids.push_back(static_cast<TokenId>(mix64(i + 1) % 517));
  constexpr Bound kBounds[] = {{"bf16", 1e-4},   {"q8_0", 6e-4},    {"q6_K", 3e-3},
                               {"q5_K_M", 0.012}, {"q5_K_S", 0.012}, {"q5_1", 0.013},
                               {"q5_0", 0.015},   {"q4_K_M", 0.045}, {"q4_K_S", 0.045},
                               {"q4_1", 0.06},    {"q4_0", 0.06},    {"iq4_nl", 0.07},
                               {"q3_K_L", 0.14},  {"q3_K_M", 0.15},  {"q3_K_S", 0.2},
                               {"q2_K", 0.45}};
  compare("random", path, ids, kBounds, folder);
}

TEST(QuantizeModelTest, ATrainedModelOfOtherRowsStaysNearItself) {
  const std::string stories = QUIRE_SOURCE_DIR "/../shared/models/stories260K/";
  if (!std::filesystem::exists(stories)) GTEST_SKIP() << "../shared/models/stories260K is not here";
  const auto files = open_model(stories + "stories260K.bin", stories + "tok512.bin").value();
  const TempFolder folder;
  const std::string path =
      folder.write("f32.gguf", gguf_of({64, 172, 5, 8, 4, 512}, files->design(),
                                       [&](std::string_view name) { return files->find(name); }));
  std::vector<TokenId> ids;
  std::istringstream list(*read_file(stories + "ref_greedy512_tokens.txt", 1 << 16));
  for (TokenId id; ids.size() < 256 && list >> id;) ids.push_back(id);
  ASSERT_EQ(ids.size(), 256u);
  constexpr Bound kBounds[] = {{"q8_0", 1e-3}, {"q4_K_M", 0.015}, {"q4_0", 0.06}, {"q3_K_M", 0.04}};
  compare("stories260K", path, ids, kBounds, folder);
}

}  // namespace
}  // namespace quire
