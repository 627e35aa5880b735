#include "host/grammars.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/constraints/grammar_constraint.h"
#include "text/grammar/grammar.h"
#include "text/grammar/schema_blame.h"

namespace quire {
namespace {

constexpr int kNiceness = 10;  // of the compiling thread: decoding goes first

// Kind and text as one key.
std::string key_of(const GrammarSource& source) {
  return static_cast<char>('0' + static_cast<int>(source.kind)) + source.text;
}

}  // namespace

struct Grammars::State {
  struct Kept {
    std::string key;
    Outcome outcome;
  };
  struct Wanted {
    GrammarSource source;
    std::vector<std::function<void(Outcome)>> uses;
  };
  using KeptList = std::list<Kept>;  // the last use first

  // Of what was found, it becomes the last use.
  const Outcome* look_up(const std::string& key) {
    const auto found = index.find(key);
    if (found == index.end()) return nullptr;
    kept.splice(kept.begin(), kept, found->second);
    ++stats.hits;
    return &kept.front().outcome;
  }

  void keep(std::string key, Outcome outcome) {
    bytes += key.size();
    kept.push_front({std::move(key), std::move(outcome)});
    index.emplace(kept.front().key, kept.begin());
    while (kept.size() > options.kept_max || (bytes > options.bytes_max && kept.size() > 1)) {
      bytes -= kept.back().key.size();
      index.erase(kept.back().key);
      kept.pop_back();
      ++stats.evicted;
    }
  }

  Compile compile;
  GrammarsOptions options;

  mutable std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  KeptList kept;
  std::unordered_map<std::string_view, KeptList::iterator> index;  // keys lie in kept
  std::size_t bytes = 0;
  std::deque<std::string> queue;                     // keys of wanted, in the order they came
  std::unordered_map<std::string, Wanted> wanted;    // the one being compiled is among them
  std::size_t uses = 0;                              // that wait
  GrammarsStats stats;
  bool is_over = false;
  std::thread thread;  // from the first wish on
};

Grammars::Grammars(Compile compile, GrammarsOptions options) : state_(std::make_unique<State>()) {
  state_->compile = std::move(compile);
  state_->options = options;
}

Grammars::~Grammars() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_over = true;
  }
  state_->changed.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
}

std::optional<Grammars::Outcome> Grammars::find(const GrammarSource& source) {
  const std::string key = key_of(source);
  const std::lock_guard lock(state_->mutex);
  const Outcome* outcome = state_->look_up(key);
  return outcome != nullptr ? std::optional(*outcome) : std::nullopt;
}

Status Grammars::want(GrammarSource source, std::function<void(Outcome)> done) {
  State& state = *state_;
  std::string key = key_of(source);
  std::unique_lock lock(state.mutex);
  // It may have come since it was looked for; whoever compiled it has called everybody already.
  if (const Outcome* outcome = state.look_up(key)) {
    const Outcome copy = *outcome;
    lock.unlock();
    done(copy);
    return ok_status();
  }
  const bool is_new = !state.wanted.contains(key);
  if (state.uses >= state.options.uses_waiting_max ||
      (is_new && state.wanted.size() >= state.options.sources_waiting_max)) {
    return error(StatusCode::kResourceExhausted,
                 "Too many requests wait for their grammars already: {}", state.uses);
  }
  State::Wanted& wanted = state.wanted[key];
  wanted.uses.push_back(std::move(done));
  ++state.uses;
  if (is_new) {
    wanted.source = std::move(source);
    state.queue.push_back(std::move(key));
  }
  if (!state.thread.joinable()) state.thread = std::thread([this] { work(); });
  lock.unlock();
  state.changed.notify_one();
  return ok_status();
}

void Grammars::work() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNiceness);
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  while (true) {
    state.changed.wait(lock, [&] { return state.is_over || !state.queue.empty(); });
    if (state.is_over) return;
    std::string key = std::move(state.queue.front());
    state.queue.pop_front();
    const GrammarSource& source = state.wanted[key].source;  // stays: nobody else takes it away
    lock.unlock();
    Outcome outcome = Status(StatusCode::kInternal, "the grammar could not be compiled");
    try {
      outcome = state.compile(source);
    } catch (const std::exception& e) {  // no memory
      spdlog::error("a grammar could not be compiled: {}", e.what());
    }
    lock.lock();
    if (state.is_over) return;
    std::vector<std::function<void(Outcome)>> uses = std::move(state.wanted[key].uses);
    state.wanted.erase(key);
    state.uses -= uses.size();
    ++(outcome.is_ok() ? state.stats.compiled : state.stats.failed);
    // Our own faults may pass.
    if (outcome.status().code() != StatusCode::kInternal) state.keep(std::move(key), outcome);
    lock.unlock();
    for (auto& use : uses) use(outcome);
    lock.lock();
  }
}

GrammarsStats Grammars::stats() const {
  const std::lock_guard lock(state_->mutex);
  GrammarsStats stats = state_->stats;
  stats.kept = state_->kept.size();
  stats.waiting = state_->uses;
  return stats;
}

std::shared_ptr<Grammars> grammars_of(std::shared_ptr<const Tokenizer> tokenizer,
                                      std::vector<TokenId> eos) {
  if (tokenizer == nullptr || eos.empty()) return nullptr;
  const auto factory = std::make_shared<std::shared_ptr<const GrammarFactory>>();
  return std::make_shared<Grammars>([=](const GrammarSource& source) -> Grammars::Outcome {
    if (*factory == nullptr) {
      QUIRE_ASSIGN_OR_RETURN(*factory, GrammarFactory::create(tokenizer, eos));
    }
    auto grammar = (*factory)->compile(source);
    if (grammar.is_ok()) {
      return std::shared_ptr<const Constraint>(
          std::make_shared<GrammarConstraint>(std::move(*grammar)));
    }
    if (source.kind != GrammarKind::kJsonSchema ||
        grammar.status().code() != StatusCode::kInvalidArgument) {
      const bool is_empty = grammar.status().message() == "NoExtensionBias";
      return is_empty ? error(StatusCode::kInvalidArgument, "no text is of it") : grammar.status();
    }
    return blame_schema(source, grammar.status(), [&](const GrammarSource& part) {
      return (*factory)->compile(part).status();
    });
  });
}

}  // namespace quire
