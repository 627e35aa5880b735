#include "targets/grammar_walk.h"

#include <array>
#include <bit>
#include <vector>

#include <fmt/format.h>

#include "target.h"
#include "text/grammar/grammar.h"
#include "text/tokenizer_for_tests.h"

namespace quire::fuzz {
namespace {

constexpr int kStepsMax = 24;
constexpr TokenId kEnd = 257;  // of byte_level_tokenizer()
using Mask = std::array<std::uint32_t, 9>;

// The nth token of a mask, counted round and round; -1: there is none.
TokenId pick(const Mask& mask, std::size_t nth) {
  std::vector<TokenId> allowed;
  for (std::size_t word = 0; word < mask.size(); ++word) {
    for (std::uint32_t bits = mask[word]; bits != 0; bits &= bits - 1) {
      allowed.push_back(static_cast<TokenId>(32 * word + std::countr_zero(bits)));
    }
  }
  return allowed.empty() ? -1 : allowed[nth % allowed.size()];
}

// One step: a token that the mask allows is taken; every third is taken back and taken again.
std::string step(GrammarState& state, std::size_t choice, bool& goes_on) {
  Mask mask{};
  const Status masked = state.write_mask(mask);
  goes_on = masked.is_ok();
  if (!goes_on) return fault_of(masked);
  const TokenId token = pick(mask, choice);
  goes_on = token >= 0 && token != kEnd;
  if (!goes_on) return "";
  const Status accepted = state.accept(token);
  goes_on = accepted.is_ok();
  if (!goes_on) {
    const bool is_spent = accepted.code() == StatusCode::kResourceExhausted;
    return is_spent ? "" : fmt::format("token {} of the mask: {}", token, accepted.message());
  }
  if (choice % 3 != 0) return "";
  if (const Status back = state.roll_back(1); !back.is_ok()) {
    return "taken back: " + back.message();
  }
  Mask again{};
  const Status masked_again = state.write_mask(again);
  if (!masked_again.is_ok()) return "after a step back: " + masked_again.message();
  if (again != mask) return fmt::format("token {} taken back leaves another mask", token);
  const Status accepted_again = state.accept(token);
  return accepted_again.is_ok() ? "" : "taken again: " + accepted_again.message();
}

}  // namespace

std::string walk_grammar(const GrammarSource& source, std::string_view choices) {
  static const auto factory =
      GrammarFactory::create(byte_level_tokenizer(), std::vector<TokenId>{kEnd}).value();
  const auto grammar = factory->compile(source);
  if (!grammar.is_ok()) return fault_of(grammar.status());
  const auto state = (*grammar)->begin();
  if (!state.is_ok()) return fault_of(state.status());
  std::size_t choice = 7;
  bool goes_on = true;
  for (int i = 0; i < kStepsMax && goes_on; ++i) {
    choice = choice * 31 + (choices.empty() ? 0 : static_cast<unsigned char>(
                                                      choices[choice % choices.size()]));
    std::string fault = step(**state, choice, goes_on);
    if (!fault.empty()) return fault;
  }
  const auto forced = (*state)->forced();
  if (!forced.is_ok()) return fault_of(forced.status());
  const auto end = (*state)->end();
  return end.is_ok() ? "" : fault_of(end.status());
}

}  // namespace quire::fuzz
