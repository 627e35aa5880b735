// The backend with all cores: `linear` over weights larger than any cache, and attention at decode
// and prefill shapes of a 1B llama (32/8 heads of 64). The figures to hold against read bandwidth
// and against the int8 and bf16 peaks of `quire bench`.
#include <benchmark/benchmark.h>

#include <numeric>

#include "backend/cpu/cpu_backend.h"
#include "backend/testing/one_op.h"
#include "kernels/random_weights_for_tests.h"
#include "base/cpu/cpu_info.h"
#include "kernels/select.h"

namespace quire {
namespace {

constexpr int kColumns = 2048;

void linear(benchmark::State& state, DType dtype, int tokens) {
  CpuBackend backend(**select_kernels(""), cpu_info().cores);
  const int rows = tokens > 64 ? 8192 : 65536;
  std::vector<std::byte> bytes(static_cast<std::size_t>(rows) * row_bytes(dtype, kColumns));
  std::mt19937 engine(1);
  std::vector<std::byte> some(row_bytes(dtype, kColumns));
  ::quire::testing::fill_random_weights(dtype, engine, 0.05f, some);
  for (std::size_t at = 0; at < bytes.size(); at += some.size()) {
    std::copy(some.begin(), some.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
  }
  const TensorView view{"w", dtype, {static_cast<std::size_t>(rows), kColumns}, bytes.data()};
  const Weight weight = *backend.adopt(view);
  QUIRE_CHECK(backend.pack(weight).is_ok(), "out of memory");
  const Buffer x = backend.buffer(Rows::kTokens, tokens, kColumns);
  const Buffer out = backend.buffer(Rows::kTokens, tokens, rows);
  Program program;
  program.linear(x, {{&weight, &out}});
  const ::quire::testing::PlainBatch batch(tokens);
  for (auto _ : state) batch.run(backend, program);
  using benchmark::Counter;
  state.counters["GB/s"] =
      Counter(static_cast<double>(weight.bytes) / 1e9, Counter::kIsIterationInvariantRate);
  state.counters["TOP/s"] =
      Counter(2e-12 * rows * kColumns * tokens, Counter::kIsIterationInvariantRate);
}

// `rows` sequences of `past` positions, each fed `tokens` more.
void attention(benchmark::State& state, DType kv_type, int rows, int past, int tokens) {
  CpuBackend backend(**select_kernels(""), cpu_info().cores);
  const int length = past + tokens, blocks = (length + 31) / 32, width = 2048, layers = 8;
  KvGroupShape group;
  group.layers = layers;
  group.kv_heads = 8;
  group.k_dim = group.v_dim = 64;
  group.blocks = blocks * rows + 1;
  group.types = kv_type;
  auto kv = backend.kv_store({&group, 1}).value();
  std::vector<std::int32_t> ids, positions, begins = {0}, lengths, tables = {0}, table;
  for (int row = 0; row < rows; ++row) {
    for (int t = 0; t < tokens; ++t) positions.push_back(past + t);
    begins.push_back(static_cast<std::int32_t>(positions.size()));
    lengths.push_back(length);
    for (int block = 0; block < blocks; ++block) table.push_back(1 + row * blocks + block);
    tables.push_back(static_cast<std::int32_t>(table.size()));
  }
  ids.resize(positions.size());
  const GroupView view{{}, lengths, tables, table};
  const BatchView batch{ids, positions, begins, {}, {}, {&view, 1}, nullptr};
  const CpuKvGroup& memory = static_cast<CpuKvStore&>(*kv).memory[0];
  std::memset(memory.data.get(), 0, memory.layer_bytes * layers);
  const Buffer q = backend.buffer(Rows::kTokens, rows * tokens, width);
  const Buffer out = backend.buffer(Rows::kTokens, rows * tokens, width);
  ::quire::testing::want(out);
  Attend attend;
  attend.heads = 32;
  attend.kv_heads = 8;
  attend.k_dim = attend.v_dim = 64;
  attend.scale = 0.125f;
  Program program;
  program.attend(q, attend, out);
  for (auto _ : state) {
    backend.run(program, batch, *kv);
    attend.cache.layer = (attend.cache.layer + 1) % layers;
  }
  using benchmark::Counter;
  const double positions_read = static_cast<double>(rows) * length;
  const double pairs = static_cast<double>(rows) * tokens * (past + 0.5 * tokens);
  state.counters["GB/s"] = Counter(
      positions_read * static_cast<double>(kv_block_bytes(group)) / (layers * kBlockTokens) / 1e9,
      Counter::kIsIterationInvariantRate);
  state.counters["TOP/s"] = Counter(pairs * 4 * 2048 * 1e-12, Counter::kIsIterationInvariantRate);
}

const bool kRegistered = [] {
  for (const DTypeInfo& info : kDTypes) {
    for (int tokens : {1, 2, 4, 8, 16, 32, 512}) {
      const std::string name = fmt::format("linear/{}/{}", info.name, tokens);
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        linear(state, info.dtype, tokens);
      })->UseRealTime();
    }
  }
  for (DType kv : {DType::kF32, DType::kF16, DType::kBF16, DType::kF8, DType::kI8, DType::kQ4_1}) {
    for (auto [rows, past, tokens] : {std::array{1, 8191, 1}, {16, 511, 1}, {1, 0, 512}}) {
      const std::string name =
          fmt::format("attention/{}/{}x{}+{}", dtype_name(kv), rows, past, tokens);
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        attention(state, kv, rows, past, tokens);
      })->UseRealTime();
    }
  }
  return true;
}();

}  // namespace
}  // namespace quire
