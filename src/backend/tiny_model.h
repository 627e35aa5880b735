// For tests: two layers of a transformer over the ops of a Backend, with random weights of one
// type, fed in any rows and chunks. It returns a 64-bit hash of each token's logits, so that two
// ways to feed the same tokens can be compared bit for bit.
#pragma once

#include <array>
#include <cmath>
#include <map>
#include <random>
#include <vector>

#include "backend/cpu_backend.h"
#include "base/hash.h"
#include "kernels/random_weights_for_tests.h"

namespace quire::testing {

// Of I8 codes, for values of the size that the other types have.
inline std::vector<float> random_row_scales(std::size_t rows, std::mt19937& engine) {
  std::uniform_real_distribution<float> uniform(0.0003f, 0.001f);
  std::vector<float> scales(rows);
  for (float& scale : scales) scale = uniform(engine);
  return scales;
}

struct TinyShape {
  int width = 256, ffn = 512, heads = 4, kv_heads = 2, head_dim = 64, vocab = 101, layers = 2;
  int window = 0;
  DType weights = DType::kQ8_0, kv = DType::kF16;
  float input_scale = 0;  // of I8 weights
  int tokens_max = 700, blocks = 100;
};

// Tokens [begin, begin + count) of a sequence, fed in one step.
struct TinyRow {
  int sequence, begin, count;
};

class TinyModel {
 public:
  TinyModel(Backend& backend, const TinyShape& shape) : backend_(backend), shape_(shape) {
    std::mt19937 engine(42);
    const int q = shape.heads * shape.head_dim, kv = shape.kv_heads * shape.head_dim;
    embedding_ = add(engine, shape.vocab, shape.width);
    for (int layer = 0; layer < shape.layers; ++layer) {
      layers_.push_back({add(engine, q, shape.width), add(engine, kv, shape.width),
                         add(engine, kv, shape.width), add(engine, shape.width, q),
                         add(engine, shape.ffn, shape.width), add(engine, shape.ffn, shape.width),
                         add(engine, shape.width, shape.ffn)});
    }
    std::vector<const Weight*> normed = {&embedding_}, attended, gated;
    for (const Layer& l : layers_) {
      normed.insert(normed.end(), {&l.q, &l.k, &l.v, &l.gate, &l.up});
      attended.push_back(&l.o);
      gated.push_back(&l.down);
    }
    normed_ = room(normed);
    attended_ = room(attended);
    gated_ = room(gated);
    kv_ = std::move(backend.kv_store(
                        {shape.layers, shape.kv_heads, shape.head_dim, shape.blocks, shape.kv}))
              .value();
    auto& store = static_cast<CpuKvStore&>(*kv_);
    std::memset(store.data.get(), 0xFF, store.layer_bytes * static_cast<std::size_t>(shape.layers));
    norm_.assign(static_cast<std::size_t>(std::max(shape.width, shape.head_dim)), 0.75f);
    for (int position = 0; position < 1024; ++position) {
      for (int i = 0; i < shape.head_dim / 2; ++i) {
        const double angle = position * std::pow(10000.0, -2.0 * i / shape.head_dim);
        cosines_.push_back(static_cast<float>(std::cos(angle)));
        sines_.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }

  // The hash of each fed token's logits, in order of the rows.
  std::vector<std::uint64_t> step(const std::vector<TinyRow>& rows) {
    feed(rows);
    const auto& s = shape_;
    const int tokens = batch_.tokens(), q = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim;
    const auto floats = [&](int width) {
      return std::vector<float>(static_cast<std::size_t>(tokens * width));
    };
    std::vector<float> x = floats(s.width), qs = floats(q), ks = floats(kv), vs = floats(kv);
    std::vector<float> gate = floats(s.ffn), up = floats(s.ffn), logits = floats(s.vocab);
    const AttentionShape attention{s.heads, s.kv_heads, s.head_dim,
                                   1 / std::sqrt(static_cast<float>(s.head_dim)), s.window};
    const RopeSpec rope{
        RopePairing::kHalfSplit, cosines_.data(), sines_.data(), norm_.data(), norm_.data(), 1e-5f};
    backend_.gather(embedding_, batch_.token_ids, x.data());
    backend_.rmsnorm(x.data(), norm_.data(), 1e-5f, tokens, *normed_);
    for (int i = 0; i < s.layers; ++i) {
      const Layer& l = layers_[static_cast<std::size_t>(i)];
      const std::array<LinearOutput, 3> qkv = {
          {{&l.q, qs.data(), q}, {&l.k, ks.data(), kv}, {&l.v, vs.data(), kv}}};
      backend_.attend(*normed_, qkv, attention, rope, batch_, *kv_, i, *attended_);
      const LinearOutput o = {&l.o, x.data(), s.width, nullptr, true};
      backend_.linear_rmsnorm(*attended_, tokens, o, norm_.data(), 1e-5f, *normed_);
      backend_.linear_silu(*normed_, tokens, {&l.gate, gate.data(), s.ffn},
                           {&l.up, up.data(), s.ffn}, *gated_);
      const LinearOutput down = {&l.down, x.data(), s.width, nullptr, true};
      backend_.linear_rmsnorm(*gated_, tokens, down, norm_.data(), 1e-5f, *normed_);
    }
    backend_.select_rmsnorm(x.data(), every_token_, s.width, norm_.data(), 1e-5f, *normed_);
    const LinearOutput head[] = {{&embedding_, logits.data(), s.vocab}};
    backend_.linear(*normed_, tokens, head);
    std::vector<std::uint64_t> hashes;
    for (int t = 0; t < tokens; ++t) {
      const float* row = &logits[static_cast<std::size_t>(t * s.vocab)];
      all_finite_ = all_finite_ && std::isfinite(backend_.logsumexp({row, std::size_t(s.vocab)}));
      hashes.push_back(hash_bytes(row, static_cast<std::size_t>(s.vocab) * sizeof(float)));
    }
    return hashes;
  }

  bool all_finite() const { return all_finite_; }

 private:
  struct Layer {
    Weight q, k, v, o, gate, up, down;
  };

  Weight add(std::mt19937& engine, int rows, int columns) {
    TensorView view{"tiny",
                    shape_.weights,
                    {static_cast<std::size_t>(rows), static_cast<std::size_t>(columns)},
                    nullptr};
    memory_.emplace_back(view.bytes());
    fill_random_weights(shape_.weights, engine, 0.05f, memory_.back());
    view.data = memory_.back().data();
    if (view.dtype == DType::kI8) {
      row_scales_.push_back(random_row_scales(view.rows(), engine));
      view.row_scales = row_scales_.back().data();
      view.input_scale = shape_.input_scale;
    }
    return backend_.adopt(view).value();
  }
  std::unique_ptr<Activations> room(std::vector<const Weight*> consumers) {
    return backend_.activations(shape_.tokens_max, consumers);
  }

  // Token at `position` of a sequence; block tables are scattered over the store.
  void feed(const std::vector<TinyRow>& rows) {
    ids_.clear(), positions_.clear(), slots_.clear(), lengths_.clear(), table_.clear();
    every_token_.clear();
    begins_ = {0}, table_begins_ = {0};
    for (const TinyRow& row : rows) {
      for (int position = row.begin; position < row.begin + row.count; ++position) {
        const int block = block_of(row.sequence, position / kBlockTokens);
        every_token_.push_back(static_cast<std::int32_t>(ids_.size()));
        ids_.push_back((position * 7 + position * position + row.sequence * 13) % shape_.vocab);
        positions_.push_back(position);
        slots_.push_back(block * kBlockTokens + position % kBlockTokens);
      }
      lengths_.push_back(row.begin + row.count);
      begins_.push_back(static_cast<std::int32_t>(ids_.size()));
      for (int i = 0; i * kBlockTokens < row.begin + row.count; ++i) {
        table_.push_back(block_of(row.sequence, i));
      }
      table_begins_.push_back(static_cast<std::int32_t>(table_.size()));
    }
    batch_ = {ids_, positions_, slots_, begins_, lengths_, table_begins_, table_, every_token_};
  }
  int block_of(int sequence, int index) {
    const auto [at, is_new] = blocks_.try_emplace({sequence, index}, 0);
    if (is_new) at->second = 1 + (static_cast<int>(blocks_.size()) * 37) % (shape_.blocks - 1);
    return at->second;
  }

  Backend& backend_;
  TinyShape shape_;
  std::vector<std::vector<std::byte>> memory_;
  std::vector<std::vector<float>> row_scales_;
  Weight embedding_;
  std::vector<Layer> layers_;
  std::unique_ptr<Activations> normed_, attended_, gated_;
  std::unique_ptr<KvStore> kv_;
  std::vector<float> norm_, cosines_, sines_;
  std::map<std::pair<int, int>, int> blocks_;
  std::vector<std::int32_t> ids_, positions_, slots_, begins_, lengths_, table_begins_, table_;
  std::vector<std::int32_t> every_token_;
  BatchView batch_;
  bool all_finite_ = true;
};

}  // namespace quire::testing
