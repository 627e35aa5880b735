#include "lab/bench/bench_report.h"

#include <fmt/format.h>

namespace quire {
namespace {

Json line_json(const BenchLine& line) {
  Json json = Json::object({{"name", line.name},
                            {"tokens_per_second", line.tokens_per_second},
                            {"tokens_per_second_min", line.tokens_per_second_min},
                            {"tokens_per_second_max", line.tokens_per_second_max},
                            {"limit_tokens_per_second", line.limit},
                            {"share_of_limit", line.share},
                            {"share_min", line.share_min},
                            {"share_max", line.share_max},
                            {"read_bytes_per_second", line.read_bytes_per_second},
                            {"unsteady_repeats", line.unsteady},
                            {"bound", line.is_memory_bound ? "memory" : "compute"},
                            {"bytes_per_second", line.gigabytes_per_second * 1e9},
                            {"operations_per_second", line.teraoperations_per_second * 1e12},
                            {"is_broken", line.is_broken()}});
  if (line.ops.steps > 0) json.set("ops", op_json(line.ops));
  return json;
}

Json machine_json(const Roofline& r) {
  return Json::object({{"read_bytes_per_second", r.read_bytes_per_second},
                       {"read_loop", r.read_loop},
                       {"read_bytes_per_second_small_pages", r.read_bytes_per_second_small_pages},
                       {"int8_operations_per_second", r.int8_operations_per_second},
                       {"int8_token_operations_per_second", r.int8_token_operations_per_second},
                       {"bf16_operations_per_second", r.bf16_operations_per_second},
                       {"f32_operations_per_second", r.f32_operations_per_second}});
}

}  // namespace

std::string hash_text(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

std::string bench_table(const BenchSubject& subject, const BenchReport& report) {
  const Roofline& r = report.roofline;
  const bool has_tiles = r.int8_token_operations_per_second > r.int8_operations_per_second;
  const double tile_rate = r.int8_token_operations_per_second * 1e-12;
  const std::string tiles = has_tiles ? fmt::format(" ({:.3f} in tiles: W8A8)", tile_rate) : "";
  std::string text = fmt::format(
      "model    {}: {:.1f} M weights read per step, {:.1f} MB in the file's types, {:.1f} MB "
      "packed;\n"
      "         KV {} with {:.1f} KB a token\n"
      "machine  {}\n"
      "measured read {:.1f} GB/s ({}), {:.1f} GB/s without huge pages\n"
      "         int8 {:.3f} TOP/s{}, bf16 {:.3f} TFLOP/s, f32 {:.3f} TFLOP/s ({} loops)\n\n",
      subject.model, subject.cost.elements() * 1e-6, subject.cost.weight_bytes_of(1) * 1e-6,
      static_cast<double>(subject.packed_bytes) * 1e-6, kv_types_name(subject.kv_dtype),
      subject.cost.kv_bytes_per_token() * 1e-3, subject.backend,
      r.read_bytes_per_second * 1e-9, r.read_loop, r.read_bytes_per_second_small_pages * 1e-9,
      r.int8_operations_per_second * 1e-12, tiles, r.bf16_operations_per_second * 1e-12,
      r.f32_operations_per_second * 1e-12, r.isa);
  text += fmt::format("{:<18}{:>10}{:>20}{:>10}{:>8}{:>14}  {:<8}{:>8}{:>9}\n", "test",
                      "tokens/s", "(min .. max)", "limit", "of it", "(min .. max)", "bound",
                      "GB/s", "TOP/s");
  for (const BenchLine& line : report.lines) {
    text += fmt::format(
        "{:<18}{:>10.1f}{:>20}{:>10.1f}{:>7.1f}%{:>14}  {:<8}{:>8.1f}{:>9.3f}{}{}\n", line.name,
        line.tokens_per_second,
        fmt::format("({:.1f} .. {:.1f})", line.tokens_per_second_min, line.tokens_per_second_max),
        line.limit, 100 * line.share,
        fmt::format("({:.0f} .. {:.0f})", 100 * line.share_min, 100 * line.share_max),
        line.is_memory_bound ? "memory" : "compute", line.gigabytes_per_second,
        line.teraoperations_per_second,
        line.unsteady > 0 ? fmt::format("  the machine changed in {} of the repeats", line.unsteady)
                          : "",
        line.is_broken() ? "  BROKEN MEASUREMENT: above the limit" : "");
  }
  for (const BenchLine& line : report.lines) {
    if (line.ops.steps > 0) text += "\n" + op_table(line.name, line.ops);
  }
  text += fmt::format("\nlogits hash {}\n", hash_text(report.logits_hash));
  return text;
}

std::string bench_json(const BenchSubject& subject, const BenchReport& report) {
  Json tests = Json::array();
  for (const BenchLine& line : report.lines) tests.push(line_json(line));
  return dump(Json::object({{"model", subject.model},
                            {"cpu", subject.cpu},
                            {"isa", subject.isa},
                            {"threads", subject.threads},
                            {"kv_cache_dtype", kv_types_name(subject.kv_dtype)},
                            {"weights_per_step", subject.cost.elements()},
                            {"weight_bytes_per_step", subject.cost.weight_bytes_of(1)},
                            {"packed_bytes_per_step", subject.packed_bytes},
                            {"kv_bytes_per_token", subject.cost.kv_bytes_per_token()},
                            {"logits_hash", hash_text(report.logits_hash)},
                            {"machine", machine_json(report.roofline)},
                            {"tests", std::move(tests)}}));
}

std::string batched_table(const BenchSubject& subject, const std::vector<BatchedLine>& lines) {
  std::string text = fmt::format("model    {}\nmachine  {}\n\n", subject.model, subject.backend);
  text += fmt::format("{:>6}{:>6}{:>5}{:>8}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", "PP", "TG", "B",
                      "N_KV", "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s", "T s", "S t/s");
  for (const BatchedLine& line : lines) {
    text += fmt::format("{:>6}{:>6}{:>5}{:>8.0f}{:>10.3f}{:>10.2f}{:>10.3f}{:>10.2f}{:>10.3f}"
                        "{:>10.2f}\n",
                        line.prompt, line.generate, line.batch, line.kv_tokens(),
                        line.prompt_seconds, line.batch * line.prompt / line.prompt_seconds,
                        line.generate_seconds, line.batch * line.generate / line.generate_seconds,
                        line.seconds(), line.kv_tokens() / line.seconds());
  }
  return text;
}

std::string batched_json(const BenchSubject& subject, const std::vector<BatchedLine>& lines) {
  Json batched = Json::array();
  for (const BatchedLine& line : lines) {
    batched.push(Json::object({{"pp", line.prompt},
                               {"tg", line.generate},
                               {"b", line.batch},
                               {"t_pp", line.prompt_seconds},
                               {"s_pp", line.batch * line.prompt / line.prompt_seconds},
                               {"t_tg", line.generate_seconds},
                               {"s_tg", line.batch * line.generate / line.generate_seconds},
                               {"s", line.kv_tokens() / line.seconds()}}));
  }
  return dump(Json::object({{"model", subject.model},
                            {"isa", subject.isa},
                            {"threads", subject.threads},
                            {"batched", std::move(batched)}}));
}

}  // namespace quire
