// A tokenizer and a chat template that tests can predict: token i is byte i, two more begin and end
// a turn, and the template is ChatML.
// A pure function; any thread. Test code only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/ids.h"
#include "text/tokenizer.h"

namespace quire {

inline constexpr TokenId kTestImStart = 256;
inline constexpr TokenId kTestImEnd = 257;  // also the end of a text
inline constexpr std::uint32_t kTestVocab = 258;
inline constexpr const char* kTestChatTemplate =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

// Token i < 256 is byte i; `controls` are further control tokens, from kTestVocab on.
std::shared_ptr<const Tokenizer> make_test_tokenizer(std::span<const std::string> controls = {});

}  // namespace quire
