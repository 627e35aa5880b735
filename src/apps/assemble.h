// The one place that makes models out of concrete parts: for ModelHost, which opens and loads them
// when they are wanted, as often as they are; and for the chat at a terminal.
// Called by serve at start-up and by run; recipes run on ModelHost's loading thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "apps/greeting.h"
#include "apps/serve_arguments.h"
#include "host/model_catalog.h"
#include "host/model_host.h"
#include "runtime/memory_plan.h"
#include "terminal/chat/chat_partner.h"
#include "text/grammar/source.h"

namespace quire {

// Told of every load, on the loading thread, before the model serves.
using LoadListener = std::function<void(const GreetedModel& model, double seconds)>;

ModelRecipe make_recipe(const NamedModel& model, std::shared_ptr<CpuDevice> device,
                        const MemoryLimit& limit, LoadListener report);

// Any thread.
Result<ModelLook> look_at(const ModelArguments& arguments);

// What the model's Modelfile says of it, where it has one; fetches the model if it is not here.
Result<store::ModelDress> dress_of(const ModelArguments& arguments);

// The only model of this process, loaded now, with the template of `dress`. `grammar`: what its
// answers have to look like.
Result<ChatPartner> load_chat_partner(const ModelArguments& arguments,
                                      const store::ModelDress& dress,
                                      const std::optional<GrammarSource>& grammar);

}  // namespace quire
