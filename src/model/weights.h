// WeightLoader: takes tensors by canonical name, checks them against the shapes of the rules and
// hands matrices to the backend for packing, one after another. Used while a model is built, then
// gone. On the thread that builds.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model/model.h"
#include "model/tensor_rules.h"

namespace quire {

class WeightLoader {
 public:
  WeightLoader(const TensorRules& rules, const TensorFinder& find, Backend& backend,
               WeightScheme scheme, const LoadProgress& progress);

  // Whether the architecture has it, as the model is configured; where a rule is optional, whether
  // the file does.
  bool has(const std::string& name) const;

  // The matrix of a rule [rows, columns], or the matrices of one [experts or heads, rows, columns]
  // among which a product chooses, packed for products. W8A8 is for the layers: embedding and head
  // stay as stored, as in checkpoints that were quantized beforehand. Routers are float32.
  // REQUIRES: a rule of that name, of no vector. The same for `table`.
  Result<Weight> matrix(const std::string& name) { return load(name, true); }
  // One that rows are gathered from and no product reads.
  Result<Weight> table(const std::string& name) { return load(name, false); }

  // All values of a vector of the rule's shape, on the device. REQUIRES: a rule of that name. The
  // same for `values`.
  Result<Vector> vector(const std::string& name);
  // The same, or nothing where the architecture has none.
  Result<Vector> optional_vector(const std::string& name);
  // The same as float32 on the host, for who makes something else of them.
  Result<std::vector<float>> values(const std::string& name);

  std::size_t bytes() const { return bytes_; }  // of all packed matrices so far

 private:
  const TensorRule* rule_of(const std::string& name) const;
  Result<TensorView> view_of(const std::string& name);
  Result<Weight> load(const std::string& name, bool is_packed);
  Status keep(const Weight& weight, bool is_packed);

  const TensorRules& rules_;
  const TensorFinder& find_;
  Backend& backend_;
  WeightScheme scheme_;
  const LoadProgress& progress_;
  std::size_t matrices_ = 0;  // of the rules
  std::size_t done_ = 0;
  std::size_t bytes_ = 0;
};

// The scheme that a tensor of this role is held in.
WeightScheme scheme_of(Role role, WeightScheme wanted);

}  // namespace quire
