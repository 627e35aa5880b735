// `quire create NAME -f Modelfile`: a model of the store from a Modelfile: the weights of FROM (a
// file, a folder, or a model of the store, of Ollama's or of the hub) with its template, system
// message, parameters and turns. Main thread.
#pragma once

#include <functional>

namespace quire {

class Command;

void declare_create(Command& parent, std::function<int()>& chosen);

}  // namespace quire
