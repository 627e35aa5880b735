#include "apps/show.h"

#include <fmt/ranges.h>

#include <cstdio>
#include <memory>

#include "apps/flags.h"
#include "apps/manifest_json.h"
#include "apps/model_path.h"
#include "apps/model_words.h"
#include "model/describe.h"
#include "model/model_files.h"
#include "serve/answer/formats/format.h"

namespace quire {
namespace {

struct ShowArguments {
  std::string model;
  bool is_json = false;
  bool is_modelfile = false;
};

std::string content_text(const ChatTemplate& chat_template) {
  const std::string_view user = content_form_name(chat_template.content_form("user"));
  std::string text(user);
  for (const char* role : {"system", "assistant"}) {
    const std::string_view form = content_form_name(chat_template.content_form(role));
    if (form != user) text += fmt::format(", {} messages {}", role, form);
  }
  return text;
}

// How the model writes calls, as its chat template shows.
std::string calls_text(const ChatTemplate& chat_template) {
  const CallFormat* calls = format_of_template(chat_template.source()).calls;
  if (calls == nullptr) return "none of its own: it is told of a generic form";
  return std::string(calls->name);
}

std::string thoughts_text(const ChatTemplate& chat_template) {
  const ThoughtFormat* thoughts = format_of_template(chat_template.source()).thoughts;
  return thoughts == nullptr ? "none" : std::string(thoughts->name);
}

// Lines about a model's words, as describe_model writes them; none for a file that is no model.
std::string words_lines(const FoundModel& model) {
  const auto files = open_model(model.path, {}, model.adapters);
  if (!files.is_ok()) return "";
  const auto words = load_words(**files, "");
  if (!words.is_ok()) return "";
  std::string lines;
  const auto line = [&](std::string_view name, std::string_view text) {
    lines += fmt::format("{:<14}{}\n", name, text);
  };
  std::vector<std::string> ends;
  for (const TokenId id : words->eos_ids) {
    ends.push_back(fmt::format("{} {}", id, dump(Json(words->tokenizer->token_text(id)))));
  }
  if (!ends.empty()) line("answers end", fmt::format("at {}", fmt::join(ends, ", ")));
  if (words->chat.adds_bos && words->chat.bos_id >= 0) {
    line("chats begin", fmt::format("with one BOS, {}", words->chat.bos_id));
  }
  if (words->chat_template) {
    line("chat content", content_text(*words->chat_template));
    line("tool calls", calls_text(*words->chat_template));
    line("thoughts", thoughts_text(*words->chat_template));
  }
  for (const std::string& warning : words->warnings) line("warning", warning);
  return lines;
}

// In front of the list of tensors, which is long.
std::string with_words(std::string text, const FoundModel& model) {
  const std::size_t tensors = text.find("\ntensors ");
  const std::size_t at = tensors == std::string::npos ? text.size() : tensors + 1;
  return text.insert(at, words_lines(model));
}

Result<std::string> page(const FoundModel& model) {
  QUIRE_ASSIGN_OR_RETURN(std::string text, describe_model(model.path, model.adapters));
  text = with_words(std::move(text), model);
  if (!model.manifest) return text;
  return fmt::format("{:<14}{}, {} at {}\n{:<14}{}\n{}", "store", model.manifest->name,
                     model.manifest->source, model.manifest->revision, "path", model.path, text);
}

std::vector<std::string> adapter_paths(const FoundModel& model) {
  std::vector<std::string> paths;
  for (const AdapterChoice& adapter : model.adapters) paths.push_back(adapter.path);
  return paths;
}

// As a file that makes the same model.
std::string modelfile(const ShowArguments& arguments, const FoundModel& model) {
  const std::string name = model_name(arguments.model);
  return fmt::format("# For a model that is based on this one: FROM {}\n\n{}", name,
                     store::modelfile_of(model.path, model.dress, adapter_paths(model)));
}

Result<std::string> json_page(const FoundModel& model) {
  QUIRE_ASSIGN_OR_RETURN(const auto files, open_model(model.path, {}, model.adapters));
  const ModelFacts& facts = files->facts();
  Json root = Json::object({{"path", model.path},
                            {"architecture", facts.architecture},
                            {"parameters", facts.parameters},
                            {"weight_bytes", facts.weight_bytes},
                            {"weight_types", facts.weight_types},
                            {"layers", facts.layers},
                            {"width", facts.width},
                            {"heads", facts.groups[0].heads},
                            {"kv_heads", facts.groups[0].kv_heads},
                            {"context", facts.context_max},
                            {"vocabulary", facts.vocab},
                            {"has_chat_template", !facts.words.chat_template.empty()}});
  if (const auto words = load_words(*files, ""); words.is_ok()) {
    root.set("eos_ids", Json::array({words->eos_ids.begin(), words->eos_ids.end()}));
    root.set("warnings", Json::array({words->warnings.begin(), words->warnings.end()}));
    if (words->chat_template) {
      root.set("chat_content", content_text(*words->chat_template));
      root.set("tool_calls", calls_text(*words->chat_template));
      root.set("thoughts", thoughts_text(*words->chat_template));
    }
  }
  if (const auto paths = adapter_paths(model); !paths.empty()) {
    root.set("adapters", Json::array({paths.begin(), paths.end()}));
  }
  if (model.manifest) {
    QUIRE_ASSIGN_OR_RETURN(const store::LocalStore store, open_store());
    root.set("store", manifest_json(store, *model.manifest));
  }
  return dump(root) + "\n";
}

Result<std::string> show(const ShowArguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(const FoundModel model, find_model(arguments.model));
  if (arguments.is_modelfile) return modelfile(arguments, model);
  return arguments.is_json ? json_page(model) : page(model);
}

int run_show(const ShowArguments& arguments) {
  const auto text = show(arguments);
  if (!text.is_ok()) {
    std::fprintf(stderr, "quire: %s\n", text.status().message().c_str());
    return 1;
  }
  std::fputs(text->c_str(), stdout);
  return 0;
}

}  // namespace

void declare_show(Command& parent, std::function<int()>& chosen) {
  const auto arguments = std::make_shared<ShowArguments>();
  Command command =
      parent.command("show", "Shapes, types, sizes, context and template of a model");
  command.value("MODEL", arguments->model,
                "file, directory or name (default: the default model)");
  command.toggle("--json", arguments->is_json, "for programs, without the list of tensors");
  command.toggle("--modelfile", arguments->is_modelfile,
                 "a Modelfile that makes the same model: files, adapters, template, parameters");
  command.when_chosen(
      [arguments, &chosen] { chosen = [arguments] { return run_show(*arguments); }; });
}

}  // namespace quire
