// check_weights: reads every value of every tensor of a model once and says which are not finite: a
// NaN or an infinity in the weights makes every answer one, and nothing at run time tells where it
// came from. Values are those that the kernels see (kernels/dequantize.h).
// The calling thread; in memory is one row of values, and what one rule's weights are made of.
// Called by apps/check.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/architecture.h"
#include "tensor/tensor.h"

namespace quire {

struct WeightFault {
  std::string tensor;  // as the file calls it
  std::size_t row = 0, column = 0;
  float value = 0;          // the first that is not finite
  std::uint64_t count = 0;  // of such values in the tensor
};

struct WeightReport {
  std::uint64_t tensors = 0;
  std::uint64_t values = 0;
  std::vector<WeightFault> faults;  // in the order of the rules

  bool is_finite() const { return faults.empty(); }
};

// Tensors of the rules; of optional ones, those that `find` has. A tensor that cannot be read is an
// error. `done` is told the rule whose tensors will not be read again, or is empty.
Result<WeightReport> check_weights(const TensorRules& rules, const TensorFinder& find,
                                   const std::function<void(std::string_view rule)>& done = {});

// "'blk.3.ffn_up.weight' has nan at row 5, column 7, and 12 more values that are not finite"
std::string fault_sentence(const WeightFault& fault);

}  // namespace quire
