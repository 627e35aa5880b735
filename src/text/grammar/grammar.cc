// Grammar over the crate.
#include "text/grammar/grammar.h"

#include <utility>

#include "text/rust_boundary.h"

namespace quire {
namespace {

std::int32_t raw_kind(GrammarKind kind) {
  switch (kind) {
    case GrammarKind::kJsonSchema: return QUIRE_GRAMMAR_SCHEMA;
    case GrammarKind::kLark: return QUIRE_GRAMMAR_LARK;
    case GrammarKind::kRegex: return QUIRE_GRAMMAR_REGEX;
  }
  return -1;
}

}  // namespace

GrammarState::~GrammarState() { quire_grammar_state_free(raw_); }

Status GrammarState::write_mask(std::span<std::uint32_t> words) {
  return rust::to_status(quire_grammar_state_mask(raw_, words.data(), words.size()));
}

Status GrammarState::accept(TokenId token) {
  return rust::to_status(quire_grammar_state_accept(raw_, token));
}

Status GrammarState::roll_back(std::size_t tokens) {
  return rust::to_status(quire_grammar_state_roll_back(raw_, tokens));
}

Result<std::vector<TokenId>> GrammarState::forced() {
  rust::Buffer tokens;
  QUIRE_RETURN_IF_ERROR(rust::to_status(quire_grammar_state_forced(raw_, tokens.out())));
  return tokens.values<TokenId>();
}

Result<GrammarState::End> GrammarState::end() {
  std::uint8_t is_over = 0, may_end = 0;
  QUIRE_RETURN_IF_ERROR(rust::to_status(quire_grammar_state_end(raw_, &is_over, &may_end)));
  return End{is_over != 0, may_end != 0};
}

Result<GrammarState::Verdict> GrammarState::accept_text(std::string_view text) {
  std::uint8_t verdict = 0;
  QUIRE_RETURN_IF_ERROR(rust::to_status(
      quire_grammar_state_accepts_text(raw_, rust::bytes_of(text), text.size(), &verdict)));
  return static_cast<Verdict>(verdict);
}

Grammar::~Grammar() { quire_grammar_free(raw_); }

Result<std::unique_ptr<GrammarState>> Grammar::begin() const {
  QuireGrammarState* raw = nullptr;
  QUIRE_RETURN_IF_ERROR(rust::to_status(quire_grammar_begin(raw_, &raw)));
  return std::unique_ptr<GrammarState>(new GrammarState(shared_from_this(), raw));
}

Result<std::shared_ptr<const GrammarFactory>> GrammarFactory::create(
    std::shared_ptr<const Tokenizer> tokenizer, std::span<const TokenId> eos) {
  const std::vector<std::uint32_t> ids(eos.begin(), eos.end());  // a negative one is out of range
  QuireGrammarFactory* raw = nullptr;
  QUIRE_RETURN_IF_ERROR(rust::to_status(
      quire_grammar_factory_new(tokenizer->raw(), ids.data(), ids.size(), &raw)));
  return std::shared_ptr<const GrammarFactory>(new GrammarFactory(std::move(tokenizer), raw));
}

GrammarFactory::~GrammarFactory() { quire_grammar_factory_free(raw_); }

Result<std::shared_ptr<const Grammar>> GrammarFactory::compile(const GrammarSource& source) const {
  QuireGrammar* raw = nullptr;
  QUIRE_RETURN_IF_ERROR(rust::to_status(
      quire_grammar_compile(raw_, raw_kind(source.kind), rust::bytes_of(source.text),
                            source.text.size(), &raw)));
  return std::shared_ptr<const Grammar>(new Grammar(shared_from_this(), raw));
}

}  // namespace quire
