#include "apps/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <memory>

#include "apps/bench_serve.h"
#include "apps/flags.h"
#include "apps/model_arguments.h"
#include "apps/model_path.h"
#include "base/text/ascii.h"
#include "base/cpu/cpu_info.h"
#include "base/json.h"
#include "lab/bench/bench.h"
#include "lab/bench/bench_report.h"
#include "lab/logits_hash.h"
#include "lab/random_model.h"
#include "model/model_files.h"
#include "model/registry.h"

namespace quire {
namespace {

std::vector<std::string> type_names() {
  std::vector<std::string> names;
  for (const DTypeInfo& info : kDTypes) names.push_back(lower_ascii(weight_type_name(info.dtype)));
  return names;
}

DType type_of(const std::string& name) {
  for (const DTypeInfo& info : kDTypes) {
    if (lower_ascii(weight_type_name(info.dtype)) == lower_ascii(name)) return info.dtype;
  }
  QUIRE_CHECK(false, "the command line let type '{}' through", name);
}

// A length of 0 leaves a kind of test out.
std::vector<int> without_zeros(std::vector<int> counts) {
  std::erase(counts, 0);
  return counts;
}

// What is measured: a design, where its tensors come from, and what to call it.
struct Subject {
  Design design;
  TensorFinder find;
  std::string name;
};

Result<Subject> open_subject(const BenchArguments& a) {
  if (!a.model.empty()) {
    QUIRE_ASSIGN_OR_RETURN(const FoundModel found, find_model(a.model));
    QUIRE_ASSIGN_OR_RETURN(auto opened, open_model(found.path, "", found.adapters));
    const std::shared_ptr<ModelFiles> files = std::move(opened);
    return Subject{files->design(), [files](std::string_view name) { return files->find(name); },
                   std::filesystem::path(a.model).filename().string()};
  }
  const DType dtype = type_of(a.type);
  RandomModelOptions options;
  options.dtype = dtype;
  options.threads = a.threads;
  QUIRE_ASSIGN_OR_RETURN(RandomModel random, make_random_model(a.shape, options));
  return Subject{random.design, random.find,
                 fmt::format("{} {} (random weights)", a.shape, weight_type_name(dtype))};
}

Status print_hashes(const BenchArguments& a) {
  QUIRE_ASSIGN_OR_RETURN(const auto hashes, tiny_logits_hashes(a.threads, a.isa));
  const std::string combined = hash_text(combined_hash(hashes));
  std::string text;
  for (const TinyHash& tiny : hashes) {
    const std::string hash = hash_text(tiny.hash);
    text += a.is_json ? fmt::format("\"{}\": \"{}\", ", tiny.name, hash)
                      : fmt::format("{:<18} {}\n", tiny.name, hash);
  }
  text = a.is_json ? fmt::format("{{{}\"logits_hash\": \"{}\"}}\n", text, combined)
                   : fmt::format("{}{:<18} {}\n", text, "logits hash", combined);
  std::fputs(text.c_str(), stdout);
  return ok_status();
}

BenchOptions tests_of(const BenchArguments& a) {
  BenchOptions tests;
  tests.prompts = without_zeros(a.prompts);
  tests.generate = a.generate;
  tests.batches = without_zeros(a.batches);
  tests.depth = a.depth;
  tests.chunk = a.chunk;
  tests.repeats = a.repeats;
  if (a.is_batched && !tests.prompts.empty()) {
    tests.depth = *std::max_element(tests.prompts.begin(), tests.prompts.end());
  }
  return tests;
}

Status append_to(const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "ae");
  const bool is_open = file != nullptr;
  bool is_whole = is_open && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (is_open) is_whole = std::fclose(file) == 0 && is_whole;
  if (is_whole) return ok_status();
  return error(StatusCode::kUnavailable, "'{}' cannot be written: {}", path,
               std::strerror(errno));
}

// One line of bench/compare --history.
Status save(const BenchArguments& a, const std::string& json) {
  const auto now = static_cast<std::int64_t>(std::time(nullptr));
  std::string line = fmt::format("{{\"saved_at\":{},\"label\":", now);
  append_json_string(a.label, line);
  line += "," + json.substr(1) + "\n";
  return append_to(a.history, line);
}

Result<bool> print_speed(const BenchArguments& a) {
  // Told before minutes are spent.
  if (!a.history.empty()) QUIRE_RETURN_IF_ERROR(append_to(a.history, ""));
  QUIRE_ASSIGN_OR_RETURN(Subject subject, open_subject(a));
  if (!a.quantize.empty()) subject.name += " quantized to " + a.quantize;
  const BenchOptions tests = tests_of(a);
  BenchModelOptions base;
  base.threads = a.threads;
  base.isa = a.isa;
  base.has_huge_pages = a.has_huge_pages;
  base.is_timing_ops = a.is_timing_ops;
  if (!a.quantize.empty()) base.weights = WeightScheme::kW8A8;
  QUIRE_ASSIGN_OR_RETURN(base.kv_dtype, parse_kv_types(a.kv_cache_dtype));
  QUIRE_ASSIGN_OR_RETURN(const auto model,
                         BenchModel::open(subject.design, subject.find, room_for(tests, base)));
  const BenchSubject about = {subject.name,
                              cpu_info().model,
                              model->backend().description(),
                              std::string(model->backend().isa()),
                              model->backend().threads(),
                              base.kv_dtype,
                              model->cost(),
                              model->packed_bytes()};
  const auto print = [](const std::string& text) { std::fputs(text.c_str(), stdout); };
  if (a.is_batched) {
    QUIRE_ASSIGN_OR_RETURN(const auto lines, measure_batched(*model, tests));
    print(a.is_json ? batched_json(about, lines) + "\n" : batched_table(about, lines));
    return true;
  }
  QUIRE_ASSIGN_OR_RETURN(const BenchReport report, measure_speed(*model, tests));
  print(a.is_json ? bench_json(about, report) + "\n" : bench_table(about, report));
  if (!a.history.empty()) QUIRE_RETURN_IF_ERROR(save(a, bench_json(about, report)));
  return std::none_of(report.lines.begin(), report.lines.end(),
                      [](const BenchLine& line) { return line.is_broken(); });
}

}  // namespace

