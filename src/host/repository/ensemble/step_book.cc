#include "host/repository/ensemble/step_book.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace quire {

void StepBook::set_tried(const std::string& name, std::vector<std::string> steps) {
  const std::lock_guard lock(mutex_);
  tried_[name] = std::move(steps);
}

void StepBook::set_served(const std::string& name, std::vector<std::string> steps) {
  const std::lock_guard lock(mutex_);
  served_[name] = std::move(steps);
}

std::vector<std::string> StepBook::below_in(const Steps& all, const std::string& name) {
  std::vector<std::string> found = {name};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto known = all.find(found[i]);
    if (known == all.end()) continue;
    for (const std::string& step : known->second) {
      if (std::find(found.begin(), found.end(), step) == found.end()) found.push_back(step);
    }
  }
  found.erase(found.begin());
  return found;
}

std::vector<std::string> StepBook::below(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return below_in(served_, name);
}

bool StepBook::is_step(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(served_.begin(), served_.end(), [&](const auto& it) {
    return std::find(it.second.begin(), it.second.end(), name) != it.second.end();
  });
}

std::uint64_t StepBook::stamp(const std::string& name,
                              const std::function<std::uint64_t(const std::string&)>& own) const {
  std::vector<std::string> steps;
  {
    const std::lock_guard lock(mutex_);
    steps = below_in(tried_, name);
  }
  std::uint64_t stamp = own(name);
  for (const std::string& step : steps) {
    const std::uint64_t below = own(step);
    stamp = hash_bytes(&below, sizeof below, stamp);
  }
  return std::max<std::uint64_t>(stamp, 1);
}

}  // namespace quire
