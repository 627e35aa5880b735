#include "serve/background/response_cache.h"

#include <functional>
#include <utility>

#include "base/check.h"
#include "base/clock.h"

namespace quire {
namespace {

std::string key_of(const std::string& model, const std::string& question) {
  std::string key;
  key.reserve(model.size() + 1 + question.size());
  key += model;
  key += '\0';
  return key += question;
}

bool is_same(const ResponseCache::Edition& a, const ResponseCache::Edition& b) {
  return !a.identity.owner_before(b.identity) && !b.identity.owner_before(a.identity) &&
         a.fingerprint == b.fingerprint;
}

}  // namespace

ResponseCache::ResponseCache(std::size_t bytes_max) : bytes_max_(bytes_max) {
  QUIRE_CHECK(bytes_max > 0, "a cache of {} bytes", bytes_max);
}

ResponseCache::Question ResponseCache::question_of(const std::string& model,
                                                   const std::string& question) {
  std::string key = key_of(model, question);
  const std::size_t hash = std::hash<std::string_view>()(key);
  return {std::move(key), hash};
}

ResponseCache::Answer ResponseCache::find(const Edition& edition, const std::string& question) {
  const Question asked = question_of(edition.model, question);
  Entries gone;  // ends after the lock does
  const std::lock_guard lock(mutex_);
  const auto [known, is_new] = editions_.try_emplace(edition.model, edition);
  if (!is_new && !is_same(known->second, edition)) {
    remove_model(edition.model, gone);
    known->second = edition;
  }
  const auto place = places_.find(Place{asked.key, asked.hash});
  if (place == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, place->second);
  return place->second->answer;
}

bool ResponseCache::may_hold(std::size_t question_bytes, std::size_t answer_bytes) const {
  return question_bytes <= bytes_max_ && answer_bytes <= bytes_max_ &&
         question_bytes + answer_bytes + kEntryOverhead <= bytes_max_;
}

void ResponseCache::keep(const Edition& edition, const std::string& question, Answer answer,
                         std::size_t answer_bytes) {
  if (!may_hold(question.size(), answer_bytes)) return;
  Entries fresh, gone;  // both are made and end outside of the lock
  fresh.push_back({question_of(edition.model, question), edition.model, std::move(answer),
                   question.size() + answer_bytes + kEntryOverhead});
  const Entry& entry = fresh.front();
  const std::lock_guard lock(mutex_);
  const auto current = editions_.find(edition.model);
  if (current == editions_.end() || !is_same(current->second, edition)) return;
  const Place place{entry.question.key, entry.question.hash};
  if (places_.contains(place)) return;  // somebody who asked at the same time was faster
  while (bytes_ + entry.bytes > bytes_max_) {
    remove(std::prev(entries_.end()), gone);
    ++evictions_;
  }
  bytes_ += entry.bytes;
  entries_.splice(entries_.begin(), fresh);
  places_.emplace(place, entries_.begin());
}

void ResponseCache::remove(Entries::iterator entry, Entries& gone) {
  bytes_ -= entry->bytes;
  places_.erase(Place{entry->question.key, entry->question.hash});
  gone.splice(gone.end(), entries_, entry);
}

void ResponseCache::remove_model(const std::string& model, Entries& gone) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto entry = it++;
    if (entry->model == model) remove(entry, gone);
  }
}

void ResponseCache::count_hit(const std::string& model, Nanos time) {
  const auto now_ms = static_cast<std::uint64_t>(SteadyClock::unix_nanos() / 1'000'000);
  const std::lock_guard lock(mutex_);
  Counts& counts = counts_[model];
  ++counts.hits;
  counts.hit_time += time;
  counts.last_hit_ms = now_ms;
}

void ResponseCache::count_miss(const std::string& model) {
  const std::lock_guard lock(mutex_);
  ++counts_[model].misses;
}

void ResponseCache::add_miss_time(const std::string& model, Nanos time) {
  const std::lock_guard lock(mutex_);
  const auto counts = counts_.find(model);
  if (counts != counts_.end()) counts->second.miss_time += time;
}

void ResponseCache::keep_only(const std::set<std::string>& models) {
  Entries gone;
  const std::lock_guard lock(mutex_);
  const auto is_gone = [&](const auto& it) {
    return !models.contains(it.first) && it.second.identity.expired();
  };
  for (const auto& it : editions_) {
    if (is_gone(it)) remove_model(it.first, gone);
  }
  std::erase_if(editions_, is_gone);
  std::erase_if(counts_, [&](const auto& it) {
    return !models.contains(it.first) && !editions_.contains(it.first);
  });
}

ResponseCache::Counts ResponseCache::counts(const std::string& model) const {
  const std::lock_guard lock(mutex_);
  const auto known = counts_.find(model);
  return known == counts_.end() ? Counts() : known->second;
}

std::map<std::string, ResponseCache::Counts> ResponseCache::all_counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

ResponseCache::Usage ResponseCache::usage() const {
  const std::lock_guard lock(mutex_);
  return {entries_.size(), bytes_, bytes_max_, evictions_};
}

}  // namespace quire
