// OpReport: where the time of a step goes, op by op, beside the least that a machine of the
// measured roofline would need for the same reads and operations. What is between the ops (step
// inputs, the model's own lines, hand-over to the next op) is the line "rest of the step".
// Pure functions and plain values, per step; used by lab/bench.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "lab/bench/op_times.h"
#include "lab/roofline.h"

namespace quire {

struct OpLine {
  std::string name;
  double calls = 0;
  double seconds = 0;
  double share = 0;       // of the step
  double bytes = 0;       // that had to be read (written, too, where there are no weights or KV)
  double operations = 0;  // a multiply-add is two
  double limit = 0;       // least seconds: the larger of bytes / bandwidth and operations / peak
  bool is_memory_bound = false;

  double limit_share() const { return seconds > 0 ? limit / seconds : 0; }
};

struct OpReport {
  int steps = 0;            // 0: ops were not timed
  double step_seconds = 0;  // mean
  std::vector<OpLine> lines;
};

// The totals of `steps` steps that took `seconds` together.
OpReport make_op_report(const std::vector<OpTotals>& totals, int steps, double seconds,
                        const Roofline& roofline);

std::string op_table(const std::string& test, const OpReport& report);
Json op_json(const OpReport& report);

}  // namespace quire
