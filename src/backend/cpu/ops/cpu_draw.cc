// CpuBackend's draws: rows of logits over all workers, each on its own.
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/ops/draw_row.h"
#include "base/clock.h"

namespace quire {

std::vector<Drawn> CpuBackend::draw(const Buffer& logits, std::span<const DrawTask> tasks) {
  const Nanos start = watch_ == nullptr ? Nanos(0) : SteadyClock::now();
  const CpuBuffer& memory = cpu(logits);
  QUIRE_CHECK(tasks.empty() || memory.f32, "draws from logits that nobody wrote");
  for (const DrawTask& task : tasks) {
    QUIRE_CHECK(task.row >= 0 && task.row < memory.rows_max, "a draw from row {} of {}", task.row,
                memory.rows_max);
  }
  const auto vocab = static_cast<std::size_t>(logits.columns);
  std::vector<Drawn> drawn(tasks.size());
  pool_.for_each(static_cast<int>(tasks.size()), [&](int item, int) {
    const auto i = static_cast<std::size_t>(item);
    drawn[i] = draw_row(kernels_, tasks[i], {memory.floats(tasks[i].row), vocab});
  });
  if (watch_ != nullptr) watch_->drew(logits, tasks, SteadyClock::now() - start);
  return drawn;
}

}  // namespace quire
