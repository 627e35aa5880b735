#include "engine/constraints/thought_budget.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "base/check.h"

namespace quire {
namespace {

constexpr std::size_t kPastMax = 1024;  // tokens that can be taken back

enum class Place : std::uint8_t {
  kBefore,   // nothing is written but blanks: a thought may begin
  kThought,
  kAnswer,
};

struct Here {
  Place place = Place::kBefore;
  std::uint32_t thought_tokens = 0;
  std::size_t closed = 0;     // tokens of the closing phrase that have come; 0: none is due
  bool is_closing = false;
  bool is_inner_asked = false;  // the inner constraint has had this token, or will have the next
  std::string tail;           // the last bytes, as many as a mark may have
};

// A character is cut at the end.
bool ends_in_a_character(std::string_view bytes) {
  for (std::size_t back = 1; back <= 4 && back <= bytes.size(); ++back) {
    const auto byte = static_cast<std::uint8_t>(bytes[bytes.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;  // not its first byte
    const std::size_t size = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    return size > back;
  }
  return false;
}

class ThoughtBudgetState final : public ConstraintState {
 public:
  explicit ThoughtBudgetState(std::shared_ptr<const ThoughtBudgetOptions> options)
      : options_(std::move(options)) {
    tail_max_ = options_->ends.size();
    for (const std::string& mark : options_->begins) {
      tail_max_ = std::max(tail_max_, mark.size());
    }
    here_.place = options_->begins_in_thought ? Place::kThought
                  : options_->may_think       ? Place::kBefore
                                              : Place::kAnswer;
  }

  Status start() {
    settle_budget();
    if (options_->inner == nullptr) return ok_status();
    here_.is_inner_asked = options_->inner_reads_thoughts || here_.place != Place::kThought;
    return here_.is_inner_asked ? begin_again() : ok_status();
  }

  Result<bool> write_mask(std::span<std::uint32_t> words) override {
    if (here_.is_closing) {
      std::fill(words.begin(), words.end(), 0u);
      set(options_->closing[here_.closed], words);
      return true;
    }
    if (asks_inner()) {
      QUIRE_ASSIGN_OR_RETURN(const bool is_written, inner_->write_mask(words));
      if (is_written && here_.place == Place::kBefore && !options_->inner_reads_thoughts) {
        for (const std::string& mark : options_->begins) allow_mark(mark, words);
      }
      return is_written;
    }
    if (options_->inner == nullptr) return false;
    // A thought: anything but the end, behind which the answer would be missing.
    std::fill(words.begin(), words.end(), ~0u);
    for (const TokenId token : options_->eos_ids) {
      words[static_cast<std::size_t>(token) / 32] &= ~(1u << (static_cast<unsigned>(token) % 32));
    }
    return true;
  }

  Status accept(TokenId token) override {
    const Here before = here_;
    if (here_.is_closing && token != options_->closing[here_.closed]) {
      return error(StatusCode::kInvalidArgument, "token {} where {} has to come", token,
                   options_->closing[here_.closed]);
    }
    const bool opens = here_.place == Place::kBefore && begins_thought(token);
    if (asks_inner() && !(opens && !options_->inner_reads_thoughts)) {
      QUIRE_RETURN_IF_ERROR(inner_->accept(token));
    } else {
      here_.is_inner_asked = false;
    }
    past_.push_back(before);
    if (past_.size() > kPastMax) past_.pop_front();
    move_on(token, opens);
    return begin_inner();
  }

  Status roll_back(std::size_t tokens) override {
    QUIRE_CHECK(tokens <= past_.size(), "{} tokens back, {} are known", tokens, past_.size());
    std::size_t asked = 0;
    for (; tokens > 0; --tokens) {
      const Here before = std::move(past_.back());
      past_.pop_back();
      // What it had of these tokens, or nothing at all where it began among them.
      if (here_.is_inner_asked && before.is_inner_asked) ++asked;
      if (here_.is_inner_asked && !before.is_inner_asked) {
        inner_.reset();
        asked = 0;
      }
      here_ = before;
    }
    if (here_.is_inner_asked && inner_ == nullptr) return begin_again();
    return inner_ != nullptr && asked > 0 ? inner_->roll_back(asked) : ok_status();
  }

  std::span<const TokenId> forced() const override {
    if (here_.is_closing) return std::span(options_->closing).subspan(here_.closed);
    // A thought may begin in place of what the answer would have to begin with.
    const bool may_think = here_.place == Place::kBefore && !options_->inner_reads_thoughts;
    return asks_inner() && !may_think ? inner_->forced() : std::span<const TokenId>();
  }
  bool is_over() const override { return asks_inner() && inner_->is_over(); }
  bool may_end() const override {
    if (here_.is_closing) return false;
    return options_->inner == nullptr || (asks_inner() && inner_->may_end());
  }

 private:
  bool asks_inner() const { return inner_ != nullptr && here_.is_inner_asked; }

  static void set(TokenId token, std::span<std::uint32_t> words) {
    words[static_cast<std::size_t>(token) / 32] |= 1u << (static_cast<unsigned>(token) % 32);
  }

  void allow_mark(const std::string& mark, std::span<std::uint32_t> words) const {
    if (const auto token = options_->tokenizer->find(mark)) set(*token, words);
  }

  std::string_view text_of(TokenId token) const {
    return options_->tokenizer->is_special(token) ? options_->tokenizer->token_text(token)
                                                  : options_->tokenizer->token_bytes(token);
  }

  bool begins_thought(TokenId token) const {
    const std::string_view text = text_of(token);
    return std::any_of(options_->begins.begin(), options_->begins.end(),
                       [&](const std::string& mark) { return (here_.tail + std::string(text))
                                                          .ends_with(mark); });
  }

  void move_on(TokenId token, bool opens) {
    if (here_.place == Place::kThought) ++here_.thought_tokens;
    // What the phrase has behind the mark is a part of it: it was promised as a whole.
    const bool was_closing = here_.is_closing;
    if (was_closing) here_.is_closing = ++here_.closed < options_->closing.size();
    here_.tail += text_of(token);
    const bool is_blank = here_.tail.find_first_not_of(" \t\r\n") == std::string::npos;
    const bool is_closed = was_closing ? !here_.is_closing
                                       : here_.place == Place::kThought &&
                                             here_.tail.find(options_->ends) != std::string::npos;
    if (opens) {
      here_.place = Place::kThought;
      here_.tail.clear();
    } else if (is_closed) {
      here_.place = Place::kAnswer;
      here_.closed = 0;
    } else if (here_.place == Place::kBefore && !is_blank && !may_become_mark()) {
      here_.place = Place::kAnswer;
    }
    if (here_.tail.size() > tail_max_) here_.tail.erase(0, here_.tail.size() - tail_max_);
    settle_budget();
  }

  // What has come so far may be the beginning of a mark.
  bool may_become_mark() const {
    const std::size_t first = here_.tail.find_first_not_of(" \t\r\n");
    const std::string_view said = std::string_view(here_.tail).substr(first);
    return std::any_of(options_->begins.begin(), options_->begins.end(),
                       [&](const std::string& mark) { return mark.starts_with(said); });
  }

  // The thought may be about to end by itself.
  bool is_ending() const {
    for (std::size_t size = 1; size < options_->ends.size(); ++size) {
      if (here_.tail.ends_with(std::string_view(options_->ends).substr(0, size))) return true;
    }
    return false;
  }

  void settle_budget() {
    if (here_.place != Place::kThought || here_.is_closing || !options_->tokens_max) return;
    if (here_.thought_tokens < *options_->tokens_max || ends_in_a_character(here_.tail)) return;
    if (is_ending()) return;
    here_.is_closing = true;
    here_.closed = 0;
  }

  // Behind the thought.
  Status begin_inner() {
    const bool is_due = options_->inner != nullptr && here_.place == Place::kAnswer &&
                        !here_.is_inner_asked;
    if (!is_due) return ok_status();
    here_.is_inner_asked = true;
    return begin_again();
  }

  Status begin_again() {
    QUIRE_ASSIGN_OR_RETURN(inner_, options_->inner->begin());
    return ok_status();
  }

  std::shared_ptr<const ThoughtBudgetOptions> options_;
  std::unique_ptr<ConstraintState> inner_;
  std::size_t tail_max_ = 0;
  Here here_;
  std::deque<Here> past_;
};

}  // namespace

ThoughtBudget::ThoughtBudget(ThoughtBudgetOptions options)
    : options_(std::make_shared<const ThoughtBudgetOptions>(std::move(options))) {
  QUIRE_CHECK(!options_->tokens_max || !options_->closing.empty(),
              "a budget of {} tokens without a phrase that closes the thought",
              options_->tokens_max.value_or(0));
  QUIRE_CHECK(!options_->ends.empty(), "a thought without an end");
}

Result<std::unique_ptr<ConstraintState>> ThoughtBudget::begin() const {
  auto state = std::make_unique<ThoughtBudgetState>(options_);
  QUIRE_RETURN_IF_ERROR(state->start());
  return std::unique_ptr<ConstraintState>(std::move(state));
}

}  // namespace quire
