#include "text/end_of_turn.h"

#include <algorithm>

namespace quire {
namespace {

// As published vocabularies write them.
constexpr std::string_view kEndsOfTurn[] = {
    "<|im_end|>",          "<|eot_id|>",
    "<|eom_id|>",          "<|eot|>",
    "<|eom|>",             "<end_of_turn>",
    "<turn|>",             "<|end|>",
    "<|end_of_turn|>",     "<|endofturn|>",
    "[|endofturn|]",       "<|END_OF_TURN_TOKEN|>",
    "<end_of_utterance>",  "<|eos|>",
    "<|role_end|>",        "<|message_end|>",
    "<|return|>",          "<|call|>",
    "<EOT>",               "_<EOT>",
    "< EOT >",             "[EOT]",
    "<|EOT|>",             "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",
    "<|endoftext|>",       "<|end_of_text|>",
};

// Where a whole answer has an end of its own, this one only ends a part of it.
constexpr std::string_view kEndOfPart = "<|end|>";
constexpr std::string_view kEndOfWhole = "<|return|>";

}  // namespace

std::vector<TokenId> end_of_turn_ids(const Tokenizer& tokenizer) {
  std::vector<TokenId> ids;
  const bool has_parts = tokenizer.find(kEndOfWhole).has_value();
  for (const std::string_view text : kEndsOfTurn) {
    if (has_parts && text == kEndOfPart) continue;
    if (const auto id = tokenizer.find(text)) ids.push_back(*id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::vector<TokenId> end_of_turn_ids(const Tokenizer& tokenizer, std::string_view chat_template) {
  std::vector<TokenId> ids = end_of_turn_ids(tokenizer);
  std::erase_if(ids, [&](TokenId id) {
    return chat_template.find(tokenizer.token_text(id)) == std::string_view::npos;
  });
  return ids;
}

}  // namespace quire
