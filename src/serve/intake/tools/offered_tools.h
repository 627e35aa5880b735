// Tools of a request: the functions that a client offers, checked, who of them may be called, and
// how the model is told of them: through its chat template where that reads tools, else in words
// at the head of the conversation. A dialect finds the fields and names them in its errors.
// Pure; worker threads. Used by dialects.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "host/hosted_model.h"
#include "serve/answer/formats/tool.h"
#include "serve/intake/tools/warning.h"
#include "text/chat_prompt.h"

namespace quire {

inline constexpr std::size_t kToolsMax = 1024;
inline constexpr std::size_t kToolNameMax = 128;                      // bytes
inline constexpr std::size_t kToolsSizeMax = std::size_t{4} << 20;    // bytes of all schemas
inline constexpr std::size_t kCallIdMax = 128;                        // bytes

struct OfferedTools {
  std::vector<Tool> tools;
  std::vector<Json> shown;  // the same as chat templates read them
  ToolChoice choice;
  std::size_t size = 0;     // bytes of all schemas

  bool may_call() const { return !tools.empty() && choice.kind != ToolChoiceKind::kNone; }
  bool must_call() const { return may_call() && choice.kind == ToolChoiceKind::kRequired; }
};

// What a dialect found in the places of its tool; null: nothing.
struct GivenTool {
  const Json* name = nullptr;
  const Json* description = nullptr;
  const Json* parameters = nullptr;
  const Json* strict = nullptr;
};

enum class ToolField { kName, kDescription, kParameters, kStrict };

struct ToolMistake {
  ToolField field;
  std::string why;  // a clause
};

// Letters, digits, '_' and '-'.
bool is_tool_name(std::string_view name);

// Adds it, or says what is wrong with it. `is_strict`: where the client does not say.
std::optional<ToolMistake> add_tool(const GivenTool& given, bool is_strict, OfferedTools& offered);

// The name of the choice that is no tool's; empty: all are.
std::string unknown_choice(const OfferedTools& offered);

// Tells the model of them, unless none may be called. REQUIRES: the messages are in `chat`.
void show_tools(const HostedModel& model, const OfferedTools& offered, ChatPrompt& chat,
                std::vector<Warning>& warnings);

// Calls and their results in `chat` as text, where the model's template has no place for them.
void show_history(const HostedModel& model, ChatPrompt& chat, std::vector<Warning>& warnings);

}  // namespace quire
