// Makes the Hugging Face folder of a tiny fixture: config.json and model.safetensors, its values
// from a counter of (seed, name, index): the arithmetic of tools/golden/weights.py, bit for bit.
// Every value is a bfloat16, so that files of F32 and of BF16 hold the same model. One thread.
#pragma once

#include <string>
#include <vector>

#include "formats/testing/temp_folder.h"
#include "tensor/dtype.h"
#include "tiny_fixture.h"

namespace quire::testing {

// The values of one tensor, row by row.
std::vector<float> tiny_values(std::uint64_t seed, const GoldenTensor& tensor);

// REQUIRES: dtype is kF32 or kBF16, `spelling` one of the fixture's.
void write_tiny_checkpoint(const TinyFixture& fixture, const TinySpelling& spelling, DType dtype,
                           const TempFolder& folder);

}  // namespace quire::testing
