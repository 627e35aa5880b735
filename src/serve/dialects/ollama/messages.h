// Messages and tools as Ollama's clients send them, in the form that chat templates read: calls
// with arguments as objects, a tool's name beside its words, thoughts as reasoning_content.
// Pure; worker threads. Used by chat.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "serve/intake/fields.h"
#include "serve/intake/tools/offered_tools.h"

namespace quire {

// The field "messages"; mistakes go to `fields`. `messages_max`: a chat of more cannot fit. What
// is not understood in a message is told in a warning.
std::vector<Json> read_ollama_messages(Fields& fields, std::size_t messages_max,
                                       std::vector<Warning>& warnings);

OfferedTools read_ollama_tools(Fields& fields);

// A field of images that is not empty.
void refuse_images(Fields& fields, const Json* images, const std::string& where);

}  // namespace quire
