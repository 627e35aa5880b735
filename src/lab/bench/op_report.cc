#include "lab/bench/op_report.h"

#include <fmt/format.h>

#include <algorithm>

namespace quire {
namespace {

OpLine line_of(const OpTotals& totals, double steps, const Roofline& roofline) {
  const auto operations = [&](ActivationForm form) {
    return totals.operations[static_cast<std::size_t>(form)] / steps;
  };
  OpLine line{.name = totals.name};
  line.calls = static_cast<double>(totals.calls) / steps;
  line.seconds = totals.seconds / steps;
  line.bytes = totals.bytes / steps;
  const double reading = line.bytes / roofline.read_bytes_per_second;
  double computing = 0;
  for (const auto& [form, peak] :
       {std::pair{ActivationForm::kF32, roofline.f32_operations_per_second},
        std::pair{ActivationForm::kBF16, roofline.bf16_operations_per_second},
        std::pair{ActivationForm::kInt8, roofline.int8_operations_per_second},
        std::pair{ActivationForm::kInt8Token, roofline.int8_token_operations_per_second}}) {
    line.operations += operations(form);
    computing += operations(form) / peak;
  }
  line.limit = std::max(reading, computing);
  line.is_memory_bound = reading >= computing;
  return line;
}

}  // namespace

OpReport make_op_report(const std::vector<OpTotals>& totals, int steps, double seconds,
                        const Roofline& roofline) {
  OpReport report;
  if (steps == 0) return report;
  report.steps = steps;
  report.step_seconds = seconds / steps;
  OpLine rest{.name = "rest of the step", .seconds = report.step_seconds};
  for (const OpTotals& op : totals) {
    report.lines.push_back(line_of(op, steps, roofline));
    rest.seconds -= report.lines.back().seconds;
  }
  report.lines.push_back(std::move(rest));
  for (OpLine& line : report.lines) line.share = line.seconds / report.step_seconds;
  return report;
}

std::string op_table(const std::string& test, const OpReport& report) {
  std::string text = fmt::format("{}: {} steps of {:.3f} ms; per step:\n", test, report.steps,
                                 report.step_seconds * 1e3);
  text += fmt::format("  {:<18}{:>6}{:>10}{:>8}{:>10}{:>9}{:>8}{:>8}{:>10}{:>8}  {}\n", "op",
                      "calls", "ms", "share", "MB", "GOP", "GB/s", "TOP/s", "limit ms", "of it",
                      "bound");
  for (const OpLine& line : report.lines) {
    text += fmt::format("  {:<18}{:>6}{:>10.3f}{:>7.1f}%", line.name,
                        line.calls > 0 ? fmt::format("{:.0f}", line.calls) : "",
                        line.seconds * 1e3, line.share * 100);
    if (line.limit > 0) {
      text += fmt::format("{:>10.2f}{:>9.2f}{:>8.1f}{:>8.3f}{:>10.3f}{:>7.1f}%  {}",
                          line.bytes * 1e-6, line.operations * 1e-9,
                          line.bytes / line.seconds * 1e-9, line.operations / line.seconds * 1e-12,
                          line.limit * 1e3, line.limit_share() * 100,
                          line.is_memory_bound ? "memory" : "compute");
    }
    text += '\n';
  }
  return text;
}

Json op_json(const OpReport& report) {
  Json ops = Json::array();
  for (const OpLine& line : report.lines) {
    ops.push(Json::object({{"op", line.name},
                           {"calls_per_step", line.calls},
                           {"seconds_per_step", line.seconds},
                           {"share_of_step", line.share},
                           {"bytes_per_step", line.bytes},
                           {"operations_per_step", line.operations},
                           {"limit_seconds_per_step", line.limit},
                           {"share_of_limit", line.limit_share()},
                           {"bound", line.is_memory_bound ? "memory" : "compute"}}));
  }
  return ops;
}

}  // namespace quire
