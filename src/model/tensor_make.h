// The bytes of a tensor that a file holds in another way than a product reads it: rows taken out of
// a weave, columns and rows exchanged, vectors converted. Codes of quantized rows move as they are;
// what has to be read value by value must be F32, F16 or BF16, or codes of a byte with scales
// beside them, which become BF16.
// Pure functions; any thread. Used by tensor_match.
#pragma once

#include <cstddef>
#include <vector>

#include "base/status.h"
#include "model/tensor_rules.h"
#include "tensor/tensor.h"

namespace quire {

// The row of the stored tensor that our row is.
std::size_t stored_row(const Stored& stored, std::size_t row);

// Whether a matrix or vector can be a view: its rows are one run, as they are.
bool is_view(const Stored& stored);

// Whether a matrix of this type can be rearranged value by value.
bool can_exchange(DType dtype);

// What it is made into: converted vectors are F32, exchanged codes BF16.
DType made_dtype(const TensorView& file, const Stored& stored);

// The scales of the rows of what is made of codes with scales beside them, a row's one behind the
// other. REQUIRES: such codes, not exchanged.
std::vector<float> make_scales(const TensorView& file, const Stored& stored, std::size_t rows);

// Rows [rows, columns] of `wanted`, out of `file`. REQUIRES: the shapes fit and
// the type can be read value by value where it must (tensor_match refuses others).
std::vector<std::byte> make_tensor(const TensorView& file, const Stored& stored,
                                   const std::vector<std::size_t>& wanted);

}  // namespace quire
