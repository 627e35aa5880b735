// OpTimes: watches a backend's runs and keeps books: calls, seconds, and what was to be read and
// computed, by name. What the backend runs as one pass is one line, named after its parts: the
// weights of products ("q+k+v", "down"), "norm", "attention", "draw". Two clock reads a pass.
// What counts as read: the weights in their smallest form (file or packed), those of experts that
// have a token; the KV of the positions that are seen and the states of the rows; and for passes
// that have neither, the floats that go in and out. These may come from a cache; then the pass is
// faster than memory, and its share of the roofline exceeds 1.
// One thread, as every Backend; used by quire bench --ops.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/nanos.h"
#include "kernels/kernel_table.h"

namespace quire {

// What the calls of one kind of pass took together.
struct OpTotals {
  std::string name;
  std::int64_t calls = 0;
  double seconds = 0;
  double bytes = 0;
  std::array<double, kActivationForms> operations{};  // attention counts as bf16
};

class OpTimes final : public RunWatch {
 public:
  // In the order in which the passes were first seen; those without a call are left out.
  std::vector<OpTotals> totals() const;
  void clear();

  void ran(std::span<const Op> ops, const BatchView& batch, const KvStore& kv,
           Nanos elapsed) override;
  void copied(const KvStore& kv, std::span<const BlockMove> moves, Nanos elapsed) override;
  void drew(const Buffer& logits, std::span<const DrawTask> tasks, Nanos elapsed) override;

 private:
  OpTotals& line_of(const std::string& name);

  std::vector<OpTotals> totals_;
  std::string name_;  // of the pass at hand; room
};

}  // namespace quire
