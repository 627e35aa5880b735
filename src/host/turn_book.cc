#include "host/turn_book.h"

#include <algorithm>

namespace quire {

void TurnBook::set(const std::string& name, const Weights& shares) {
  Shares fresh{.number = ++numbers_};
  for (const auto& [model, weight] : shares) {
    if (weight > 0) fresh.turns.push_back({.model = model, .weight = weight});
    fresh.weights += weight;
  }
  shares_.erase(name);
  if (!fresh.turns.empty()) shares_.emplace(name, std::move(fresh));
}

// Everybody gets credit for his weight, and who has the turn pays for all.
void TurnBook::pay(Shares& shares, Turn& turn, int times) {
  for (Turn& one : shares.turns) one.credit += times * std::int64_t{one.weight};
  turn.credit -= times * shares.weights;
}

std::optional<TurnBook::Ticket> TurnBook::take(std::string_view name) {
  const auto found = shares_.find(name);
  if (found == shares_.end()) return std::nullopt;
  Shares& shares = found->second;
  const auto richest = std::max_element(
      shares.turns.begin(), shares.turns.end(), [](const Turn& a, const Turn& b) {
        return a.credit + a.weight < b.credit + b.weight;
      });
  pay(shares, *richest, 1);
  return Ticket{found->first, shares.number, richest->model};
}

void TurnBook::end(const Ticket& ticket, TurnEnd end) {
  const auto found = shares_.find(ticket.name);
  if (found == shares_.end() || found->second.number != ticket.shares) return;
  std::vector<Turn>& turns = found->second.turns;
  const auto turn = std::find_if(turns.begin(), turns.end(),
                                 [&](const Turn& it) { return it.model == ticket.model; });
  if (turn == turns.end()) return;
  if (end == TurnEnd::kKept) {
    turn->refused = 0;
    turn->patience = kPatience;
    return;
  }
  if (end == TurnEnd::kRefused && ++turn->refused >= turn->patience) {
    turn->refused = 0;
    turn->patience = std::max(turn->patience / 2, std::uint32_t{1});
    return;
  }
  pay(found->second, *turn, -1);
}

}  // namespace quire
