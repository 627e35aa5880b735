#include "serve/intake/tools/thinking.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "serve/intake/tools/answer_shape.h"

namespace quire {
namespace {

// Whatever is known of a family, these mean what they say.
constexpr ThoughtSwitch kUsual[] = {{"enable_thinking", SwitchKind::kOnOff},
                                    {"reasoning_effort", SwitchKind::kEffort}};

// Templates know three efforts, and some of them none; those of Go know "max" as well.
std::string_view known_effort(std::string_view effort, bool is_go) {
  if (effort == "minimal") return "low";
  if (effort == "max" && is_go) return "max";
  if (effort == "xhigh" || effort == "max") return "high";
  return effort;
}

}  // namespace

bool is_effort(std::string_view text) {
  constexpr std::string_view kEfforts[] = {"none", "minimal", "low", "medium",
                                           "high", "xhigh",   "max"};
  return std::find(std::begin(kEfforts), std::end(kEfforts), text) != std::end(kEfforts);
}

ThinkingSwitched set_thinking(const HostedModel& model, const ThinkingWish& wish,
                              ChatPrompt& chat) {
  ThinkingSwitched done;
  if (model.chat_template == nullptr) return done;
  const ThoughtFormat* thoughts = format_of(model).thoughts;
  std::vector<ThoughtSwitch> switches;
  if (thoughts != nullptr) {
    switches.assign(thoughts->switches.begin(), thoughts->switches.end());
  }
  for (const ThoughtSwitch& usual : kUsual) {
    const auto is_it = [&](const ThoughtSwitch& it) { return it.variable == usual.variable; };
    if (std::none_of(switches.begin(), switches.end(), is_it)) switches.push_back(usual);
  }
  std::optional<bool> thinks = wish.thinks;
  if (!thinks && !wish.effort.empty()) thinks = wish.effort != "none";
  const bool is_go = model.chat_template->go() != nullptr;
  const bool is_plain_wish = wish.effort.empty() && wish.thinks.value_or(false);
  std::vector<Json::Member> set;
  for (const ThoughtSwitch& it : switches) {
    if (!model.chat_template->has_variable(it.variable)) continue;
    const std::string name(it.variable);
    if (it.kind == SwitchKind::kOnOff && thinks) {
      set.emplace_back(name, *thinks);
      done.thinks = true;
    }
    // The model is told of its budget; what holds it to that is no template.
    if (it.kind == SwitchKind::kBudget && wish.tokens_max) {
      set.emplace_back(name, *wish.tokens_max);
    }
    if (it.kind == SwitchKind::kEffort && is_plain_wish && is_go) {
      set.emplace_back(name, "medium");  // as Ollama has it
    }
    if (it.kind == SwitchKind::kEffort && !wish.effort.empty()) {
      set.emplace_back(name, known_effort(wish.effort, is_go));
      done.effort = true;
    }
  }
  chat.template_kwargs.insert(chat.template_kwargs.begin(), set.begin(), set.end());
  return done;
}

}  // namespace quire
