#include "engine/constraints/grammar_constraint.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"

namespace quire {
namespace {

class GrammarConstraintState final : public ConstraintState {
 public:
  explicit GrammarConstraintState(std::unique_ptr<GrammarState> grammar)
      : grammar_(std::move(grammar)) {}

  // After a token, and before the first.
  Status look_ahead() {
    QUIRE_ASSIGN_OR_RETURN(end_, grammar_->end());
    next_ = 0;
    forced_.clear();
    if (end_.is_over) return ok_status();
    QUIRE_ASSIGN_OR_RETURN(forced_, grammar_->forced());
    return ok_status();
  }

  Result<bool> write_mask(std::span<std::uint32_t> words) override {
    if (end_.is_over || !forced().empty()) {
      std::fill(words.begin(), words.end(), 0u);
      if (end_.is_over) return true;
      const auto token = static_cast<std::size_t>(forced().front());
      words[token / 32] |= 1u << (token % 32);
      return true;
    }
    QUIRE_RETURN_IF_ERROR(grammar_->write_mask(words));
    return true;
  }

  Status accept(TokenId token) override {
    if (next_ < forced_.size() && token != forced_[next_]) {
      return error(StatusCode::kInvalidArgument, "token {} where {} has to come", token,
                   forced_[next_]);
    }
    QUIRE_RETURN_IF_ERROR(grammar_->accept(token));
    if (next_ + 1 < forced_.size()) {
      ++next_;
      return ok_status();
    }
    return look_ahead();
  }

  Status roll_back(std::size_t tokens) override {
    if (tokens == 0) return ok_status();
    QUIRE_RETURN_IF_ERROR(grammar_->roll_back(tokens));
    QUIRE_ASSIGN_OR_RETURN(end_, grammar_->end());
    next_ = 0;
    forced_.clear();  // as before them
    return ok_status();
  }

  std::span<const TokenId> forced() const override { return std::span(forced_).subspan(next_); }
  bool is_over() const override { return end_.is_over; }
  bool may_end() const override { return end_.may_end && forced().empty(); }

 private:
  std::unique_ptr<GrammarState> grammar_;
  GrammarState::End end_;
  std::vector<TokenId> forced_;
  std::size_t next_ = 0;  // of them
};

}  // namespace

Result<std::unique_ptr<ConstraintState>> GrammarConstraint::begin() const {
  QUIRE_ASSIGN_OR_RETURN(std::unique_ptr<GrammarState> grammar, grammar_->begin());
  auto state = std::make_unique<GrammarConstraintState>(std::move(grammar));
  QUIRE_RETURN_IF_ERROR(state->look_ahead());
  return std::unique_ptr<ConstraintState>(std::move(state));
}

}  // namespace quire
