// For tests: two layers of a transformer over the ops of a Backend, with random weights of one
// type, fed in any rows and chunks. It returns a 64-bit hash of each token's logits, so that two
// ways to feed the same tokens can be compared bit for bit.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <random>
#include <vector>

#include "backend/cpu/cpu_backend.h"
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
  InputRule input{};      // of the others; its order is made here
  bool is_scattered = false;  // columns have one
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
    for (const Layer& l : layers_) {
      for (const Weight* weight : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down}) pack(*weight);
    }
    pack(embedding_);
    residual_ = room(shape.width), normed_ = room(shape.width);
    q_ = room(q), k_ = room(kv), v_ = room(kv), attended_ = room(q);
    gate_ = room(shape.ffn), up_ = room(shape.ffn), gated_ = room(shape.ffn);
    last_ = backend.buffer(Rows::kWanted, shape.tokens_max, shape.width);
    logits_ = backend.buffer(Rows::kWanted, shape.tokens_max, shape.vocab);
    KvGroupShape group;
    group.layers = shape.layers;
    group.kv_heads = shape.kv_heads;
    group.k_dim = group.v_dim = shape.head_dim;
    group.types = shape.kv;
    group.blocks = shape.blocks;
    kv_ = std::move(backend.kv_store({&group, 1})).value();
    const CpuKvGroup& memory = static_cast<CpuKvStore&>(*kv_).memory[0];
    std::memset(memory.data.get(), 0xFF,
                memory.layer_bytes * static_cast<std::size_t>(shape.layers));
    norm_ = {Norm::Kind::kRms, constant(shape.width), {}, 1e-5f};
    std::vector<float> cosines, sines;
    for (int position = 0; position < 1024; ++position) {
      for (int i = 0; i < shape.head_dim / 2; ++i) {
        const double angle = position * std::pow(10000.0, -2.0 * i / shape.head_dim);
        cosines.push_back(static_cast<float>(std::cos(angle)));
        sines.push_back(static_cast<float>(std::sin(angle)));
      }
    }
    rope_ = {{Norm::Kind::kRms, constant(shape.head_dim), {}, 1e-5f}, backend.vector(cosines),
             backend.vector(sines), shape.head_dim};
    for (int layer = 0; layer < shape.layers; ++layer) {
      Attend attend;
      attend.heads = shape.heads;
      attend.kv_heads = shape.kv_heads;
      attend.k_dim = attend.v_dim = shape.head_dim;
      attend.scale = 1 / std::sqrt(static_cast<float>(shape.head_dim));
      attend.window = shape.window;
      attend.cache = {0, layer};
      attends_.push_back(attend);
    }
  }

  // The hash of each fed token's logits, in order of the rows.
  std::vector<std::uint64_t> step(const std::vector<TinyRow>& rows) {
    feed(rows);
    Program p;
    p.gather(embedding_, residual_);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const Layer& l = layers_[i];
      p.norm(residual_, norm_, normed_);
      p.linear(normed_, {{&l.q, &q_}, {&l.k, &k_}, {&l.v, &v_}});
      p.rotate(q_, shape_.heads, rope_);
      p.rotate(k_, shape_.kv_heads, rope_);
      p.store(k_, v_, attends_[i].cache);
      p.attend(q_, attends_[i], attended_);
      p.linear(attended_, {{&l.o, &residual_, nullptr, true}});
      p.norm(residual_, norm_, normed_);
      p.linear(normed_, {{&l.gate, &gate_}, {&l.up, &up_}});
      p.gate(Activation::kSilu, gate_, up_, gated_);
      p.linear(gated_, {{&l.down, &residual_, nullptr, true}});
    }
    p.norm(residual_, norm_, last_);
    p.linear(last_, {{&embedding_, &logits_}});
    backend_.run(p, batch_, *kv_);
    const float* logits = backend_.host_rows(logits_);
    std::vector<std::uint64_t> hashes;
    for (int t = 0; t < batch_.tokens(); ++t) {
      const float* row = logits + t * shape_.vocab;
      all_finite_ = all_finite_ && std::all_of(row, row + shape_.vocab,
                                               [](float logit) { return std::isfinite(logit); });
      hashes.push_back(hash_bytes(row, static_cast<std::size_t>(shape_.vocab) * sizeof(float)));
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
    if (has_scales_beside(view.dtype)) {
      row_scales_.push_back(random_row_scales(view.rows(), engine));
      view.scales = {row_scales_.back().data()};
      if (view.dtype == DType::kI8) view.input_scale = shape_.input_scale;
    }
    view.input = shape_.input;
    if (shape_.is_scattered) view.input.order = order(view.columns());
    return backend_.adopt(view, WeightScheme::kAsAsked).value();
  }
  // One of every 7th column, for all weights that read so many.
  const std::uint32_t* order(std::size_t columns) {
    std::vector<std::uint32_t>& order = orders_[columns];
    for (std::size_t i = order.size(); i < columns; ++i) {
      order.push_back(static_cast<std::uint32_t>(i * 7 % columns));
    }
    return order.data();
  }
  void pack(const Weight& weight) {
    const Status status = backend_.pack(weight);
    QUIRE_CHECK(status.is_ok(), "{}", status.message());
  }
  Buffer room(int columns) { return backend_.buffer(Rows::kTokens, shape_.tokens_max, columns); }
  Vector constant(int count) {
    return backend_.vector(std::vector<float>(static_cast<std::size_t>(count), 0.75f));
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
    group_ = {slots_, lengths_, table_begins_, table_};
    batch_ = {ids_, positions_, begins_, every_token_, {}, {&group_, 1}, nullptr};
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
  std::map<std::size_t, std::vector<std::uint32_t>> orders_;
  Weight embedding_;
  std::vector<Layer> layers_;
  Buffer residual_, normed_, q_, k_, v_, attended_, gate_, up_, gated_, last_, logits_;
  std::unique_ptr<KvStore> kv_;
  Norm norm_;
  Rope rope_;
  std::vector<Attend> attends_;
  std::map<std::pair<int, int>, int> blocks_;
  std::vector<std::int32_t> ids_, positions_, slots_, begins_, lengths_, table_begins_, table_;
  std::vector<std::int32_t> every_token_;
  GroupView group_;
  BatchView batch_;
  bool all_finite_ = true;
};

}  // namespace quire::testing
