// What a Modelfile says of a model, put on when the model is loaded: its template in place of the
// files' own, its parameters as defaults, the rest for whoever makes prompts.
// Any thread. Used by assemble, and by run for a chat at a terminal.
#pragma once

#include <string>
#include <vector>

#include "apps/model_words.h"
#include "host/hosted_model.h"
#include "store/modelfile/model_dress.h"
#include "terminal/chat/chat_commands.h"

namespace quire {

// kInvalidArgument: its template cannot be used.
Status put_on(const store::ModelDress& dress, HostedModel& model);

// The template alone.
Status put_on(const store::ModelDress& dress, ModelWords& words);

// The rest, for a chat: its system message, turns and parameters are what it begins with. A
// sentence for each parameter that means nothing there.
std::vector<std::string> put_on(const store::ModelDress& dress, ChatState& state);

}  // namespace quire
