#include "serve/background/errands.h"

#include <iterator>
#include <utility>

namespace quire {

std::list<Errands::Errand> Errands::take_over_ones() {
  std::list<Errand> over;
  for (auto it = errands_.begin(); it != errands_.end();) {
    const auto errand = it++;
    if (errand->is_over) over.splice(over.end(), errands_, errand);
  }
  return over;
}

bool Errands::begin(std::function<void()> work) {
  std::list<Errand> over;
  bool has_begun = false;
  {
    const std::lock_guard lock(mutex_);
    over = take_over_ones();
    has_begun = errands_.size() < kAtOnce;
    if (has_begun) {
      Errand& errand = errands_.emplace_back();
      errand.thread = std::thread([this, &errand, work = std::move(work)]() mutable {
        work();
        work = nullptr;  // what it holds ends before it counts as over
        const std::lock_guard over_lock(mutex_);
        errand.is_over = true;
      });
    }
  }
  for (Errand& errand : over) errand.thread.join();
  return has_begun;
}

std::size_t Errands::under_way() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const Errand& errand : errands_) count += errand.is_over ? 0 : 1;
  return count;
}

void Errands::join() {
  std::list<Errand> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(errands_);
  }
  for (Errand& errand : all) errand.thread.join();
}

}  // namespace quire
