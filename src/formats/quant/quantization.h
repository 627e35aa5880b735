// Quantization: what a `quantization_config` says, ready to be applied to the tensors of the file:
// scales put to the codes, packed integers replaced by weights that are made when asked for. What
// comes out has the names of plain weights, so that nobody after it knows the method.
// Plain values; any thread. Made by quant_methods, applied by checkpoint.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/containers/safetensors.h"
#include "formats/quant/late_tensor.h"
#include "tensor/tensor.h"

namespace quire {

// Says where a tensor is, for messages: "at offset 123".
using TensorPlace = std::function<std::string(const TensorView&)>;

struct FileTensors {
  std::span<const TensorView> tensors;
  std::span<const IntegerTensor> integers;
  const TensorPlace& place;
};

// The tensors of a file with scales where they belong; tensors of scales, zeros and codes are gone
// from the list.
struct ScaledTensors {
  std::vector<TensorView> tensors;
  std::vector<std::vector<float>> scales;  // that the views point into
  // That the views' rules point into; those of the same columns are one.
  std::vector<std::shared_ptr<const std::vector<std::uint32_t>>> orders;
  // Of the views without data, by name; they read the file when they are asked.
  std::map<std::string, std::shared_ptr<const LateTensor>, std::less<>> late;
  std::size_t rounded = 0;  // weights that no tile holds as they are, and are BF16
  std::string reason;       // of the first of them, with its name
};

// What a method asks of the numbers that its weights are multiplied with.
struct AskedInput {
  InputRule rule;
  bool is_stated = false;  // each module states the scale, in a tensor; else it is found
  std::string text;        // "FP8, a scale for each token"; empty: nothing is asked
};

struct Quantization {
  std::string text;             // for `show`: "gptq, 4 bits, groups of 128"
  std::string activations;      // what it asks of them where that is a setting; or empty
  std::string cache;            // what it asks of the KV cache, which is a setting; or empty
  bool takes_integers = false;  // tensors of I32, I64 and U8 are part of it
  std::function<Result<ScaledTensors>(const FileTensors& file)> apply;

  explicit operator bool() const { return apply != nullptr; }
};

}  // namespace quire
