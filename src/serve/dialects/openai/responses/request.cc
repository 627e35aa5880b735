#include "serve/dialects/openai/responses/request.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/dialects/openai/chat_tools.h"
#include "serve/dialects/openai/responses/items.h"
#include "serve/dialects/openai/sampling_fields.h"
#include "serve/intake/prompt.h"

namespace quire {
namespace {

constexpr std::size_t kInstructionsMax = std::size_t{4} << 20;  // bytes

constexpr NeutralField kResponsesNeutral[] = {
    {"context_management", "[]"},
    {"moderation", "null"},
    {"prompt", "null"},
};

constexpr std::string_view kIncludes[] = {
    "message.output_text.logprobs", "reasoning.encrypted_content",
    "message.input_image.image_url", "file_search_call.results", "web_search_call.results",
    "web_search_call.action.sources", "computer_call_output.output.image_url",
    "code_interpreter_call.outputs"};

// Reads the fields that are objects with fields of their own, each into the request and its echo.
class RequestReader {
 public:
  RequestReader(Fields& fields, ResponsesRequest& request) : fields_(fields), r_(request) {}

  void read() {
    read_include();
    read_metadata();
    read_tools();
    read_choice();
    read_text();
    read_reasoning();
    read_origin();
    read_flags();
    const Json* input = fields_.any("input");
    if (input != nullptr) r_.input = read_items(fields_, *input, "input");
  }

 private:
  void refuse(const std::string& param, std::string_view what) {
    fields_.fail(unsupported_parameter(
        param, fmt::format("Unsupported parameter: '{}': {}.", param, what)));
  }

  void read_include() {
    const Json* include = fields_.any("include");
    const auto top = fields_.integer("top_logprobs", 0, kLogprobsMax);
    r_.echo.set("top_logprobs", top.value_or(0));
    bool wants_logprobs = top.value_or(0) > 0;
    if (include != nullptr && !include->is_array()) {
      fields_.fail(invalid_value("include", "Invalid 'include': expected a list of strings."));
    } else if (include != nullptr) {
      for (const Json& entry : include->items()) {
        const std::string name = entry.is_string() ? entry.as_string() : "";
        if (std::find(std::begin(kIncludes), std::end(kIncludes), name) == std::end(kIncludes)) {
          fields_.fail(invalid_value("include", "Invalid 'include': there is no " + shown(entry) +
                                                    " to be included."));
        }
        wants_logprobs |= name == kIncludes[0];
        r_.seals_thoughts |= name == kIncludes[1];
      }
    }
    if (wants_logprobs) r_.params.logprobs = static_cast<int>(top.value_or(0));
    need_logprobs(fields_, r_.params);
  }

  void read_metadata() {
    const Json* metadata = fields_.any("metadata");
    const bool is_good =
        metadata == nullptr ||
        (metadata->is_object() && metadata->members().size() <= kMetadataMax &&
         std::all_of(metadata->members().begin(), metadata->members().end(),
                     [](const Json::Member& pair) { return pair.second.is_string(); }));
    if (!is_good) {
      fields_.fail(invalid_value("metadata", fmt::format("Invalid 'metadata': expected at most {} "
                                                         "pairs of strings.", kMetadataMax)));
    }
    r_.echo.set("metadata", metadata != nullptr && is_good ? *metadata : Json::object());
  }

  void read_tools() {
    const Json* tools = fields_.any("tools");
    r_.echo.set("tools", Json::array());
    if (tools == nullptr) return;
    if (!tools->is_array() || tools->items().size() > kToolsMax) {
      return fields_.fail(invalid_value("tools", fmt::format("Invalid 'tools': expected a list of "
                                                             "at most {} tools.", kToolsMax)));
    }
    Json echo = Json::array();
    for (std::size_t i = 0; i < tools->items().size(); ++i) {
      const Json& tool = tools->items()[i];
      const std::string where = fmt::format("tools[{}]", i);
      if (item_text(tool, "type").empty()) {
        return fields_.fail(invalid_value(where + ".type", "Invalid '" + where + ".type': a tool "
                                                           "needs a type."));
      }
      if (item_text(tool, "type") == "function") {
        echo.push(read_function(tool, where));
      } else {
        add_note(r_.notes, "tool_not_offered", where,
                 fmt::format("Tools of type {} are not known here; the model is not told of it.",
                             shown(*tool.find("type"))));
        echo.push(tool);
      }
    }
    r_.echo.set("tools", std::move(echo));
  }

