#include "lab/load/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "base/hash.h"

namespace quire {
namespace {

const WorkloadOptions kWorkloads[] = {
    {.name = "single", .requests = 8, .clients = 1, .own = 128, .tokens_min = 64, .tokens_max = 64},
    {.name = "mixed",
     .requests = 32,
     .clients = 16,
     .own = 128,
     .tokens_min = 8,
     .tokens_max = 128},
    {.name = "shared",
     .requests = 32,
     .clients = 16,
     .shared = 512,
     .own = 32,
     .tokens_min = 64,
     .tokens_max = 64},
    {.name = "prefix",
     .requests = 48,
     .clients = 16,
     .shared = 512,
     .own = 16,
     .tokens_min = 16,
     .tokens_max = 16,
     .ids_below = 30000},
};
constexpr std::array<std::string_view, 4> kNames = {"single", "mixed", "shared", "prefix"};

// Frequent short English words: about one token each for any tokenizer.
constexpr std::string_view kWords[] = {
    "time",     "year",     "people",    "way",    "day",        "man",     "thing",   "woman",
    "life",     "child",    "world",     "school", "state",      "family",  "student", "group",
    "country",  "problem",  "hand",      "part",   "place",      "case",    "week",    "company",
    "system",   "program",  "question",  "work",   "number",     "night",   "point",   "home",
    "water",    "room",     "mother",    "area",   "money",      "story",   "fact",    "month",
    "lot",      "right",    "study",     "book",   "eye",        "job",     "word",    "business",
    "issue",    "side",     "kind",      "head",   "house",      "service", "friend",  "father",
    "power",    "hour",     "game",      "line",   "end",        "member",  "law",     "car",
    "city",     "name",     "president", "team",   "minute",     "idea",    "kid",     "body",
    "back",     "parent",   "face",      "level",  "office",     "door",    "health",  "person",
    "art",      "war",      "history",   "party",  "result",     "change",  "morning", "reason",
    "research", "girl",     "guy",       "moment", "air",        "teacher", "force",   "education",
    "foot",     "boy",      "age",       "policy", "music",      "market",  "sense",   "nation",
    "plan",     "college",  "interest",  "death",  "experience", "effect",  "use",     "class",
    "control",  "field",    "light",     "north",  "paper",      "space",   "ground",  "form",
    "event",    "official", "matter",    "center", "couple",     "site",    "project",
};

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(mix64(seed)) {}
  std::uint64_t operator()() { return mix64(state_ += 0x9E3779B97F4A7C15ull); }
  int below(int count) { return static_cast<int>((*this)() % static_cast<std::uint64_t>(count)); }
  double uniform() { return (static_cast<double>((*this)() >> 11) + 0.5) * 0x1p-53; }

 private:
  std::uint64_t state_;
};

void append(int count, const WorkloadOptions& options, Draw& draw, LoadRequest& request) {
  for (int i = 0; i < count; ++i) {
    if (options.ids_below > 0) {
      // Not the first ids, among which are control tokens.
      const int low = options.ids_below / 2;
      request.ids.push_back(low + draw.below(options.ids_below - low));
    } else {
      if (!request.text.empty()) request.text += ' ';
      request.text += kWords[draw.below(static_cast<int>(std::size(kWords)))];
    }
  }
}

}  // namespace

std::span<const std::string_view> workload_names() { return kNames; }

Result<WorkloadOptions> named_workload(std::string_view name) {
  for (const WorkloadOptions& workload : kWorkloads) {
    if (workload.name == name) return workload;
  }
  return error(StatusCode::kNotFound, "workload '{}' is not known; known are {}", name,
               fmt::join(kNames, ", "));
}

std::vector<LoadRequest> make_requests(const WorkloadOptions& options) {
  LoadRequest common;
  Draw shared(options.seed), own(~options.seed);
  append(options.shared, options, shared, common);
  std::vector<LoadRequest> requests;
  double at = 0;
  for (int i = 0; i < options.requests; ++i) {
    LoadRequest request = common;
    append(options.own, options, own, request);
    request.tokens_max =
        options.tokens_min + own.below(std::max(0, options.tokens_max - options.tokens_min) + 1);
    if (options.rate > 0) {
      at -= std::log(own.uniform()) / options.rate;  // exponential gaps: a Poisson process
      request.send_at = from_seconds(at);
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

}  // namespace quire
