// ToyConstraint: a grammar of chance. Which tokens may come next, which must and where a text may
// end are functions of a seed and of the tokens so far, so that a branch alone and the same branch
// in a crowd can be asked the same. One thread; tests only.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "base/hash.h"
#include "core/constraint.h"

namespace quire {

class ToyConstraint final : public Constraint {
 public:
  ToyConstraint(std::uint64_t seed, std::uint32_t vocab, std::vector<TokenId> eos)
      : seed_(seed), vocab_(vocab), eos_(std::move(eos)) {}

  class State final : public ConstraintState {
   public:
    explicit State(const ToyConstraint& of) : of_(of), at_(mix64(of.seed_)) { look_ahead(); }

    bool allows(TokenId token) const {
      if (!forced_.empty()) return token == forced_.front();
      if (is_over()) return false;
      const auto is_end = std::find(of_.eos_.begin(), of_.eos_.end(), token) != of_.eos_.end();
      return is_end ? may_end() : mix64(at_ ^ static_cast<std::uint64_t>(token + 99)) % 3 != 0;
    }
    Result<bool> write_mask(std::span<std::uint32_t> words) override {
      if (forced_.empty() && !is_over() && at_ % 7 == 0) return false;  // anything
      std::fill(words.begin(), words.end(), 0u);
      for (std::uint32_t token = 0; token < of_.vocab_; ++token) {
        if (allows(static_cast<TokenId>(token))) words[token / 32] |= 1u << (token % 32);
      }
      return true;
    }
    Status accept(TokenId token) override {
      const bool is_free = forced_.empty() && !is_over() && at_ % 7 == 0;
      if (!is_free && !allows(token)) {
        return error(StatusCode::kInvalidArgument, "token {} may not come", token);
      }
      past_.push_back({at_, forced_});
      at_ = mix64(at_ * 31 + static_cast<std::uint64_t>(token));
      if (forced_.size() > 1) {
        forced_.erase(forced_.begin());
      } else {
        look_ahead();
      }
      return ok_status();
    }
    Status roll_back(std::size_t tokens) override {
      for (; tokens > 0; --tokens) {
        at_ = past_.back().at;
        forced_ = past_.back().forced;
        past_.pop_back();
      }
      return ok_status();
    }
    std::span<const TokenId> forced() const override { return forced_; }
    bool is_over() const override {
      return forced_.empty() && past_.size() > 3 && at_ % 23 == 1;
    }
    bool may_end() const override { return is_over() || (forced_.empty() && at_ % 5 < 2); }

   private:
    struct Past {
      std::uint64_t at;
      std::vector<TokenId> forced;
    };

    // Every fourth place leaves no choice for up to six tokens.
    void look_ahead() {
      forced_.clear();
      if (at_ % 4 != 1 || is_over()) return;
      for (std::uint64_t i = 0; i <= mix64(at_) % 6; ++i) {
        const auto token = static_cast<TokenId>(mix64(at_ + i) % of_.vocab_);
        if (std::find(of_.eos_.begin(), of_.eos_.end(), token) == of_.eos_.end()) {
          forced_.push_back(token);
        }
      }
    }

    const ToyConstraint& of_;
    std::uint64_t at_;
    std::vector<TokenId> forced_;
    std::vector<Past> past_;
  };

  Result<std::unique_ptr<ConstraintState>> begin() const override {
    return std::unique_ptr<ConstraintState>(std::make_unique<State>(*this));
  }

 private:
  std::uint64_t seed_;
  std::uint32_t vocab_;
  std::vector<TokenId> eos_;
};

}  // namespace quire
