// Messages: the `messages` of a chat request, checked and made into what a chat template reads:
// role and content, text or parts of text, calls of tools with their results, thoughts. `developer`
// is OpenAI's newer word for `system` and is rendered as such; `function_call` and the role
// `function` are the older ones for a call and its result. What is not text is refused by name.
// Pure. Used by openai_chat and vllm_tokenize.
#pragma once

#include <vector>

#include "base/json.h"
#include "serve/intake/fields.h"
#include "serve/intake/prompt.h"

namespace quire {

// Reads messages, add_generation_prompt, continue_final_message, chat_template and
// chat_template_kwargs. Mistakes go to `fields`.
ChatPrompt read_chat_prompt(Fields& fields, const HostedModel* model);

// Texts for the template to draw on ({"title", "text"} and the like), where it reads them.
void read_documents(Fields& fields, const HostedModel* model, ChatPrompt& chat);

}  // namespace quire
