// Schemas, patterns, GBNF and Lark with bytes changed, cut, doubled and swapped between each other:
// whatever comes of it compiles or is refused by a sentence; nothing ends the process. A few
// hundred here, as many as QUIRE_MUTATIONS says where somebody has the time.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "text/grammar/gbnf.h"
#include "text/grammar/grammar.h"
#include "text/grammar/lark.h"
#include "text/grammar/pattern.h"
#include "text/grammar/schema_check.h"
#include "text/tokenizer_for_tests.h"

namespace quire {
namespace {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : seed_(seed) {}
  std::size_t below(std::size_t bound) {
    seed_ = seed_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::size_t>(seed_ >> 33) % bound;
  }

 private:
  std::uint64_t seed_;
};

std::string mutate(const std::vector<std::string>& seeds, Dice& dice) {
  constexpr std::string_view kBytes = "{}[]()|*+?\\\"/:,.^$-~#%0129azAZ_ \n\x01\xC3\xA9\xFF";
  std::string text = seeds[dice.below(seeds.size())];
  for (std::size_t edits = 1 + dice.below(4); edits > 0 && !text.empty(); --edits) {
    const std::size_t at = dice.below(text.size());
    const std::size_t size = 1 + dice.below(std::min<std::size_t>(text.size() - at, 24));
    switch (dice.below(5)) {
      case 0:
        text[at] = kBytes[dice.below(kBytes.size())];
        break;
      case 1:
        text.insert(at, 1, kBytes[dice.below(kBytes.size())]);
        break;
      case 2:
        text.erase(at, size);
        break;
      case 3:
        text.insert(at, text.substr(at, size));
        break;
      default: {
        const std::string& other = seeds[dice.below(seeds.size())];
        const std::size_t from = dice.below(other.size());
        text.insert(at, other.substr(from, size));
      }
    }
  }
  return text;
}

void run(const std::vector<std::string>& seeds,
         const std::function<Result<GrammarSource>(const std::string&)>& read) {
  static const auto factory =
      GrammarFactory::create(byte_level_tokenizer(), std::vector<TokenId>{257}).value();
  const char* asked = std::getenv("QUIRE_MUTATIONS");
  const int rounds = asked != nullptr ? std::atoi(asked) : 400;
  Dice dice(13);
  int compiled = 0;
  for (int i = 0; i < rounds; ++i) {
    const std::string text = mutate(seeds, dice);
    const auto source = read(text);
    if (!source.is_ok()) {
      EXPECT_FALSE(source.status().message().empty());
      continue;
    }
    const auto grammar = factory->compile(*source);
    if (!grammar.is_ok()) {
      EXPECT_FALSE(grammar.status().message().empty());
      EXPECT_NE(grammar.status().code(), StatusCode::kInternal) << text;
      continue;
    }
    ++compiled;
    const auto state = (*grammar)->begin();
    if (!state.is_ok()) continue;
    std::vector<std::uint32_t> words(9);
    (void)(*state)->write_mask(words).is_ok();
  }
  std::printf("FIGURE %d of %d compile\n", compiled, rounds);
}

TEST(GrammarMutations, Schemas) {
  run({R"({"type":"object","properties":{"a":{"type":"string","pattern":"^[a-z]{1,3}$"},)"
       R"("b":{"$ref":"#/$defs/n"}},"required":["a"],"additionalProperties":false,)"
       R"("$defs":{"n":{"type":"integer","minimum":-5,"exclusiveMaximum":1e3,"multipleOf":5}}})",
       R"({"oneOf":[{"const":"x"},{"enum":[1,2.5,null,["y"],{"z":true}]}],"minLength":1})",
       R"({"type":["array","null"],"prefixItems":[{"format":"date"}],"items":false,"minItems":1})",
       R"({"allOf":[{"patternProperties":{"^x":{}}},{"minProperties":1}],"anyOf":[{},true]})"},
      [](const std::string& text) -> Result<GrammarSource> {
        QUIRE_ASSIGN_OR_RETURN(const Json schema, parse_json(text));
        return source_of_schema(schema);
      });
}

TEST(GrammarMutations, Patterns) {
  run({R"(^(?:[a-z]+|\d{2,5}|\x41\u00e9)*$)", R"([^\w\s\-\]é]+?(?<n>a|b){3})", R"(\p{L}\/[+--])"},
      [](const std::string& text) -> Result<GrammarSource> {
        QUIRE_ASSIGN_OR_RETURN(std::string pattern, rewrite_pattern(text));
        return GrammarSource{GrammarKind::kRegex, std::move(pattern)};
      });
}

TEST(GrammarMutations, Gbnf) {
  run({"root ::= (expr \"=\" ws term \"\\n\")+\nexpr ::= term ([-+*/] term)*\n"
       "term ::= ident | num | \"(\" ws expr \")\" ws\nident ::= [a-z] [a-z0-9_]{0,8} ws\n"
       "num ::= [0-9]+ ws # a number\nws ::= [ \\t\\n]*\n",
       "root ::= \"\\u00e9é\" | [^\\x00-\\x1f] . root?"},
      [](const std::string& text) { return source_of_gbnf(text); });
}

TEST(GrammarMutations, Lark) {
  run({"start: item (\",\" item)*\nitem: NAME \"=\" (NUMBER | /[a-z]{1,4}/i)\n"
       "NAME: /[a-zA-Z_]\\w*/\nNUMBER: /[0-9]+/ | \"0x\" /[0-9a-f]+/\n%ignore /[ \\t]+/\n",
       "start: %json {\"type\":\"object\"} | <[3]> | \"x\"{2,4} ~ 2..3\n"},
      [](const std::string& text) { return source_of_lark(text); });
}

}  // namespace
}  // namespace quire
