// ResponseCache: answers that would be the same if they were computed again, kept for those who ask
// the same. An entry is found by the whole question, compared byte for byte (no hash stands for
// it), of a model as it was loaded: when a model of that name is another one (new files, a new
// config), its entries go. Bounded in bytes of questions and answers together; who was not asked
// for longest goes first. Counts hits and misses by model, which outlive the entries.
// Any thread. Owned by Server; used by dialects and metrics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/nanos.h"

namespace quire {

struct InferResponse;  // of dialects/kserve: its tensors, before a transport spells them

class ResponseCache {
 public:
  static constexpr std::size_t kEntryOverhead = 256;  // bytes that an entry counts beside its own

  // Which model answers: its name, and what no other load of that name has.
  struct Edition {
    std::string model;
    std::weak_ptr<const void> identity;
    std::string fingerprint;
  };
  struct Counts {
    std::uint64_t hits = 0, misses = 0;
    Nanos hit_time{0}, miss_time{0};      // of looking up, and of keeping what was computed
    std::uint64_t last_hit_ms = 0;        // since 1970; 0: none
  };
  struct Usage {
    std::size_t entries = 0, bytes = 0, bytes_max = 0;
    std::uint64_t evictions = 0;          // that had to make room
  };
  using Answer = std::shared_ptr<const InferResponse>;

  explicit ResponseCache(std::size_t bytes_max);  // above 0

  // Null: it is not there. Entries of other editions of the model go.
  Answer find(const Edition& edition, const std::string& question);
  // Whether an answer of so many bytes could be kept at all.
  bool may_hold(std::size_t question_bytes, std::size_t answer_bytes) const;
  // Only of the edition that was last asked for.
  void keep(const Edition& edition, const std::string& question, Answer answer,
            std::size_t answer_bytes);

  void count_hit(const std::string& model, Nanos time);
  void count_miss(const std::string& model);
  void add_miss_time(const std::string& model, Nanos time);

  // Entries and counts of other models go, unless somebody still holds what identifies them, as a
  // repository does with a model without an engine, which is none of the host's.
  void keep_only(const std::set<std::string>& models);

  Counts counts(const std::string& model) const;
  std::map<std::string, Counts> all_counts() const;
  Usage usage() const;

 private:
  struct Question {
    std::string key;  // the model's name, a zero, the question
    std::size_t hash = 0;
  };
  struct Place {
    std::string_view key;  // of the entry
    std::size_t hash = 0;
    bool operator==(const Place& other) const { return hash == other.hash && key == other.key; }
  };
  struct HashOfPlace {
    std::size_t operator()(const Place& place) const { return place.hash; }
  };
  struct Entry {
    Question question;
    std::string model;
    Answer answer;
    std::size_t bytes = 0;
  };
  using Entries = std::list<Entry>;  // who was asked for last is first

  static Question question_of(const std::string& model, const std::string& question);

  // Under the lock, where questions of any size are neither copied nor hashed, and answers not
  // freed: who is removed goes to `gone`.
  void remove(Entries::iterator entry, Entries& gone);
  void remove_model(const std::string& model, Entries& gone);

  std::size_t bytes_max_;
  mutable std::mutex mutex_;
  Entries entries_;
  std::unordered_map<Place, Entries::iterator, HashOfPlace> places_;
  std::map<std::string, Edition> editions_;
  std::map<std::string, Counts> counts_;
  std::size_t bytes_ = 0;
  std::uint64_t evictions_ = 0;
};

}  // namespace quire
