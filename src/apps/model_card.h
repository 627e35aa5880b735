// ModelCard: what the files of a model say of it, for lists that clients ask for: its family, its
// size, the keys of a GGUF file without their long lists.
// Any thread. Used by assemble.
#pragma once

#include "host/hosted_model.h"
#include "model/adapter_choice.h"
#include "model/model_files.h"

namespace quire {

// `adapters`: that the files were opened with.
ModelCard card_of(const ModelFiles& files, const std::vector<AdapterChoice>& adapters);

}  // namespace quire
