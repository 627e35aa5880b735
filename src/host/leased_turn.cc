#include "host/leased_turn.h"

namespace quire {
namespace {

// What a lease with a turn ends with.
struct TurnHolder {
  ModelLease lease;
  std::shared_ptr<LeasedTurn> turn;

  void operator()(const HostedModel*) {
    turn.reset();
    lease.reset();
  }
};

}  // namespace

thread_local QuestionTurns* QuestionTurns::now_ = nullptr;

void LeasedTurn::end(TurnEnd how) {
  if (!is_over_.exchange(true)) tell_(how);
}

ModelLease lease_with_turn(ModelLease lease, std::shared_ptr<LeasedTurn> turn) {
  const HostedModel* const model = lease.get();
  return {model, TurnHolder{std::move(lease), std::move(turn)}};
}

void end_turn(const ModelLease& lease, TurnEnd how) {
  const auto* const holder = std::get_deleter<TurnHolder>(lease);
  if (holder != nullptr && holder->turn != nullptr) holder->turn->end(how);
}

QuestionTurns::QuestionTurns() : outer_(std::exchange(now_, this)) {}

QuestionTurns::~QuestionTurns() { now_ = outer_; }

void QuestionTurns::refuse() {
  for (const Taken& taken : taken_) taken.turn->end(TurnEnd::kRefused);
}

const QuestionTurns::Taken* QuestionTurns::taken(std::string_view name) {
  if (now_ == nullptr) return nullptr;
  for (const Taken& taken : now_->taken_) {
    if (taken.name == name) return &taken;
  }
  return nullptr;
}

void QuestionTurns::take(Taken taken) {
  if (now_ != nullptr) now_->taken_.push_back(std::move(taken));
}

}  // namespace quire
