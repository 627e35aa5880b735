#include "host/model_shelf.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.h"

namespace quire {

std::string_view model_state_name(ModelState state) {
  switch (state) {
    case ModelState::kUnloaded: return "unloaded";
    case ModelState::kWanted: return "loading";
    case ModelState::kLoading: return "loading";
    case ModelState::kReady: return "ready";
    case ModelState::kUnloading: return "unloading";
  }
  return "unknown";
}

bool ModelShelf::is_in_memory(const Model& model) {
  return model.state == ModelState::kLoading || model.state == ModelState::kReady ||
         model.state == ModelState::kUnloading;
}

bool ModelShelf::stays_pinned(const Model& model) {
  return model.is_pinned && is_in_memory(model) && model.state != ModelState::kUnloading;
}

std::uint64_t ModelShelf::pinned_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [_, model] : models_) sum += stays_pinned(model) ? model.bytes : 0;
  return sum;
}

std::uint64_t ModelShelf::bytes_used() const {
  std::uint64_t sum = 0;
  for (const auto& [_, model] : models_) sum += is_in_memory(model) ? model.bytes : 0;
  return sum;
}

void ModelShelf::touch(Model& model, Nanos now) {
  model.use = ++uses_;
  model.used_at = now;
}

void ModelShelf::want(std::size_t index) {
  Model& model = models_.at(index);
  if (model.state == ModelState::kUnloading && !std::exchange(model.is_missed, true)) {
    model.wish = ++wishes_;
  }
  if (model.state != ModelState::kUnloaded) return;
  model.state = ModelState::kWanted;
  model.is_open = false;
  model.wish = ++wishes_;
}

void ModelShelf::lease(std::size_t index, Nanos now) {
  Model& model = models_.at(index);
  QUIRE_CHECK(model.state == ModelState::kReady, "a lease of model {}, which is {}", index,
              model_state_name(model.state));
  if (model.users++ == 0) model.busy_since = now;
  touch(model, now);
}

bool ModelShelf::give_back(std::size_t index, Nanos now) {
  Model& model = models_.at(index);
  QUIRE_CHECK(model.users > 0, "model {} is given back by nobody", index);
  touch(model, now);
  if (--model.users > 0) return false;
  return model.state == ModelState::kUnloading || keep_alive(index) != kForever;
}

bool ModelShelf::set_keep_alive(std::size_t index, std::optional<Nanos> keep_alive) {
  Model& model = models_.at(index);
  if (!is_in_memory(model)) return false;
  model.keep_alive = keep_alive;
  return model.state == ModelState::kReady && model.users == 0;
}

Status ModelShelf::dismiss(std::size_t index) {
  Model& model = models_.at(index);
  if (model.state == ModelState::kWanted || model.state == ModelState::kLoading) {
    return Status(StatusCode::kUnavailable, "it is being loaded; ask again when it is ready");
  }
  if (model.state == ModelState::kReady) model.state = ModelState::kUnloading;
  return ok_status();
}

ModelShelf::Models::iterator ModelShelf::oldest_wish() {
  auto oldest = models_.end();
  for (auto it = models_.begin(); it != models_.end(); ++it) {
    if (it->second.state != ModelState::kWanted) continue;
    if (oldest == models_.end() || it->second.wish < oldest->second.wish) oldest = it;
  }
  return oldest;
}

ModelShelf::Model* ModelShelf::least_recently_used() {
  const auto order = [](const Model& model) { return std::tuple(model.users > 0, model.use); };
  Model* victim = nullptr;
  for (auto& [_, model] : models_) {
    if (model.state != ModelState::kReady || model.is_pinned) continue;
    if (victim == nullptr || order(model) < order(*victim)) victim = &model;
  }
  return victim;
}

// Sends as many on their way as are in the way. False: they are not gone yet.
bool ModelShelf::make_room(std::uint64_t bytes) {
  const std::uint64_t room = options_.bytes_max - bytes;
  std::uint64_t staying = 0;
  for (const auto& [_, model] : models_) {
    const bool stays = is_in_memory(model) && model.state != ModelState::kUnloading;
    staying += stays ? model.bytes : 0;
  }
  while (staying > room) {
    Model* victim = least_recently_used();
    QUIRE_CHECK(victim != nullptr, "{} bytes are in memory and no model is", staying);
    victim->state = ModelState::kUnloading;
    staying -= victim->bytes;
  }
  return bytes_used() <= room;
}

// Marks those whose keep-alive is over; returns when the next one's will be.
Nanos ModelShelf::end_keep_alives(Nanos now) {
  Nanos next = kForever;
  for (auto& [index, model] : models_) {
    if (model.state != ModelState::kReady || model.users > 0 || model.is_pinned) continue;
    const Nanos stay = keep_alive(index);
    if (stay >= kForever - model.used_at) continue;
    const Nanos end = model.used_at + stay;
    if (now >= end) {
      model.state = ModelState::kUnloading;
    } else {
      next = std::min(next, end);
    }
  }
  return next;
}

ModelShelf::Task ModelShelf::next(Nanos now) {
  Task rest;
  rest.until = end_keep_alives(now);
  const auto found = oldest_wish();
  Model* wish = found == models_.end() ? nullptr : &found->second;
  const bool is_open = wish != nullptr && wish->is_open;
  const bool can_fit = options_.bytes_max == 0 ||
                       (is_open && wish->bytes + pinned_bytes() <= options_.bytes_max);
  const bool fits = options_.bytes_max == 0 || (is_open && can_fit && make_room(wish->bytes));
  for (const auto& [index, model] : models_) {
    const bool may_go = model.state == ModelState::kUnloading && model.users == 0;
    if (may_go) return {Work::kUnload, index, kForever};
  }
  if (wish == nullptr) return rest;
  if (!is_open) return {Work::kOpen, found->first, kForever};
  if (!can_fit) return {Work::kRefuse, found->first, kForever};
  if (!fits) return rest;
  wish->state = ModelState::kLoading;
  return {Work::kLoad, found->first, kForever};
}

void ModelShelf::loaded(std::size_t index, Nanos now) {
  Model& model = models_.at(index);
  model.state = ModelState::kReady;
  model.failure = ok_status();
  touch(model, now);
}

void ModelShelf::failed(std::size_t index, Status reason, Nanos now) {
  Model& model = models_.at(index);
  model.state = ModelState::kUnloaded;
  model.failure = std::move(reason);
  model.retry_at = now + options_.retry_after;
}

void ModelShelf::unloaded(std::size_t index) {
  Model& model = models_.at(index);
  QUIRE_CHECK(model.users == 0, "model {} is unloaded under {} users", index, model.users);
  model.state = model.is_missed ? ModelState::kWanted : ModelState::kUnloaded;
  model.is_missed = false;
  model.is_open = false;
  model.keep_alive.reset();
}

}  // namespace quire