  // As the answer repeats it; null after a mistake.
  Json read_function(const Json& tool, const std::string& where) {
    const GivenTool given = {.name = tool.find("name"),
                             .description = tool.find("description"),
                             .parameters = tool.find("parameters"),
                             .strict = tool.find("strict")};
    if (const auto mistake = add_tool(given, false, r_.offered)) {
      constexpr const char* kMembers[] = {"name", "description", "parameters", "strict"};
      const std::string param =
          where + "." + kMembers[static_cast<std::size_t>(mistake->field)];
      fields_.fail(invalid_value(param, fmt::format("Invalid '{}': {}.", param, mistake->why)));
      return {};
    }
    Json echo = Json::object({{"type", "function"}, {"name", *given.name}});
    if (given.description != nullptr) echo.set("description", *given.description);
    echo.set("parameters", given.parameters != nullptr && given.parameters->is_object()
                               ? *given.parameters
                               : Json::object());
    const bool has_strict = given.strict != nullptr && given.strict->is_bool();
    echo.set("strict", has_strict ? *given.strict : Json(true));
    return echo;
  }

  void read_choice() {
    ToolChoice& choice = r_.offered.choice;
    choice.is_parallel = fields_.boolean("parallel_tool_calls").value_or(true);
    r_.echo.set("parallel_tool_calls", choice.is_parallel);
    const auto calls_max = fields_.integer("max_tool_calls", 0, kInt32Max);  // of built-in tools
    r_.echo.set("max_tool_calls", calls_max ? Json(*calls_max) : Json());
    const Json* asked = fields_.any("tool_choice");
    r_.echo.set("tool_choice", asked != nullptr ? *asked : Json("auto"));
    if (asked != nullptr) read_asked_choice(*asked, choice);
    const bool is_forced = choice.kind == ToolChoiceKind::kRequired || !choice.names.empty();
    if (is_forced && r_.offered.tools.empty()) {
      fields_.fail(invalid_value("tool_choice", "Invalid 'tool_choice': there are no functions in "
                                                "'tools' that could be called."));
    } else if (const std::string name = unknown_choice(r_.offered); !name.empty()) {
      fields_.fail(invalid_value("tool_choice", fmt::format("Invalid 'tool_choice': {} is none of "
                                                            "the functions in 'tools'.",
                                                            shown(Json(name)))));
    }
  }

  void read_asked_choice(const Json& asked, ToolChoice& choice) {
    const std::string_view type = item_text(asked, "type");
    if (asked == Json("none")) {
      choice.kind = ToolChoiceKind::kNone;
    } else if (asked == Json("required")) {
      choice.kind = ToolChoiceKind::kRequired;
    } else if (type == "function" && !item_text(asked, "name").empty()) {
      choice = {.kind = ToolChoiceKind::kRequired,
                .names = {std::string(item_text(asked, "name"))},
                .is_parallel = false};
    } else if (type == "allowed_tools") {
      read_allowed_tools(fields_, asked, "tool_choice", "", choice);
    } else if (asked != Json("auto")) {
      refuse("tool_choice", "only \"auto\", \"none\", \"required\", a function and allowed_tools "
                            "are supported by this server, got " +
                                (type.empty() ? shown(asked) : shown(Json(type))));
    }
  }

  void read_text() {
    Json echo = Json::object({{"format", Json::object({{"type", "text"}})},
                              {"verbosity", "medium"}});
    const Json* text = fields_.any("text");
    if (text != nullptr && text->is_object()) {
      const Json* format = text->find("format");
      if (format != nullptr && !format->is_null()) read_text_format(*format, echo);
      const std::string_view verbosity = item_text(*text, "verbosity");
      if (!verbosity.empty()) echo.set("verbosity", verbosity);
      if (!verbosity.empty() && verbosity != "medium") {
        add_note(r_.notes, "no_effect", "text.verbosity", "The model has no verbosity to be set.");
      }
    } else if (text != nullptr) {
      fields_.fail(invalid_value("text", "Invalid 'text': expected an object."));
    }
    r_.echo.set("text", std::move(echo));
  }

  void read_text_format(const Json& format, Json& echo) {
    Parsed<std::optional<AskedGrammar>> asked = read_format(format, "text.format");
    if (!asked.is_ok()) return fields_.fail(asked.error());
    if (!asked->has_value()) return;
    if (r_.grammar) {
      return fields_.fail(invalid_value("text.format", fmt::format(
          "'{}' and 'text.format' both say what the answer has to look like; only one of them may.",
          r_.grammar->field)));
    }
    r_.grammar = std::move(*asked);
    echo.set("format", format);
  }

