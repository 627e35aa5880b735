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

Result<std::shared_ptr<const ChatTemplate>> compiled(const std::string& source) {
  auto chat_template = ChatTemplate::compile_go(source);
  if (chat_template.is_ok()) return chat_template;
  return error(StatusCode::kInvalidArgument, "the TEMPLATE of its Modelfile: {}",
               chat_template.status().message());
}

}  // namespace

Status put_on(const store::ModelDress& dress, HostedModel& model) {
  if (dress.is_empty()) return ok_status();
  if (!dress.chat_template.empty()) {
    QUIRE_ASSIGN_OR_RETURN(model.chat_template, compiled(dress.chat_template));
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

Status put_on(const store::ModelDress& dress, ModelWords& words) {
  if (dress.chat_template.empty()) return ok_status();
  QUIRE_ASSIGN_OR_RETURN(words.chat_template, compiled(dress.chat_template));
  words.chat_problem.clear();
  return ok_status();
}

std::vector<std::string> put_on(const store::ModelDress& dress, ChatState& state) {
  std::vector<std::string> complaints;
  ChatSettings& settings = state.settings;
  if (!dress.system.empty()) settings.system = dress.system;
  for (const Json& turn : dress.messages) {
    state.messages.push_back({turn.find("role")->as_string(), turn.find("content")->as_string()});
  }
  for (const auto& [name, value] : dress.parameters.members()) {
    if (name == "stop") {
      for (const Json& each : value.is_array() ? value.items() : std::vector<Json>{value}) {
        if (each.is_string()) settings.sampling.stop_strings.push_back(each.as_string());
      }
      continue;
    }
    const Status status = set_value(name, dump(value), settings);
    if (status.is_ok()) continue;
    complaints.push_back(fmt::format("PARAMETER {} {} of the Modelfile has no effect here: {}",
                                     name, dump(value), status.message()));
  }
  return complaints;
}

}  // namespace quire
