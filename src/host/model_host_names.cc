#include <algorithm>
#include <set>
#include <utility>

#include "base/clock.h"
#include "host/model_host_state.h"

namespace quire {
namespace {

Status taken(std::string_view name) {
  return error(StatusCode::kInvalidArgument,
               "the model name '{}' is empty or taken; give each model a name of its own with "
               "--served-model-name",
               name);
}

Status check_recipe(const ModelRecipe& recipe, std::size_t models) {
  if (recipe.names.empty()) {
    return error(StatusCode::kInvalidArgument, "a model needs a name to be served under");
  }
  for (auto name = recipe.names.begin(); name != recipe.names.end(); ++name) {
    const bool is_repeated = std::find(recipe.names.begin(), name, *name) != name;
    if (name->empty() || is_repeated) return taken(*name);
  }
  if (models < ModelHost::kModelsMax) return ok_status();
  return error(StatusCode::kResourceExhausted, "there are {} models already",
               ModelHost::kModelsMax);
}

Status owned(std::string_view name) {
  return error(StatusCode::kInvalidArgument, "'{}' is a model's own name, which stays with it",
               name);
}

}  // namespace

ModelHost::Entry* ModelHost::entry(ModelIndex model) const {
  const auto found = state_->entries.find(model);
  const bool is_here = found != state_->entries.end() && !found->second->is_removed;
  return is_here ? found->second.get() : nullptr;
}

ModelHost::Entry& ModelHost::busy_entry(ModelIndex model) const {
  const std::lock_guard lock(state_->mutex);
  return *state_->entries.at(model);
}

Status ModelHost::check_new_name(const std::string& name) const {
  if (name.empty() || state_->names.contains(name)) return taken(name);
  if (state_->names.size() < kNamesMax) return ok_status();
  return error(StatusCode::kResourceExhausted, "the models may have {} names", kNamesMax);
}

ModelHost::ModelIndex ModelHost::enter(ModelRecipe recipe, bool is_staged) {
  const ModelIndex model = state_->shelf.add();
  auto entry = std::make_unique<Entry>();
  entry->own_name = recipe.names.front();
  entry->names = std::move(recipe.names);
  entry->recipe = std::move(recipe.open);
  entry->info.created = SteadyClock::unix_seconds();
  entry->is_staged = is_staged;
  state_->entries.emplace(model, std::move(entry));
  return model;
}

Result<ModelHost::ModelIndex> ModelHost::add(ModelRecipe recipe) {
  const std::lock_guard lock(state_->mutex);
  QUIRE_RETURN_IF_ERROR(check_recipe(recipe, state_->entries.size()));
  for (const std::string& name : recipe.names) QUIRE_RETURN_IF_ERROR(check_new_name(name));
  const ModelIndex model = enter(std::move(recipe), false);
  for (const std::string& name : entry(model)->names) state_->names.emplace(name, model);
  return model;
}

Result<ModelHost::ModelIndex> ModelHost::stage(ModelRecipe recipe) {
  const std::lock_guard lock(state_->mutex);
  QUIRE_RETURN_IF_ERROR(check_recipe(recipe, state_->entries.size()));
  return enter(std::move(recipe), true);
}

bool ModelHost::leave(ModelIndex model) {
  Entry& leaving = *entry(model);
  const ModelState before = state_->shelf.state(model);
  const Status going = state_->shelf.dismiss(model);
  QUIRE_CHECK(going.is_ok(), "model {} cannot go: {}", model, going.message());
  if (leaving.model != nullptr) leaving.model->engine->stop_waiting();
  const bool is_awaited = state_->shelf.forget_missed(model);
  for (const std::string& name : leaving.names) {
    const auto known = state_->names.find(name);
    if (known != state_->names.end() && known->second == model) state_->names.erase(known);
  }
  leaving.names = {leaving.own_name};
  leaving.is_removed = true;
  if (before == ModelState::kUnloaded) {
    state_->shelf.remove(model);
    state_->entries.erase(model);
  }
  return is_awaited;
}

Status ModelHost::remove(ModelIndex model) { return change({.go = {model}}); }

// What the names will mean is made up beside what they mean now.
Status ModelHost::check_change(const ModelSwitch& change) const {
  std::map<std::string, ModelIndex, std::less<>> names = state_->names;
  std::set<ModelIndex> going;
  const auto is_here = [&](ModelIndex model) {
    return entry(model) != nullptr && !going.contains(model);
  };
  for (const ModelIndex model : change.go) {
    if (!is_here(model)) return gone_model();
    going.insert(model);
    const ModelState state = state_->shelf.state(model);
    if (state == ModelState::kWanted || state == ModelState::kLoading) {
      return Status(StatusCode::kUnavailable, "it is being loaded; ask again when it is ready");
    }
    std::erase_if(names, [&](const auto& it) { return it.second == model; });
  }
  for (const auto& [name, model] : change.names) {
    if (!is_here(model)) return gone_model();
    const auto had = names.find(name);
    if (name.empty()) return taken(name);
    if (had != names.end() && had->second != model && entry(had->second)->own_name == name) {
      return owned(name);
    }
    names.insert_or_assign(name, model);
  }
  for (const ModelIndex model : change.come) {
    const Entry* coming = entry(model);
    if (!is_here(model) || !coming->is_staged) return gone_model();
    for (const std::string& name : coming->names) {
      const auto [known, is_new] = names.emplace(name, model);
      if (known->second != model) return taken(name);
    }
  }
  if (names.size() <= kNamesMax) return ok_status();
  return error(StatusCode::kResourceExhausted, "the models may have {} names", kNamesMax);
}

Status ModelHost::change(const ModelSwitch& change) {
  std::vector<ModelIndex> awaited;
  {
    const std::lock_guard lock(state_->mutex);
    QUIRE_RETURN_IF_ERROR(check_change(change));
    for (const auto& [name, model] : change.names) {
      const auto had = state_->names.find(name);
      const bool is_pinned = had != state_->names.end() && state_->shelf.is_pinned(had->second);
      if (is_pinned) state_->shelf.pin(model, true);
    }
    for (const ModelIndex model : change.go) {
      if (leave(model)) awaited.push_back(model);
    }
    for (const ModelIndex model : change.come) {
      Entry& coming = *entry(model);
      coming.is_staged = false;
      for (const std::string& name : coming.names) state_->names.emplace(name, model);
    }
    for (const auto& [name, model] : change.names) {
      const auto had = state_->names.find(name);
      if (had != state_->names.end() && had->second == model) continue;
      if (had != state_->names.end()) take_name_from(had->second, name);
      state_->names.emplace(name, model);
      entry(model)->names.push_back(name);
    }
  }
  state_->changed.notify_all();
  for (const ModelIndex model : awaited) tell_arrival(model, gone_model());
  return ok_status();
}

bool ModelHost::is_gone(ModelIndex model) const {
  const std::lock_guard lock(state_->mutex);
  return !state_->entries.contains(model);
}

std::uint32_t ModelHost::users(ModelIndex model) const {
  const std::lock_guard lock(state_->mutex);
  return state_->entries.contains(model) ? state_->shelf.users(model) : 0;
}

Status ModelHost::add_name(ModelIndex model, std::string name) {
  const std::lock_guard lock(state_->mutex);
  Entry* named = entry(model);
  if (named == nullptr) return gone_model();
  QUIRE_RETURN_IF_ERROR(check_new_name(name));
  state_->names.emplace(name, model);
  state_->added.insert(name);
  named->names.push_back(std::move(name));
  return ok_status();
}

bool ModelHost::is_added_name(std::string_view name) const {
  const std::lock_guard lock(state_->mutex);
  return state_->added.contains(name) && state_->names.contains(name);
}

void ModelHost::take_name_from(ModelIndex model, std::string_view name) {
  std::erase(state_->entries.at(model)->names, name);
  const auto added = state_->added.find(name);
  if (added != state_->added.end()) state_->added.erase(added);
  state_->names.erase(state_->names.find(name));
}

Status ModelHost::remove_name(std::string_view name) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->names.find(name);
  if (found == state_->names.end()) return error(StatusCode::kNotFound, "no model has that name");
  if (entry(found->second)->own_name == name) return owned(name);
  take_name_from(found->second, name);
  return ok_status();
}

