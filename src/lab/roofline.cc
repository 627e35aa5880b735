#include "lab/roofline.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>

#include "base/check.h"
#include "base/clock.h"
#include "base/cpu/cpu_info.h"
#include "base/cpu/thread_pool.h"
#include "lab/loops/loops.h"

namespace quire {
namespace {

// Fresh anonymous memory, written once so that every page is there.
class PageBuffer {
 public:
  PageBuffer(std::size_t size, bool has_huge_pages, ThreadPool& pool) : size_(size) {
    constexpr std::size_t kHugePage = std::size_t{2} << 20;
    mapped_ = ::mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                     -1, 0);
    QUIRE_CHECK(mapped_ != MAP_FAILED, "out of memory: {} bytes", size);
    const auto address = reinterpret_cast<std::uintptr_t>(mapped_);
    data_ = reinterpret_cast<std::byte*>((address + kHugePage - 1) / kHugePage * kHugePage);
    ::madvise(data_, size, has_huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    pool.run([&](int worker, int workers) {
      const std::size_t part = size_ / workers;
      std::memset(data_ + part * worker, worker + 1, part);
    });
  }
  ~PageBuffer() { ::munmap(mapped_, size_ + (std::size_t{2} << 20)); }
  PageBuffer(const PageBuffer&) = delete;
  PageBuffer& operator=(const PageBuffer&) = delete;

  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  void* mapped_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_;
};

std::atomic<std::uint64_t> g_sink;  // results go here, so that no loop can be left out

double seconds_of_read(ThreadPool& pool, const PageBuffer& buffer, ReadLoop loop) {
  const Nanos start = SteadyClock::now();
  pool.run([&](int worker, int workers) {
    const std::size_t part = buffer.size() / workers / kReadGranule * kReadGranule;
    g_sink += loop(buffer.data() + part * worker, part);
  });
  return to_seconds(SteadyClock::now() - start);
}

double read_rate(ThreadPool& pool, const PageBuffer& buffer, ReadLoop loop, int repeats) {
  double seconds_min = seconds_of_read(pool, buffer, loop);
  for (int i = 1; i < repeats; ++i) {
    seconds_min = std::min(seconds_min, seconds_of_read(pool, buffer, loop));
  }
  return static_cast<double>(buffer.size()) / seconds_min;
}

// Returns the loop that is the fastest on huge pages.
ReadLoop measure_read(ThreadPool& pool, const RooflineLoops& loops, bool is_quick,
                      Roofline& roofline) {
  const std::size_t size = is_quick ? std::size_t{128} << 20 : std::size_t{1} << 30;
  const int repeats = is_quick ? 2 : 5;
  ReadLoop best = nullptr;
  double best_rate = 0;
  for (const bool has_huge_pages : {false, true}) {
    const PageBuffer buffer(size, has_huge_pages, pool);
    for (const ReadVariant& variant : loops.read) {
      const double rate = read_rate(pool, buffer, variant.run, repeats);
      if (has_huge_pages && rate > best_rate) {
        best_rate = rate;
        best = variant.run;
      }
      if (rate > roofline.read_bytes_per_second) {
        roofline.read_bytes_per_second = rate;
        roofline.read_loop = fmt::format(
            "{} stream{}{}{}", variant.streams, variant.streams == 1 ? "" : "s",
            variant.is_prefetching ? ", prefetch" : "", has_huge_pages ? ", huge pages" : "");
      }
      if (!has_huge_pages)
        roofline.read_bytes_per_second_small_pages =
            std::max(roofline.read_bytes_per_second_small_pages, rate);
    }
  }
  return best;
}

// Operations per second of all threads together, the best of `repeats` runs of about `seconds`
// each; 0 where there is no such loop.
double compute_rate(ThreadPool& pool, const ComputeLoop& loop, double seconds, int repeats) {
  if (loop.run == nullptr) return 0;
  const auto seconds_of = [&](std::uint64_t rounds) {
    const Nanos start = SteadyClock::now();
    pool.run([&](int, int) { loop.run(rounds); });
    return to_seconds(SteadyClock::now() - start);
  };
  std::uint64_t rounds = 1 << 12;
  while (seconds_of(rounds) < seconds / 2 && rounds < (std::uint64_t{1} << 40)) rounds *= 2;
  double seconds_min = seconds_of(rounds);
  for (int i = 1; i < repeats; ++i) seconds_min = std::min(seconds_min, seconds_of(rounds));
  return loop.operations_per_round * static_cast<double>(rounds) * pool.threads() / seconds_min;
}

void measure_compute(ThreadPool& pool, const RooflineLoops& loops, double seconds, int repeats,
                     Roofline& roofline) {
  const auto rate = [&](const ComputeLoop& loop) {
    return compute_rate(pool, loop, seconds, repeats);
  };
  roofline.int8_operations_per_second = rate(loops.int8);
  const bool has_tiles = loops.int8_tiles.run != nullptr;
  roofline.int8_token_operations_per_second =
      has_tiles ? rate(loops.int8_tiles) : roofline.int8_operations_per_second;
  roofline.f32_operations_per_second = rate(loops.f32);
  roofline.bf16_operations_per_second =
      loops.bf16.run != nullptr ? rate(loops.bf16) : roofline.f32_operations_per_second;
}

// The loops of the widest instruction set that this machine has and the caller allows.
RooflineLoops choose_loops(std::string_view isa) {
#if defined(__x86_64__)
  const CpuInfo& cpu = cpu_info();
  if (cpu.has_avx512 && isa != "avx_vnni" && isa != "avx2" && isa != "scalar") {
    RooflineLoops loops = kAvx512Loops;
    loops.int8 = cpu.has_avx512_vnni ? kAvx512VnniInt8Loop : kAvx2Loops.int8;
    if (cpu.has_avx512_bf16 && isa != "avx512_vnni") loops.bf16 = kAvx512Bf16Loop;
    if (cpu.has_amx_int8 && isa != "avx512_vnni" && isa != "avx512") {
      loops.int8_tiles = kAmxInt8Loop;
    }
    return loops;
  }
  if (cpu.has_avx2 && isa != "scalar") {
    RooflineLoops loops = kAvx2Loops;
    if (cpu.has_avx_vnni && isa != "avx2") loops.int8 = kAvxVnniInt8Loop;
    return loops;
  }
#endif
  static_cast<void>(isa);
  return kScalarLoops;
}

constexpr double Roofline::*kRates[] = {
    &Roofline::read_bytes_per_second, &Roofline::read_bytes_per_second_small_pages,
    &Roofline::int8_operations_per_second, &Roofline::int8_token_operations_per_second,
    &Roofline::bf16_operations_per_second, &Roofline::f32_operations_per_second};

constexpr std::size_t kGaugeBytes = std::size_t{256} << 20;  // many times what caches hold
constexpr double kGaugeSeconds = 0.004;                      // of one compute loop

}  // namespace

struct RooflineGauge::State {
  explicit State(const RooflineOptions& options)
      : loops(choose_loops(options.isa)), pool(options.threads) {
    best.threads = options.threads;
    best.isa = loops.isa;
    read_loop = measure_read(pool, loops, options.is_quick, best);
    measure_compute(pool, loops, options.is_quick ? 0.005 : 0.1, 5, best);
    buffer = std::make_unique<PageBuffer>(options.is_quick ? kGaugeBytes / 4 : kGaugeBytes, true,
                                          pool);
  }

  RooflineLoops loops;
  ThreadPool pool;
  Roofline best;
  ReadLoop read_loop = nullptr;
  std::unique_ptr<PageBuffer> buffer;
};

RooflineGauge::RooflineGauge(const RooflineOptions& options)
    : state_(std::make_unique<State>(options)) {}

RooflineGauge::~RooflineGauge() = default;

const Roofline& RooflineGauge::best() const { return state_->best; }

Roofline RooflineGauge::read() {
  Roofline now = state_->best;
  now.read_bytes_per_second = read_rate(state_->pool, *state_->buffer, state_->read_loop, 3);
  measure_compute(state_->pool, state_->loops, kGaugeSeconds, 3, now);
  for (const auto rate : kRates) state_->best.*rate = std::max(state_->best.*rate, now.*rate);
  return now;
}

Roofline mean_of(const Roofline& a, const Roofline& b) {
  Roofline mean = a;
  for (const auto rate : kRates) mean.*rate = (a.*rate + b.*rate) / 2;
  return mean;
}

}  // namespace quire
