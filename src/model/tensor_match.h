// match_tensors: the tensors of a checkpoint under the canonical names of a model's rules. A file
// must have each of them with its shape, and none that no rule knows: an unknown tensor is an
// unknown feature. What lies in the file as the rule wants it, alone, as rows of a fused tensor or
// as slices of a stack, is a view; what does not (transposed, woven, converted) is made in memory
// when it is first asked for. Experts are found whole ("layers.0.gate", where they lie together)
// and one by one ("layers.0.gate.7").
// Immutable but for what is made, which a lock guards; any thread. Used by model_files.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "formats/checkpoint.h"
#include "model/tensor_rules.h"
#include "tensor/weight_view.h"

namespace quire {

using TensorMap = std::map<std::string, TensorView, std::less<>>;  // by canonical name

class MatchedTensors {
 public:
  MatchedTensors() = default;
  explicit MatchedTensors(TensorMap tensors) : tensors_(std::move(tensors)) {}

  static Result<MatchedTensors> match(const TensorRules& rules, const Checkpoint& checkpoint,
                                      std::string_view architecture);

  // Every tensor of the rules that the file has, once: of the rule's shape, and with the type and
  // name that the file gives it; without data where it is made or scattered.
  const TensorMap& views() const { return tensors_; }
  // With data. Experts that do not lie together have none as a whole.
  Result<TensorView> find(std::string_view canonical_name) const;
  // How many weights are codes that had to be exchanged, and rounded to BF16; the first of them.
  std::size_t rounded() const { return rounded_; }
  const std::string& first_rounded() const { return first_rounded_; }
  // Puts what adapters add on the tensors, and whole ones in their place. REQUIRES: those of these
  // tensors, which live as long.
  void put_on(const std::map<std::string, std::vector<WeightDelta>, std::less<>>& deltas,
              const TensorMap& wholes);
  // Gives back the memory of what was made for this tensor and its experts.
  // REQUIRES: nobody reads views of it that were found before.
  void let_go(std::string_view canonical_name) const;

 private:
  friend class Matcher;

  // A part of a weight that quantization made.
  struct Late {
    std::shared_ptr<const LateTensor> whole;
    std::size_t offset = 0;
  };
  struct Made {
    TensorView file;  // what it is made of
    Stored stored;
    Late late;  // of its data; without a whole: it is there
    std::vector<float> scales;  // of its rows, where codes have scales beside them
    mutable std::vector<std::byte> bytes;  // once asked for; under the lock
  };
  struct Lock {
    std::mutex mutex;
  };

  TensorMap tensors_;
  TensorMap experts_;  // one by one
  std::map<std::string, Made, std::less<>> made_;
  std::map<std::string, Late, std::less<>> late_;
  std::size_t rounded_ = 0;
  std::string first_rounded_;
  std::unique_ptr<Lock> lock_ = std::make_unique<Lock>();
};

// The matrix of a rule, or the matrices of a stack [experts or heads, rows, columns].
// REQUIRES: a rule of no vector.
Result<WeightView> weight_view(
    const std::function<Result<TensorView>(std::string_view name)>& find, const TensorRule& rule);

}  // namespace quire
