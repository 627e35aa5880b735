// Grammars: the compiled grammars of one model. Whoever wants one gets it at once if it is there,
// and else by a call when it is: a thread of its own, which runs behind all others, compiles one
// source after the other, each once however many wait for it. The newest uses stay, bounded in
// number and in bytes of source; what could not be compiled is remembered as well, so that asking
// for it again costs nothing.
// Any thread. Owned by HostedModel, used by serve's Service.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "core/constraint.h"
#include "text/grammar/source.h"
#include "text/tokenizer.h"

namespace quire {

struct GrammarsOptions {
  std::size_t kept_max = 256;                         // compiled grammars
  std::size_t bytes_max = std::size_t{16} << 20;      // of their sources
  std::size_t sources_waiting_max = 64;
  std::size_t uses_waiting_max = 1024;
};

struct GrammarsStats {
  std::uint64_t compiled = 0, failed = 0, hits = 0, evicted = 0;
  std::size_t kept = 0, waiting = 0;
};

class Grammars {
 public:
  using Outcome = Result<std::shared_ptr<const Constraint>>;
  // Made on the compiling thread; takes bounded time and memory.
  using Compile = std::function<Outcome(const GrammarSource&)>;

  explicit Grammars(Compile compile, GrammarsOptions options = {});
  Grammars(const Grammars&) = delete;
  Grammars& operator=(const Grammars&) = delete;
  ~Grammars();  // who still waits is not called

  // Nothing: it is not here.
  std::optional<Outcome> find(const GrammarSource& source);

  // `done` is called once, on the compiling thread or, if it came meanwhile, before this returns;
  // it must not block. kResourceExhausted: too many wait already, and it will not be called.
  Status want(GrammarSource source, std::function<void(Outcome)> done);

  GrammarsStats stats() const;

 private:
  struct State;
  void work();

  std::unique_ptr<State> state_;
};

// Of a model's words; `eos` are the tokens that end a text. The vocabulary is read at the first
// wish, on the compiling thread. What cannot be compiled is refused with its place in the schema.
std::shared_ptr<Grammars> grammars_of(std::shared_ptr<const Tokenizer> tokenizer,
                                      std::vector<TokenId> eos);

}  // namespace quire
