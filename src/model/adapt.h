// Adapters: LoRA adapters put on a model's tensors: for each pair of an adapter's file, which rows
// of which tensor of the rules it adds to, in their order. An adapter is written for the files of
// one kind; on those of the other it is put where the rules say all in which they differ.
// What they add is made when the model is opened, as floats, and added where rows are read.
// Immutable once made; any thread. Used by model_files.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/adapter.h"
#include "model/adapter_choice.h"
#include "model/tensor_match.h"

namespace quire {

class Adapters {
 public:
  struct Base {
    const TensorRules& rules;
    const TensorMap& tensors;  // of the model's files
    Naming naming;
    std::string architecture;  // as the model's files write it
    bool has_tied_head;
  };

  // kUnsupported, kCorrupt: errors name the adapter's file and what does not fit.
  static Result<Adapters> open(std::span<const AdapterChoice> choices, const Base& base);

  // By canonical name, of experts and heads one by one as well ("layers.0.gate.7").
  const std::map<std::string, std::vector<WeightDelta>, std::less<>>& deltas() const {
    return deltas_;
  }
  // Tensors in place of the model's own, by canonical name.
  const TensorMap& wholes() const { return wholes_; }
  // Changes with files and scales; 0: there are none.
  std::uint64_t stamp() const { return stamp_; }
  std::uint64_t bytes() const { return bytes_; }  // of what is held as floats
  // Not ok when a file that whole tensors are read from was cut while it was read.
  Status health() const;
  // One line for each, as `show` prints it.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  friend class Fitter;

  std::vector<std::shared_ptr<const void>> owners_;  // of the wholes
  std::vector<std::unique_ptr<std::vector<float>>> floats_;
  TensorMap wholes_;
  std::map<std::string, std::vector<WeightDelta>, std::less<>> deltas_;
  std::vector<std::span<const MappedFile>> files_;
  std::uint64_t stamp_ = 0, bytes_ = 0;
  std::vector<std::string> notes_;
};

}  // namespace quire