void declare_bench(Command& parent, std::function<int()>& chosen) {
  Command command = parent.command(
      "bench", "Measure speed beside what this machine can do at most");
  auto a = std::make_shared<BenchArguments>();
  const auto shapes = random_shapes();
  command.value("MODEL", a->model, "file, directory or name (default: random weights)");
  command.value("--shape", a->shape, "shape of a model with random weights")
      .one_of(std::vector<std::string>(shapes.begin(), shapes.end()))
      .shows_default();
  command.value("--type", a->type, "type of its weights")
      .one_of_in_any_case(type_names())
      .shows_default();
  declare_quantize_flag(command, a->quantize);
  command.value("--threads", a->threads, "compute threads (default: every core)")
      .between(1, 1024);
  command.value("--isa", a->isa,
                "avx512_amx, avx512, avx512_vnni, avx_vnni, avx2 or scalar "
                "(default: the best here)");
  declare_kv_dtype_flag(command, a->kv_cache_dtype);
  declare_huge_pages_flag(command, a->has_huge_pages);
  command.value("--prompt", a->prompts, "tokens of each prefill test; 0: none")
      .separated_by(',')
      .between(0, 1 << 20)
      .shows_default();
  command.value("--generate", a->generate, "steps of each decode test")
      .between(1, 1 << 20)
      .shows_default();
  command.value("--batch", a->batches, "sequences of each decode test; 0: none")
      .separated_by(',')
      .between(0, 4096)
      .shows_default();
  command.value("--depth", a->depth, "positions in the KV cache before the first decode")
      .between(0, 1 << 20)
      .shows_default();
  command.value("--chunk", a->chunk, "tokens of a prefill step, at most")
      .between(1, 65536)
      .shows_default();
  command.value("--repeat", a->repeats, "measurements, of which the median counts")
      .between(1, 1000)
      .shows_default();
  command.toggle("--batched", a->is_batched,
                 "every prompt length with every batch, as llama-batched-bench prints it");
  command.toggle("--ops", a->is_timing_ops,
                 "below the table: time, bytes, operations and roofline of each op");
  command.toggle("--json", a->is_json, "one JSON object in place of the table");
  command.toggle("--hash-only", a->is_hash_only,
                 "only the logits hash of tiny random models: equal in every build, for any "
                 "number of threads");
  command.value("--save", a->history,
                "append the measurement to FILE, a line of JSON; bench/compare --history reads it");
  command.value("--label", a->label, "what --save calls it, such as the commit");
  declare_bench_serve(command, chosen);
  command.when_chosen([a, command, &chosen] {
    if (command.chosen().name() == command.name()) chosen = [a] { return run_bench(*a); };
  });
}

int run_bench(const BenchArguments& arguments) {
  BenchArguments a = arguments;
  if (a.threads == 0) a.threads = cpu_info().cores;
  if (!a.history.empty() && (a.is_batched || a.is_hash_only)) {
    std::fputs("quire bench: --save keeps tests: it goes with neither --batched nor --hash-only\n",
               stderr);
    return 1;
  }
  if (a.is_hash_only) {
    const Status status = print_hashes(a);
    if (!status.is_ok()) std::fprintf(stderr, "quire bench: %s\n", status.message().c_str());
    return status.is_ok() ? 0 : 1;
  }
  const auto is_sound = print_speed(a);
  if (!is_sound.is_ok()) {
    std::fprintf(stderr, "quire bench: %s\n", is_sound.status().message().c_str());
    return 1;
  }
  return *is_sound ? 0 : 1;
}

}  // namespace quire
