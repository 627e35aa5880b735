// What a Modelfile says of a model, put on when the model is loaded: its template in place of the
// files' own, its parameters as defaults, the rest for whoever makes prompts.
// Any thread. Used by assemble.
#pragma once

#include "host/hosted_model.h"
#include "store/modelfile/model_dress.h"

namespace quire {

// kInvalidArgument: its template cannot be used.
Status put_on(const store::ModelDress& dress, HostedModel& model);

}  // namespace quire
