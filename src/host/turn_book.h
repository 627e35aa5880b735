// TurnBook: of names whose requests go round several models, whose turn it is. A turn is taken when
// a model is leased by the name, and counts when a request is given to the model's engine; so of
// the requests that are answered each model gets its share, whatever else asks by the name. What
// comes of a turn:
//   kKept      a request was given to the engine.
//   kReturned  the question was answered without one: it is as if it had not been taken.
//   kRefused   the question was refused before. The turn comes back, too, so that one client's
//              mistakes do not cost a model its share; but a model may be the one that cannot
//              read what others can. After `patience` refusals one after the other the turn is
//              spent, and half of the patience, which a request that it keeps brings back.
// Whoever owns it guards it. Used by ModelHost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {

enum class TurnEnd : std::uint8_t { kKept, kReturned, kRefused };

class TurnBook {
 public:
  static constexpr std::uint32_t kPatience = 8;

  // Who has a turn: which of the models, and of which shares.
  struct Ticket {
    std::string name;
    std::uint64_t shares = 0;
    std::size_t model = 0;
  };

  // From now on, and with nothing owed: models and their weights. None: the name has one model.
  using Weights = std::vector<std::pair<std::size_t, std::uint32_t>>;
  void set(const std::string& name, const Weights& shares);
  std::optional<Ticket> take(std::string_view name);
  void end(const Ticket& ticket, TurnEnd end);  // once; of shares that are gone: nothing

 private:
  struct Turn {
    std::size_t model = 0;
    std::uint32_t weight = 0;
    std::int64_t credit = 0;
    std::uint32_t refused = 0;  // since it last kept a turn, or spent one so
    std::uint32_t patience = kPatience;
  };
  struct Shares {
    std::uint64_t number = 0;
    std::int64_t weights = 0;
    std::vector<Turn> turns;
  };

  static void pay(Shares& shares, Turn& turn, int times);

  std::map<std::string, Shares, std::less<>> shares_;
  std::uint64_t numbers_ = 0;
};

}  // namespace quire
