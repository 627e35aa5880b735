// The turn that a lease by name has taken (turn_book.h), and what becomes of it: whoever gives a
// request to the engine keeps it; with the lease of a request that was refused it is refused; else
// it goes back when the lease ends.
// Whoever reads a request may lease by one name again and again, and holds nothing when it turns
// out to be refused: QuestionTurns remembers, for its thread, the turns that are taken while it is
// there, so that one question has one turn and means one model.
// Any thread. Used by ModelHost, who makes them, and by serve, who ends them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/hosted_model.h"
#include "host/turn_book.h"

namespace quire {

class LeasedTurn {
 public:
  // `tell` is told once, at the latest when this ends.
  explicit LeasedTurn(std::function<void(TurnEnd)> tell) : tell_(std::move(tell)) {}
  LeasedTurn(const LeasedTurn&) = delete;
  LeasedTurn& operator=(const LeasedTurn&) = delete;
  ~LeasedTurn() { end(TurnEnd::kReturned); }

  void end(TurnEnd how);  // the first time only

 private:
  std::function<void(TurnEnd)> tell_;
  std::atomic<bool> is_over_{false};
};

// The same lease, which has that turn.
ModelLease lease_with_turn(ModelLease lease, std::shared_ptr<LeasedTurn> turn);

// Of a lease that has taken none: nothing.
void end_turn(const ModelLease& lease, TurnEnd how);

class QuestionTurns {
 public:
  struct Taken {
    std::string name;
    std::size_t model = 0;  // who was leased
    std::shared_ptr<LeasedTurn> turn;
  };

  QuestionTurns();
  QuestionTurns(const QuestionTurns&) = delete;
  QuestionTurns& operator=(const QuestionTurns&) = delete;
  ~QuestionTurns();

  void refuse();  // all of them

  // Of this thread's question: null and nothing where it has none.
  static const Taken* taken(std::string_view name);
  static void take(Taken taken);

 private:
  static thread_local QuestionTurns* now_;
  QuestionTurns* const outer_;
  std::vector<Taken> taken_;
};

}  // namespace quire
