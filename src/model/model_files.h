// ModelFiles: an opened model whose architecture is known: its design, and its tensors under the
// canonical names of the design's rules, as views into the mapped files that it owns where it can.
// Once open, every tensor of the architecture is there with the shape that the configuration
// implies, and the file has no tensor that the architecture does not know.
// Immutable once opened; any thread. Called by apps, lab and tests through open_model.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "model/adapt.h"
#include "model/adapter_choice.h"
#include "model/architecture.h"
#include "model/tensor_match.h"

namespace quire {

class ModelFiles {
 public:
  struct Parts {
    Design design;
    MatchedTensors tensors;
    Adapters adapters;  // that are put on them
    std::function<Result<std::string>()> tokenizer_json;
    std::vector<std::string> left_out;  // tensors of other kinds of models in the same files
    std::shared_ptr<const void> owner;  // keeps the mapped files
    std::span<const MappedFile> files;  // of the weights, in order; empty: made in memory
  };
  explicit ModelFiles(Parts parts);  // counts parameters, bytes and types

  const ModelFacts& facts() const { return parts_.design.facts; }
  const Design& design() const { return parts_.design; }
  // Names, types and shapes; data perhaps when found.
  const TensorMap& tensors() const { return parts_.tensors.views(); }
  std::span<const std::string> left_out() const { return parts_.left_out; }
  Result<TensorView> find(std::string_view canonical_name) const {
    return parts_.tensors.find(canonical_name);
  }

  // The first file of the weights; empty if they were made in memory.
  std::string path() const { return parts_.files.empty() ? "" : parts_.files.front().path(); }
  // Changes when a file of the weights or an adapter does; 0 if there is none.
  std::uint64_t stamp() const;
  // Not ok when a file of the weights was cut or became unreadable while it was read.
  Status health() const;
  // The pages of the files leave this process's memory and come back when they are read again; what
  // quantized weights were unpacked into goes, too. REQUIRES: views of unpacked matrices that were
  // found before are not read any more: products have packed them.
  void drop_resident() const;
  // Of what adapters add, as long as the model lives.
  std::uint64_t adapter_bytes() const { return parts_.adapters.bytes(); }
  // Gives back what was made of one rule's tensors, which are made anew when they are asked for.
  // REQUIRES: nobody reads views of them that were found before.
  void let_go(std::string_view canonical_name) const { parts_.tensors.let_go(canonical_name); }
  // The same of anything but a table, whose rows are read again.
  void let_go_matrix(std::string_view canonical_name) const;

  // The bytes of a tokenizer.json, made or read anew at each call.
  Result<std::string> tokenizer_json() const { return parts_.tokenizer_json(); }

 private:
  Parts parts_;
};

// `tokenizer_path` replaces the model's own tokenizer; see Checkpoint::open. Adapters are added to
// the weights, in their order. Errors name the file.
Result<std::unique_ptr<ModelFiles>> open_model(const std::string& path,
                                               const std::string& tokenizer_path = {},
                                               std::span<const AdapterChoice> adapters = {});

}  // namespace quire