  void read_reasoning() {
    r_.thinking.tokens_max = fields_.integer("thinking_token_budget", -1, kInt32Max);
    const Json* reasoning = fields_.any("reasoning");
    r_.echo.set("reasoning", Json::object({{"effort", Json()}, {"summary", Json()}}));
    if (reasoning == nullptr) return;
    if (!reasoning->is_object()) {
      return fields_.fail(invalid_value("reasoning", "Invalid 'reasoning': expected an object."));
    }
    const std::string_view effort = item_text(*reasoning, "effort");
    const std::string_view summary = item_text(*reasoning, "summary");
    const auto or_null = [](std::string_view text) { return text.empty() ? Json() : Json(text); };
    r_.echo.set("reasoning", Json::object({{"effort", or_null(effort)},
                                           {"summary", or_null(summary)}}));
    if (!effort.empty()) read_effort(effort);
    if (!summary.empty()) {
      add_note(r_.notes, "no_effect", "reasoning.summary",
               "Thoughts are shown as they are; nothing summarises them.");
    }
  }

  void read_effort(std::string_view effort) {
    if (!is_effort(effort)) {
      return fields_.fail(invalid_value("reasoning.effort", "Invalid 'reasoning.effort': " +
                                                                shown(Json(effort)) + "."));
    }
    r_.thinking.effort = effort;
    ChatPrompt tried;
    if (r_.model == nullptr) return;
    const ThinkingSwitched done = set_thinking(*r_.model, r_.thinking, tried);
    if (done.effort || done.thinks) return;
    add_note(r_.notes, "no_effect", "reasoning.effort",
             "The chat template of this model knows no effort of reasoning.");
  }

  void read_origin() {
    const Json* instructions = fields_.any("instructions");
    if (instructions != nullptr && (!instructions->is_string() ||
                                    instructions->as_string().size() > kInstructionsMax)) {
      fields_.fail(invalid_value("instructions", "Invalid 'instructions': expected a string."));
    } else if (instructions != nullptr) {
      r_.instructions = *instructions;
    }
    r_.echo.set("instructions", instructions != nullptr ? *instructions : Json());
    if (const std::string* id = fields_.text("previous_response_id", kIdSizeMax)) {
      r_.previous = *id;
    }
    r_.echo.set("previous_response_id", r_.previous.empty() ? Json() : Json(r_.previous));
    const Json* conversation = fields_.any("conversation");
    if (conversation == nullptr) return;
    r_.conversation = conversation->is_string() ? conversation->as_string()
                                                : std::string(item_text(*conversation, "id"));
    if (r_.conversation.empty() || r_.conversation.size() > kIdSizeMax) {
      fields_.fail(invalid_value("conversation", "Invalid 'conversation': expected an id or an "
                                                 "object with one."));
    }
    r_.echo.set("conversation", Json::object({{"id", r_.conversation}}));
    if (!r_.previous.empty()) {
      fields_.fail({.message = "Cannot set both `conversation` and `previous_response_id`.",
                    .param = "conversation",
                    .code = "mutually_exclusive_parameters"});
    }
  }

  void read_flags() {
    r_.is_kept = fields_.boolean("store").value_or(true);
    r_.is_background = fields_.boolean("background").value_or(false);
    const std::string* truncation = fields_.text("truncation", kIdSizeMax);
    r_.truncates = truncation != nullptr && *truncation == "auto";
    if (truncation != nullptr && !r_.truncates && *truncation != "disabled") {
      fields_.fail(invalid_value("truncation", "Invalid 'truncation': expected \"auto\" or "
                                               "\"disabled\"."));
    }
    r_.tokens_max = fields_.integer("max_output_tokens", 1, kInt32Max);
    fields_.any("client_metadata");  // an agent's notes to itself
    Json& echo = r_.echo;
    echo.set("truncation", r_.truncates ? "auto" : "disabled");
    echo.set("max_output_tokens", r_.tokens_max ? Json(*r_.tokens_max) : Json());
    echo.set("background", r_.is_background);
    echo.set("service_tier", "default");
    echo.set("temperature", static_cast<double>(r_.params.temperature));
    echo.set("top_p", static_cast<double>(r_.params.top_p));
    for (const char* name : {"user", "safety_identifier", "prompt_cache_key"}) {
      if (const std::string* text = fields_.text(name, kUserSizeMax)) echo.set(name, *text);
    }
    if (r_.n != 1) refuse("n", "a response has one answer");
  }

