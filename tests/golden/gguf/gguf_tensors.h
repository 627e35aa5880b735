// What becomes of a checkpoint's tensors when it is converted to GGUF for llama.cpp: rows of
// queries and keys in another order, norms as they are instead of their distance from 1, heads
// taken out of a weave, experts stacked. The changes are facts of its converter, kept here apart
// from the readers under src/, which are tested by them. Pure function. Used by gguf_form.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tiny_fixture.h"

namespace quire::testing {

struct StoredTensor {
  std::string name;
  std::vector<std::size_t> shape;  // outermost first
  std::vector<float> values;

  std::size_t rows() const;  // all dimensions but the last
};

StoredTensor transposed(const StoredTensor& tensor);  // of two dimensions

// Rows [first, first + count) of the first dimension but `dimension`.
StoredTensor part_of(const StoredTensor& tensor, std::string name, std::size_t dimension,
                     std::size_t first, std::size_t count);

// The two halves of a head alternate: a pair that turns lies side by side.
StoredTensor pairs_together(StoredTensor tensor, std::size_t heads);

// A decay instead of the logarithm of its size.
void to_rates(StoredTensor& tensor);

// The way up from a latent becomes keys, transposed, and values; what is none stays.
std::vector<StoredTensor> latent_tensors(const Json& config, StoredTensor tensor);

// Of a fixture, as a file of this architecture (its name in GGUF) has them.
std::vector<StoredTensor> gguf_tensors(const TinyFixture& fixture, std::string_view architecture);

}  // namespace quire::testing
