#include "apps/run.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "apps/assemble.h"
#include "apps/dressing.h"
#include "apps/flags.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "terminal/chat/conversation.h"
#include "terminal/signals.h"
#include "terminal/terminal.h"
#include "terminal/terminal_text.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/lark.h"
#include "text/grammar/schema_check.h"

namespace quire {
namespace {

struct RunArguments {
  ModelArguments model;
  std::string prompt;
  std::vector<std::pair<std::string, std::string>> settings;  // name and value, as for /set
  bool is_verbose = false;
  bool has_word_wrap = true;
  std::string schema, grammar;  // files
};

constexpr int kFailed = 1;
constexpr int kInterrupted = 130;  // what a shell expects of Ctrl-C
constexpr std::size_t kPipedSizeMax = std::size_t{16} << 20;

// Settings that are flags too; the table of /set checks both.
constexpr std::array<std::pair<const char*, const char*>, 13> kFlags = {{
    {"--system", "system"},
    {"--temperature", "temperature"},
    {"--top-p", "top_p"},
    {"--top-k", "top_k"},
    {"--min-p", "min_p"},
    {"--typical-p", "typical_p"},
    {"--repetition-penalty", "repetition_penalty"},
    {"--presence-penalty", "presence_penalty"},
    {"--frequency-penalty", "frequency_penalty"},
    {"--max-tokens", "max_tokens"},
    {"--num-predict", "max_tokens"},
    {"--seed", "seed"},
    {"--stop", "stop"},
}};

Result<std::string> piped_input() {
  std::string text;
  std::array<char, 65536> part;
  for (std::size_t size; (size = std::fread(part.data(), 1, part.size(), stdin)) > 0;) {
    text.append(part.data(), size);
    if (text.size() > kPipedSizeMax) {
      return error(StatusCode::kInvalidArgument, "a prompt of over 16 MiB is too long");
    }
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

// The argument, what was piped in, or the one before the other.
Result<std::string> prompt_of(const RunArguments& arguments) {
  if (is_terminal(STDIN_FILENO)) return arguments.prompt;
  QUIRE_ASSIGN_OR_RETURN(const std::string input, piped_input());
  if (input.empty() && arguments.prompt.empty()) {
    return error(StatusCode::kInvalidArgument, "standard input is empty and no PROMPT was given");
  }
  if (input.empty() || arguments.prompt.empty()) return input + arguments.prompt;
  return arguments.prompt + "\n\n" + input;
}

// `quire run 'Say hello'`: the prompt stands where the model belongs.
Status check_order(const RunArguments& arguments) {
  const std::string& model = arguments.model.model;
  std::error_code failure;
  if (!arguments.prompt.empty() || model.find_first_of(" \n") == std::string::npos ||
      std::filesystem::exists(model, failure)) {
    return ok_status();
  }
  return error(StatusCode::kNotFound,
               "there is no model '{}'. A prompt comes behind the model (quire run MODEL 'Say "
               "hello') or from standard input (echo 'Say hello' | quire run)", model);
}

int fail(const ChatScreen& screen, const Status& status) {
  screen.complain(status.message());
  return kFailed;
}

int answer_once(Chat& chat, ChatState state, const std::string& prompt, ChatScreen& screen) {
  state.messages.push_back({"user", prompt});
  const auto answer = ask(chat, state, screen);
  if (!answer.is_ok()) return fail(screen, answer.status());
  const std::string why = early_end_text(*answer, chat.context_max());
  if (!why.empty()) screen.note(why);
  if (state.settings.is_verbose) {
    std::fprintf(stderr, "[%s]\n", figures_text(*answer).c_str());
  }
  return answer->finish == FinishReason::kCancelled ? kInterrupted : 0;
}

// What --schema or --grammar names.
Result<std::optional<GrammarSource>> wanted_grammar(const RunArguments& arguments) {
  constexpr std::size_t kSizeMax = std::size_t{1} << 20;
  if (!arguments.schema.empty() && !arguments.grammar.empty()) {
    return error(StatusCode::kInvalidArgument,
                 "--schema and --grammar both say what an answer looks like: give one of them");
  }
  const bool is_schema = !arguments.schema.empty();
  const std::string& path = is_schema ? arguments.schema : arguments.grammar;
  if (path.empty()) return std::optional<GrammarSource>();
  QUIRE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kSizeMax));
  Result<GrammarSource> source = Status(StatusCode::kInvalidArgument, "");
  if (is_schema) {
    QUIRE_ASSIGN_OR_RETURN(const Json schema, parse_json(text));
    source = source_of_schema(schema);
  } else {
    source = text.find("::=") != std::string::npos ? source_of_gbnf(text) : source_of_lark(text);
  }
  if (source.is_ok()) return std::optional<GrammarSource>(std::move(*source));
  return error(source.status().code(), "{}: {}", path, source.status().message());
}

// What the Modelfile of the model says, and over it the flags.
Result<ChatState> first_state(const RunArguments& arguments, const store::ModelDress& dress,
                              const ChatScreen& screen) {
  ChatState state;
  state.settings.is_verbose = arguments.is_verbose;
  state.settings.has_word_wrap = arguments.has_word_wrap;
  for (const std::string& complaint : put_on(dress, state)) screen.complain(complaint);
  for (const auto& [name, value] : arguments.settings) {
    QUIRE_RETURN_IF_ERROR(set_value(name, value, state.settings));
  }
  state.initial = state.settings;
  return state;
}

int run(const RunArguments& arguments) {
  use_utf8_locale();
  ChatScreen screen;
  if (const Status status = start_log("warning"); !status.is_ok()) return fail(screen, status);
  // What is wrong with the flags is told before anything is fetched.
  const auto flags = first_state(arguments, {}, screen);
  if (!flags.is_ok()) return fail(screen, flags.status());
  const auto prompt = prompt_of(arguments);
  if (!prompt.is_ok()) return fail(screen, prompt.status());
  if (const Status status = check_order(arguments); !status.is_ok()) return fail(screen, status);
  const auto grammar = wanted_grammar(arguments);
  if (!grammar.is_ok()) return fail(screen, grammar.status());
  const auto dress = dress_of(arguments.model);
  if (!dress.is_ok()) return fail(screen, dress.status());
  auto state = first_state(arguments, *dress, screen);
  if (!state.is_ok()) return fail(screen, state.status());
  auto partner = load_chat_partner(arguments.model, *dress, *grammar);
  if (!partner.is_ok()) return fail(screen, partner.status());

  catch_signals();
  Chat chat(std::move(partner).value());
  if (!prompt->empty()) return answer_once(chat, std::move(*state), *prompt, screen);
  Conversation(chat, std::move(*state)).hold();
  return 0;
}

}  // namespace

void declare_run(Command& parent, std::function<int()>& chosen) {
  const auto arguments = std::make_shared<RunArguments>();
  Command command = parent.command("run", "Chat in the terminal, or answer one prompt");
  declare_model_flags(command, arguments->model);
  command.value("PROMPT", arguments->prompt, "answer this and leave");
  const auto defaults = setting_values(ChatSettings{});
  for (const auto& [flag, name] : kFlags) {
    const std::string setting = name;
    const auto standard = std::find_if(defaults.begin(), defaults.end(),
                                       [&](const auto& value) { return value.first == setting; });
    command.call<std::string>(
        flag,
        [arguments, setting](const std::string& value) {
          arguments->settings.emplace_back(setting, value);
        },
        setting_meaning(setting)).default_text(standard->second);
  }
  command.toggle("--verbose", arguments->is_verbose, "figures after each answer");
  command.toggle("--word-wrap,!--no-word-wrap", arguments->has_word_wrap,
                 "break lines between words at a terminal (default: on)");
  command.value("--schema", arguments->schema,
                "answers are JSON of the JSON Schema in this file");
  command.value("--grammar", arguments->grammar,
                "answers are of the grammar in this file: GBNF, as llama.cpp has it, or Lark");
  command.when_chosen([arguments, &chosen] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace quire
