// describe_model: the text of `quire show`: format, architecture, sizes, context, template and
// every tensor with type and shape. It runs all checks of loading (configuration, tensors,
// vocabulary), so a file that it describes as a model is one; what is well-formed but not a model
// that can be served (a vocabulary, weights without a directory, an unknown architecture) is listed
// as what it is. Pure function of the files; any thread. Called by apps/show.
#pragma once

#include <span>
#include <string>

#include "base/status.h"
#include "model/adapter_choice.h"

namespace quire {

// `adapters` of a model are put on it, and told.
Result<std::string> describe_model(const std::string& path,
                                   std::span<const AdapterChoice> adapters = {});

}  // namespace quire
