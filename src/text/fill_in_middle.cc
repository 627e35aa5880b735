#include "text/fill_in_middle.h"

namespace quire {
namespace {

struct Names {
  std::string_view prefix, suffix, middle;
};

// As published vocabularies write them.
constexpr Names kNames[] = {
    {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},  // Qwen2.5-Coder, CodeGemma
    {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},        // StarCoder, StarCoder2
    {"<fim-prefix>", "<fim-suffix>", "<fim-middle>"},        // SantaCoder
    {"\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>"},           // Code Llama
    {"<\uFF5Cfim\u2581begin\uFF5C>", "<\uFF5Cfim\u2581hole\uFF5C>",
     "<\uFF5Cfim\u2581end\uFF5C>"},                         // DeepSeek-Coder
    {"<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"},  // GLM-4
    {"<|fim_begin|>", "<|fim_hole|>", "<|fim_end|>"},        // others that learned from DeepSeek
    {"[PREFIX]", "[SUFFIX]", ""},                            // Codestral
};

constexpr std::string_view kEnds[] = {
    "<|endoftext|>", "<|fim_pad|>",   "<|file_separator|>", "<|file_sep|>",
    "<file_sep>",    "<|repo_name|>", "\u2581<EOT>",        "<|cursor|>",
};

}  // namespace

std::optional<GapTokens> find_gap_tokens(const Tokenizer& tokenizer) {
  for (const Names& names : kNames) {
    const auto prefix = tokenizer.find(names.prefix), suffix = tokenizer.find(names.suffix);
    const auto middle = names.middle.empty() ? std::optional<TokenId>(-1)
                                             : tokenizer.find(names.middle);
    if (!prefix || !suffix || !middle) continue;
    GapTokens tokens{.prefix = *prefix, .suffix = *suffix, .middle = *middle, .ends = {}};
    for (const std::string_view end : kEnds) {
      if (const auto id = tokenizer.find(end)) tokens.ends.push_back(*id);
    }
    return tokens;
  }
  return std::nullopt;
}

Result<std::vector<TokenId>> encode_gap(const Tokenizer& tokenizer, const GapTokens& tokens,
                                        std::string_view before, std::string_view behind) {
  QUIRE_ASSIGN_OR_RETURN(std::vector<TokenId> ids, tokenizer.encode("", {.add_special = true}));
  const auto append = [&](TokenId control, std::string_view text) -> Status {
    ids.push_back(control);
    QUIRE_ASSIGN_OR_RETURN(const auto more, tokenizer.encode(text, {.add_special = false}));
    ids.insert(ids.end(), more.begin(), more.end());
    return ok_status();
  };
  const bool is_suffix_first = tokens.middle < 0;
  if (is_suffix_first) QUIRE_RETURN_IF_ERROR(append(tokens.suffix, behind));
  QUIRE_RETURN_IF_ERROR(append(tokens.prefix, before));
  if (!is_suffix_first) {
    QUIRE_RETURN_IF_ERROR(append(tokens.suffix, behind));
    ids.push_back(tokens.middle);
  }
  return ids;
}

}  // namespace quire
