// The grammar of a value that is written as a literal of Python or as Gemma writes one, from the
// JSON Schema of it: types, properties, items, enumerations, alternatives and references. Any other
// keyword is passed over, or refused where the tool is strict.
// One grammar; one thread. Used by tool_grammar.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "base/json.h"
#include "base/status.h"
#include "serve/answer/formats/lark.h"

namespace quire {

struct LooseSpelling {
  std::string_view quote;  // around texts; empty: as Python writes
  std::string_view assigns;  // between the name of an argument and its value: "=", ":"
  bool is_strict = false;
};

class LooseGrammar {
 public:
  // `root`: the tool's parameters, which outlive the object.
  LooseGrammar(LarkWriter& out, const Json& root, LooseSpelling spelling)
      : out_(out), root_(root), spelling_(spelling) {}

  // Named arguments of `schema`, in the order of its properties, with commas.
  Result<std::string> arguments(const Json& schema);

  // Not ok: the first keyword that was passed over.
  const Status& passed_over() const { return passed_over_; }

 private:
  Result<std::string> value(const Json& schema, const std::string& path);
  Result<std::string> value_of_type(std::string_view type, const Json& schema,
                                    const std::string& path);
  Result<std::string> alternatives(const Json& options, const std::string& path);
  Result<std::string> reference(std::string_view target, const std::string& path);
  Result<std::string> members(const Json& schema, const std::string& path, bool is_call);
  std::string any_value();
  std::string any_members(bool is_call);
  std::string constant(const Json& value) const;
  std::string key(std::string_view name, bool is_call) const;
  std::string text();
  Status check_keywords(const Json& schema, const std::string& path);
  bool is_python() const { return spelling_.quote.empty(); }

  LarkWriter& out_;
  const Json& root_;
  const LooseSpelling spelling_;
  std::unordered_map<std::string, std::string> references_;  // rules of them
  Status passed_over_;
  int depth_ = 0;
};

// Alternatives of a comma-separated list whose members keep their order; each is there or, unless
// it has to be, not.
struct ListMember {
  std::string body;
  bool is_required = false;
};
std::string lark_list(LarkWriter& out, const std::vector<ListMember>& members,
                      std::string_view separator);

}  // namespace quire
