#include "lab/random_model.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "base/hash.h"
#include "base/cpu/thread_pool.h"
#include "lab/random_blocks.h"
#include "model/registry.h"

namespace quire {
namespace {

struct Free {
  void operator()(std::byte* p) const { std::free(p); }
};

// The tensors that were asked for, made on demand.
class TensorStore {
 public:
  TensorStore(const TensorRules& rules, const RandomModelOptions& options)
      : options_(options), pool_(options.threads) {
    for (const TensorRule& rule : rules.rules) tensors_.emplace(rule.canonical, rule);
  }

  Result<TensorView> find(std::string_view name) {
    const auto tensor = tensors_.find(name);
    if (tensor == tensors_.end()) {
      return error(StatusCode::kNotFound, "a random model has no tensor '{}'", name);
    }
    TensorView view;
    view.name = name;
    const TensorRule& rule = tensor->second;
    view.shape = rule.shape;
    view.dtype =
        rule.is_vector() ? DType::kF32 : matrix_dtype(wanted(rule.role), view.columns());
    Memory& memory = made_[view.name];
    if (!memory) {
      // Rounded up, so that kernels may read whole vectors at the end.
      memory.reset(static_cast<std::byte*>(std::aligned_alloc(64, (view.bytes() + 127) / 64 * 64)));
      QUIRE_CHECK(memory != nullptr, "out of memory: {} bytes", view.bytes());
      fill(view, rule, memory.get());
    }
    view.data = memory.get();
    if (has_scales_beside(view.dtype)) {
      std::vector<float>& scales = row_scales_[view.name];
      if (scales.empty()) {
        scales = random_row_scales(view.dtype, view.rows(), view.columns(), seed_of(view));
      }
      view.scales = {scales.data()};
    }
    return view;
  }

 private:
  using Memory = std::unique_ptr<std::byte, Free>;

  // As in checkpoints of W8A8, whose quantizers leave all but the layers alone.
  DType wanted(Role role) const {
    const bool stays = options_.dtype == DType::kI8 &&
                       (role == Role::kTable || role == Role::kHead || role == Role::kHeads ||
                        role == Role::kRouter);
    return stays ? DType::kBF16 : options_.dtype;
  }

  std::uint64_t seed_of(const TensorView& view) const {
    return hash_bytes(view.name.data(), view.name.size(), mix64(options_.seed));
  }

  void fill(const TensorView& view, const TensorRule& rule, std::byte* data) {
    const std::uint64_t seed = seed_of(view);
    if (rule.is_vector()) {
      auto* values = reinterpret_cast<float*>(data);
      for (std::size_t i = 0; i < rule.elements(); ++i) {
        values[i] =
            rule.center + 0.1f * (static_cast<float>(mix64(seed + i) >> 40) * 0x1p-23f - 1);
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
  std::map<std::string, TensorRule, std::less<>> tensors_;
  std::map<std::string, Memory, std::less<>> made_;
  std::map<std::string, std::vector<float>, std::less<>> row_scales_;
  ThreadPool pool_;
};

}  // namespace

Result<RandomModel> make_random_model(std::string_view shape, const RandomModelOptions& options) {
  QUIRE_ASSIGN_OR_RETURN(Design design, design_of_shape(shape));
  return make_random_model(std::move(design), options);
}

RandomModel make_random_model(Design design, const RandomModelOptions& options) {
  auto store = std::make_shared<TensorStore>(design.tensors, options);
  return {std::move(design), [store](std::string_view name) { return store->find(name); }};
}

DType matrix_dtype(DType wanted, std::size_t columns) {
  for (const DType dtype : {wanted, DType::kQ8_0}) {
    if (columns % dtype_info(dtype).block_elements == 0) return dtype;
  }
  return DType::kF16;
}

}  // namespace quire
