// Grammar over the crate.
#include "text/grammar.h"

#include "text/rust_boundary.h"

namespace quire {

Grammar::~Grammar() { quire_grammar_free(raw_); }

Status Grammar::write_mask(std::span<std::uint32_t> words) {
  return rust::to_status(quire_grammar_mask(raw_, words.data(), words.size()));
}

Status Grammar::accept(TokenId token) { return rust::to_status(quire_grammar_accept(raw_, token)); }

Result<std::shared_ptr<const GrammarFactory>> GrammarFactory::create(const Tokenizer& tokenizer,
                                                                     TokenId eos) {
  QuireGrammarFactory* raw = nullptr;
  QUIRE_RETURN_IF_ERROR(rust::to_status(quire_grammar_factory_new(tokenizer.raw(), eos, &raw)));
  return std::shared_ptr<const GrammarFactory>(new GrammarFactory(raw));
}

GrammarFactory::~GrammarFactory() { quire_grammar_factory_free(raw_); }

Result<std::unique_ptr<Grammar>> GrammarFactory::from_schema(std::string_view json_schema) const {
  QuireGrammar* raw = nullptr;
  QUIRE_RETURN_IF_ERROR(rust::to_status(
      quire_grammar_from_schema(raw_, rust::bytes_of(json_schema), json_schema.size(), &raw)));
  return std::make_unique<Grammar>(raw);
}

}  // namespace quire