Status ModelHost::move_names(const std::vector<std::string>& names, ModelIndex model) {
  ModelSwitch change;
  for (const std::string& name : names) change.names.emplace_back(name, model);
  return this->change(change);
}

std::vector<std::string> ModelHost::names(ModelIndex model) const {
  const std::lock_guard lock(state_->mutex);
  const Entry* known = entry(model);
  return known == nullptr ? std::vector<std::string>() : known->names;
}

std::string ModelHost::name(ModelIndex model) const {
  const std::lock_guard lock(state_->mutex);
  const auto known = state_->entries.find(model);
  return known == state_->entries.end() ? std::string() : known->second->own_name;
}

std::size_t ModelHost::size() const {
  const std::lock_guard lock(state_->mutex);
  std::size_t size = 0;
  for (const auto& [_, entry] : state_->entries) size += entry->is_shown() ? 1 : 0;
  return size;
}

Status ModelHost::route(const std::string& name, std::vector<Share> shares) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->names.contains(name)) return gone_model();
  TurnBook::Weights weights;
  for (const Share& share : shares) {
    if (entry(share.model) == nullptr) return gone_model();
    weights.emplace_back(share.model, share.weight);
  }
  state_->turns.set(name, weights);
  return ok_status();
}

std::optional<ModelHost::ModelIndex> ModelHost::find_locked(std::string_view name) const {
  if (name.empty()) return std::nullopt;
  auto found = state_->names.find(name);
  if (found == state_->names.end()) found = state_->names.find(std::string_view(kAnyName));
  return found == state_->names.end() ? std::nullopt : std::optional(found->second);
}

std::optional<ModelHost::ModelIndex> ModelHost::find(std::string_view name) const {
  const std::lock_guard lock(state_->mutex);
  return find_locked(name);
}

bool ModelHost::has_name(std::string_view name) const {
  const std::lock_guard lock(state_->mutex);
  return state_->names.contains(name);
}

}  // namespace quire