  Fields& fields_;
  ResponsesRequest& r_;
};

ChatPrompt prompt_of(const ResponsesRequest& request, std::vector<Json> messages,
                     std::vector<Warning>& warnings) {
  ChatPrompt prompt;
  prompt.messages = std::move(messages);
  show_history(*request.model, prompt, warnings);
  show_tools(*request.model, request.offered, prompt, warnings);
  set_thinking(*request.model, request.thinking, prompt);
  prompt.add_special_tokens = request.add_special_tokens.value_or(false);
  prompt.settles_bos = request.add_special_tokens.value_or(true);
  return prompt;
}

Parsed<std::vector<TokenId>> encode_items(const ResponsesRequest& request,
                                          std::span<const Json> items,
                                          std::vector<Warning>& warnings) {
  const Json* instructions = request.instructions ? &*request.instructions : nullptr;
  Parsed<std::vector<Json>> messages = messages_of(instructions, items, "input");
  if (!messages.is_ok()) return messages.error();
  if (messages->empty()) return invalid_value("input", "Invalid 'input': there is no message.");
  warnings.clear();
  Parsed<std::vector<TokenId>> ids =
      encode_chat(*request.model, prompt_of(request, std::move(*messages), warnings));
  if (ids.is_ok()) return ids;
  ApiError error = ids.error();
  error.param = "input";
  return error;
}

// What must be left for the answer if the input is cut.
std::size_t room_wanted(const ResponsesRequest& request) {
  const std::size_t context = request.model->info.context_max;
  const std::size_t asked = static_cast<std::size_t>(request.tokens_max.value_or(kInt32Max));
  return std::max<std::size_t>(1, std::min(asked, context / 8));
}

}  // namespace

ResponsesRequest read_responses_request(Fields& fields, const DialectContext& context) {
  ResponsesRequest request;
  static_cast<OpenAiRequest&>(request) = read_openai_request(fields, context);
  RequestReader(fields, request).read();
  fields.expect_neutral(kResponsesNeutral);
  if (request.model != nullptr && request.model->chat_template == nullptr) {
    fields.fail(unsupported_parameter("input", "This model has no chat template that can be used, "
                                               "so it cannot chat. Use /v1/completions, or serve "
                                               "it with --chat-template FILE."));
  }
  return request;
}

namespace {

// Cut where the request allows it.
Parsed<std::vector<TokenId>> encode_fitted(ResponsesRequest& request,
                                           std::vector<Warning>& warnings) {
  std::vector<Json> items = request.history;
  items.insert(items.end(), request.input.begin(), request.input.end());
  const std::size_t context = request.model->info.context_max;
  const std::size_t room = request.truncates ? room_wanted(request) : 1;
  const auto fits = [&](const Parsed<std::vector<TokenId>>& ids) {
    return ids.is_ok() && const_cast<Parsed<std::vector<TokenId>>&>(ids)->size() + room <= context;
  };
  Parsed<std::vector<TokenId>> ids = encode_items(request, items, warnings);
  const bool is_too_long = ids.is_ok() ? !fits(ids)
                                       : ids.error().code == "context_length_exceeded";
  if (!request.truncates || !is_too_long) return ids;
  // The fewest that have to go: fewer items never make a longer prompt.
  std::size_t low = 1, high = removable(items);
  if (high == 0) return ids;
  Parsed<std::vector<TokenId>> best = encode_items(request, without_oldest(items, high),
                                                     warnings);
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    Parsed<std::vector<TokenId>> tried = encode_items(request, without_oldest(items, middle),
                                                       warnings);
    if (fits(tried)) {
      high = middle;
      best = std::move(tried);
    } else {
      low = middle + 1;
    }
  }
  if (best.is_ok()) {
    const std::size_t dropped = items.size() - without_oldest(items, high).size();
    add_note(request.notes, "input_truncated", "truncation",
             fmt::format("The oldest {} of {} items did not fit into the context of {} tokens and "
                         "were left out.", dropped, items.size(), context));
  }
  return best;
}

}  // namespace

Parsed<std::vector<TokenId>> encode_turn(ResponsesRequest& request) {
  std::vector<Warning> warnings;
  Parsed<std::vector<TokenId>> ids = encode_fitted(request, warnings);
  for (Warning& it : warnings) {
    add_note(request.notes, it.code, it.param == "messages" ? "input" : it.param,
             std::move(it.message));
  }
  return ids;
}

void add_note(Json& notes, std::string_view code, std::string_view param, std::string message) {
  notes.push(Json::object({{"code", code}, {"param", param}, {"message", std::move(message)}}));
}

}  // namespace quire
