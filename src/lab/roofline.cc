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

void measure_read(ThreadPool& pool, const RooflineLoops& loops, bool is_quick, Roofline& roofline) {
  const std::size_t size = is_quick ? std::size_t{128} << 20 : std::size_t{1} << 30;
  const int repeats = is_quick ? 2 : 5;
  for (const bool has_huge_pages : {false, true}) {
    const PageBuffer buffer(size, has_huge_pages, pool);
    for (const ReadVariant& variant : loops.read) {
      double seconds_min = seconds_of_read(pool, buffer, variant.run);
      for (int i = 1; i < repeats; ++i) {
        seconds_min = std::min(seconds_min, seconds_of_read(pool, buffer, variant.run));
      }
      const double rate = static_cast<double>(size) / seconds_min;
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
}

// Operations per second of all threads together; 0 where there is no such loop.
double measure_compute(ThreadPool& pool, const ComputeLoop& loop, bool is_quick) {
  if (loop.run == nullptr) return 0;
  const auto seconds_of = [&](std::uint64_t rounds) {
    const Nanos start = SteadyClock::now();
    pool.run([&](int, int) { loop.run(rounds); });
    return to_seconds(SteadyClock::now() - start);
  };
  // As many rounds as take a tenth of a second, found by doubling.
  const double seconds_wanted = is_quick ? 0.005 : 0.1;
  std::uint64_t rounds = 1 << 12;
  while (seconds_of(rounds) < seconds_wanted / 2 && rounds < (std::uint64_t{1} << 40)) rounds *= 2;
  double seconds_min = seconds_of(rounds);
  for (int i = 0; i < 4; ++i) seconds_min = std::min(seconds_min, seconds_of(rounds));
  return loop.operations_per_round * static_cast<double>(rounds) * pool.threads() / seconds_min;
}

// The loops of the widest instruction set that this machine has and the caller allows.
RooflineLoops choose_loops(std::string_view isa) {
#if defined(__x86_64__)
  const CpuInfo& cpu = cpu_info();
  if (cpu.has_avx512 && isa != "avx_vnni" && isa != "avx2" && isa != "scalar") {
    RooflineLoops loops = kAvx512Loops;
    loops.int8 = cpu.has_avx512_vnni ? kAvx512VnniInt8Loop : kAvx2Loops.int8;
    if (cpu.has_avx512_bf16) loops.bf16 = kAvx512Bf16Loop;
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

}  // namespace

Roofline measure_roofline(const RooflineOptions& options) {
  const RooflineLoops loops = choose_loops(options.isa);
  ThreadPool pool(options.threads);
  Roofline roofline;
  roofline.threads = options.threads;
  roofline.isa = loops.isa;
  measure_read(pool, loops, options.is_quick, roofline);
  roofline.int8_operations_per_second = measure_compute(pool, loops.int8, options.is_quick);
  roofline.f32_operations_per_second = measure_compute(pool, loops.f32, options.is_quick);
  roofline.bf16_operations_per_second = loops.bf16.run != nullptr
                                            ? measure_compute(pool, loops.bf16, options.is_quick)
                                            : roofline.f32_operations_per_second;
  return roofline;
}

}  // namespace quire
