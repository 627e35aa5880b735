// AdapterFile: a LoRA adapter as its file has it: pairs of matrices A and B, each for one tensor of
// a model, to which scale * B A is added (Hu et al., "LoRA: Low-Rank Adaptation of Large Language
// Models", 2021). Two kinds are read: a GGUF file (general.type "adapter", as llama.cpp converts
// them), and a folder of PEFT (adapter_config.json and adapter_model.safetensors), which may have
// whole tensors beside, in place of the model's. What else adapters may hold (biases, magnitudes of
// DoRA) is refused by name.
// Owns the mapped file. Immutable; any thread. Used by model/adapt.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "formats/config/fields.h"
#include "tensor/tensor.h"

namespace quire {

struct AdapterPair {
  std::string target;     // the model's tensor, as this kind of file calls it
  // F32, F16 or BF16. A [rank, columns] and B [rows, rank] of a product's weight; of a table, whose
  // rows are looked up, A [rows, rank] and B [columns, rank]; of experts in one tensor, each with
  // the experts in front.
  TensorView a, b;
  bool is_of_table = false;
  float scale = 1;
};

// In place of the model's own: what was trained as a whole, or saved with it.
struct AdapterWhole {
  std::string target;
  TensorView tensor;  // F32, F16 or BF16
};

struct AdapterFile {
  Naming naming = Naming::kHuggingFace;
  std::string architecture;        // of the model that it is for; empty: not said
  std::vector<AdapterPair> pairs;  // by the names of their targets
  std::vector<AdapterWhole> wholes;  // likewise
  std::shared_ptr<const void> owner;
  std::span<const MappedFile> files;  // which the tensors point into; of the owner
  std::uint64_t stamp = 0;  // changes when the file does

  // Errors name the file, and the key or tensor.
  static Result<AdapterFile> open(const std::string& path);
};

// A row of a pair's matrix A or B as float32.  REQUIRES: one of the types above.
void read_floats(const TensorView& tensor, std::size_t first, std::size_t count, float* out);

}  // namespace quire
