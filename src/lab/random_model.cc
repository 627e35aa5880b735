#include "lab/random_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <memory>

#include "base/hash.h"
#include "base/cpu/thread_pool.h"
#include "lab/random_blocks.h"

namespace quire {
namespace {

struct Shape {
  std::string_view name;
  std::string_view architecture;
  int d_model, layers, heads, kv_heads, head_dim, ffn, vocab, context;
  bool is_tied;
  float rope_theta;
  int window = 0;  // sliding; 0: none
};

// The tiny ones are for tests: every type has whole blocks in "tiny" (d 256), none but the plain
// types has in "tiny-odd", and their vocabularies are no multiples of a tile.
constexpr Shape kShapes[] = {
    {"llama-1b", "llama", 2048, 16, 32, 8, 64, 8192, 32000, 8192, false, 10000},
    {"llama-8b", "llama", 4096, 32, 32, 8, 128, 14336, 128256, 8192, false, 500000},
    {"smollm2-135m", "llama", 576, 30, 9, 3, 64, 1536, 49152, 8192, true, 100000},
    {"qwen2-0.5b", "qwen2", 896, 24, 14, 2, 64, 4864, 151936, 32768, true, 1000000},
    {"qwen3-0.6b", "qwen3", 1024, 28, 16, 8, 128, 3072, 151936, 32768, true, 1000000},
    {"tiny", "llama", 256, 2, 8, 2, 32, 512, 517, 2048, false, 10000},
    {"tiny-tied", "llama", 256, 2, 4, 4, 64, 256, 333, 2048, true, 10000},
    {"tiny-mistral", "mistral", 256, 3, 8, 1, 32, 512, 517, 2048, false, 10000, 40},
    {"tiny-qwen2", "qwen2", 256, 2, 4, 2, 64, 512, 517, 2048, true, 1000000},
    {"tiny-qwen3", "qwen3", 256, 2, 4, 2, 128, 512, 517, 2048, true, 1000000},
    {"tiny-odd", "llama", 72, 3, 9, 3, 8, 172, 331, 2048, false, 10000},
};

constexpr auto kShapeNames = [] {
  std::array<std::string_view, std::size(kShapes)> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kShapes[i].name;
  return names;
}();

ModelConfig config_of(const Shape& shape) {
  ModelConfig config;
  config.architecture = shape.architecture;
  config.name = shape.name;
  config.vocab = shape.vocab;
  config.d_model = shape.d_model;
  config.layers = shape.layers;
  config.heads = shape.heads;
  config.kv_heads = shape.kv_heads;
  config.head_dim = shape.head_dim;
  config.ffn = shape.ffn;
  config.context_max = shape.context;
  config.rms_eps = 1e-5f;
  config.tied_head = shape.is_tied;
  config.sliding_window = shape.window;
  config.qkv_bias = shape.architecture == "qwen2";
  config.qk_norm = shape.architecture == "qwen3";
  config.rope.theta = static_cast<float>(shape.rope_theta);
  config.rope.pairing =
      shape.architecture == "llama" ? RopePairs::kAdjacent : RopePairs::kHalfSplit;
  return config;
}

// What a canonical name stands for: its shape, and how a vector is filled.
struct Tensor {
  std::vector<std::size_t> shape;
  float center = 0;  // of a vector's values, which lie within a tenth of it
};

std::map<std::string, Tensor, std::less<>> tensors_of(const ModelConfig& c) {
  const auto d = static_cast<std::size_t>(c.d_model), ffn = static_cast<std::size_t>(c.ffn);
  const auto vocab = static_cast<std::size_t>(c.vocab);
  const auto head_dim = static_cast<std::size_t>(c.head_dim);
  const std::size_t q = c.heads * head_dim, kv = c.kv_heads * head_dim;
  std::map<std::string, Tensor, std::less<>> tensors;
  tensors["embed"] = {{vocab, d}};
  tensors["final_norm"] = {{d}, 1};
  if (!c.tied_head) tensors["head"] = {{vocab, d}};
  for (int i = 0; i < c.layers; ++i) {
    const auto add = [&](std::string_view part, Tensor tensor) {
      tensors[fmt::format("layers.{}.{}", i, part)] = std::move(tensor);
    };
    add("attn_norm", {{d}, 1});
    add("ffn_norm", {{d}, 1});
    add("q", {{q, d}});
    add("k", {{kv, d}});
    add("v", {{kv, d}});
    add("o", {{d, q}});
    add("gate", {{ffn, d}});
    add("up", {{ffn, d}});
    add("down", {{d, ffn}});
    if (c.qkv_bias) {
      add("q_bias", {{q}});
      add("k_bias", {{kv}});
      add("v_bias", {{kv}});
    }
    if (c.qk_norm) {
      add("q_norm", {{head_dim}, 1});
      add("k_norm", {{head_dim}, 1});
    }
  }
  return tensors;
}

struct Free {
  void operator()(std::byte* p) const { std::free(p); }
};

// The tensors that were asked for, made on demand.
class TensorStore {
 public:
  TensorStore(const ModelConfig& config, const RandomModelOptions& options)
      : options_(options), tensors_(tensors_of(config)), pool_(options.threads) {}

