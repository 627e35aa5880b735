#include "apps/dressing.h"

#include <utility>

namespace quire {
namespace {

// A parameter that every protocol has a default for.
template <typename T>
void take(const Json& parameters, const char* name, T& into) {
  const Json* value = parameters.find(name);
  if (value != nullptr && value->is_number()) into = static_cast<T>(value->as_double());
}

}  // namespace

Status put_on(const store::ModelDress& dress, HostedModel& model) {
  if (dress.is_empty()) return ok_status();
  if (!dress.chat_template.empty()) {
    auto chat_template = ChatTemplate::compile_go(dress.chat_template);
    if (!chat_template.is_ok()) {
      return error(StatusCode::kInvalidArgument, "the TEMPLATE of its Modelfile: {}",
                   chat_template.status().message());
    }
    model.chat_template = std::move(*chat_template);
    model.info.chats = true;
    model.info.chat_problem.clear();
  }
  GenerationDefaults& sampling = model.info.sampling;
  take(dress.parameters, "temperature", sampling.temperature);
  take(dress.parameters, "top_p", sampling.top_p);
  take(dress.parameters, "top_k", sampling.top_k);
  take(dress.parameters, "repeat_penalty", sampling.repetition_penalty);
  model.dress = std::make_shared<const store::ModelDress>(dress);
  return ok_status();
}

}  // namespace quire
