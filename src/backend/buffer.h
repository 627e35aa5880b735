// Buffer and Vector: the floats of a step and of a model, in memory of the backend's. A model names
// them and never looks inside, so that the same forward pass runs on a host and on a device.
//
// A Buffer is [rows, columns] of float32, written whole by one op and read by later ones; how many
// rows it has in a step follows from what its rows are. The forms in which products want it
// (bfloat16, int8 groups with scales) are the backend's own affair.
// Cheap to copy; copies share the memory. Made at start-up by Backend::buffer and Backend::vector.
#pragma once

#include <cstdint>
#include <memory>

namespace quire {

// What the rows of a buffer are.
enum class Rows : std::uint8_t {
  kTokens,  // the step's tokens
  kWanted,  // those whose logits are wanted
  kRouted,  // token and expert: `per_token` rows for each token
  kPooled,  // sequences whose pooled vector is wanted
};

struct BufferMemory {
  virtual ~BufferMemory() = default;
};

struct Buffer {
  Rows rows = Rows::kTokens;
  int per_token = 1;  // rows of a token: of kRouted, the experts that it uses
  int columns = 0;
  std::shared_ptr<BufferMemory> memory;

  explicit operator bool() const { return memory != nullptr; }
};

// Constants of a model: norms, biases, slopes, tables of angles.  [count]
struct Vector {
  int count = 0;
  std::shared_ptr<const float> values;  // on the device

  explicit operator bool() const { return values != nullptr; }
};

}  // namespace quire