  Result<TensorView> find(std::string_view name) {
    const auto tensor = tensors_.find(name);
    if (tensor == tensors_.end()) {
      return error(StatusCode::kNotFound, "a random model has no tensor '{}'", name);
    }
    TensorView view;
    view.name = name;
    view.shape = tensor->second.shape;
    view.dtype = view.shape.size() == 1 ? DType::kF32 : matrix_dtype(wanted(name), view.columns());
    Memory& memory = made_[view.name];
    if (!memory) {
      // Rounded up, so that kernels may read whole vectors at the end.
      memory.reset(static_cast<std::byte*>(std::aligned_alloc(64, (view.bytes() + 127) / 64 * 64)));
      QUIRE_CHECK(memory != nullptr, "out of memory: {} bytes", view.bytes());
      fill(view, tensor->second, memory.get());
    }
    view.data = memory.get();
    if (view.dtype == DType::kI8) {
      std::vector<float>& scales = row_scales_[view.name];
      if (scales.empty()) scales = random_row_scales(view.rows(), view.columns(), seed_of(view));
      view.row_scales = scales.data();
    }
    return view;
  }

 private:
  using Memory = std::unique_ptr<std::byte, Free>;

  // As in checkpoints of W8A8, whose quantizers leave all but the layers alone.
  DType wanted(std::string_view name) const {
    const bool stays = options_.dtype == DType::kI8 && !name.starts_with("layers.");
    return stays ? DType::kBF16 : options_.dtype;
  }

  std::uint64_t seed_of(const TensorView& view) const {
    return hash_bytes(view.name.data(), view.name.size(), mix64(options_.seed));
  }

  void fill(const TensorView& view, const Tensor& tensor, std::byte* data) {
    const std::uint64_t seed = seed_of(view);
    if (view.shape.size() == 1) {
      auto* values = reinterpret_cast<float*>(data);
      for (std::size_t i = 0; i < view.columns(); ++i) {
        values[i] =
            tensor.center + 0.1f * (static_cast<float>(mix64(seed + i) >> 40) * 0x1p-23f - 1);
      }
      return;
    }
    const std::size_t elements = view.rows() * view.columns();
    const std::size_t blocks = elements / dtype_info(view.dtype).block_elements;
    pool_.run([&](int worker, int workers) {
      fill_random_blocks(view.dtype, view.columns(), seed, blocks * worker / workers,
                         blocks * (worker + 1) / workers, data);
    });
  }

  RandomModelOptions options_;
  std::map<std::string, Tensor, std::less<>> tensors_;
  std::map<std::string, Memory, std::less<>> made_;
  std::map<std::string, std::vector<float>, std::less<>> row_scales_;
  ThreadPool pool_;
};

}  // namespace

std::span<const std::string_view> random_model_shapes() { return kShapeNames; }

Result<ModelConfig> random_model_config(std::string_view name) {
  const auto* shape = std::find_if(std::begin(kShapes), std::end(kShapes),
                                   [&](const Shape& row) { return row.name == name; });
  if (shape == std::end(kShapes)) {
    return error(StatusCode::kNotFound, "shape '{}' is not known; known are {}", name,
                 fmt::join(kShapeNames, ", "));
  }
  return config_of(*shape);
}

Result<RandomModel> make_random_model(std::string_view shape, const RandomModelOptions& options) {
  QUIRE_ASSIGN_OR_RETURN(const ModelConfig config, random_model_config(shape));
  return make_random_model(config, options);
}

RandomModel make_random_model(const ModelConfig& config, const RandomModelOptions& options) {
  auto store = std::make_shared<TensorStore>(config, options);
  return {config, [store](std::string_view name) { return store->find(name); }};
}

DType matrix_dtype(DType wanted, std::size_t columns) {
  for (const DType dtype : {wanted, DType::kQ8_0}) {
    if (columns % dtype_info(dtype).block_elements == 0) return dtype;
  }
  return DType::kF16;
}

}  // namespace quire
