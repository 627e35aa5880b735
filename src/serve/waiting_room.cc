#include "serve/waiting_room.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace quire {

bool is_loading(const ModelHost& host, ModelHost::ModelIndex model) {
  const auto row = host.row(model);
  return row && (row->state == ModelState::kWanted || row->state == ModelState::kLoading);
}

bool WaitingRoom::add(ModelHost::ModelIndex model, Arrival& arrival) {
  std::vector<Arrival>& room = waiting_[model];
  const auto is_full = [&] {
    const std::string& tenant = arrival.context.tenant.name;
    const auto of_tenant = std::count_if(room.begin(), room.end(), [&](const Arrival& other) {
      return other.context.tenant.name == tenant;
    });
    return static_cast<std::size_t>(of_tenant) >= places_;
  };
  if (is_full()) {
    std::erase_if(room, [](const Arrival& other) { return other.exchange->is_gone(); });
    if (is_full()) return false;
  }
  room.push_back(std::move(arrival));
  return true;
}

std::vector<Arrival> WaitingRoom::take(ModelHost::ModelIndex model) {
  const auto found = waiting_.find(model);
  if (found == waiting_.end()) return {};
  std::vector<Arrival> taken = std::move(found->second);
  waiting_.erase(found);
  return taken;
}

std::vector<Arrival> WaitingRoom::take_all() {
  std::vector<Arrival> taken;
  for (auto& [model, room] : std::exchange(waiting_, {})) {
    taken.insert(taken.end(), std::make_move_iterator(room.begin()),
                 std::make_move_iterator(room.end()));
  }
  return taken;
}

std::size_t WaitingRoom::size() const {
  std::size_t size = 0;
  for (const auto& [model, room] : waiting_) size += room.size();
  return size;
}

}  // namespace quire
