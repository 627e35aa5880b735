#include "apps/run.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <random>
#include <string>

#include <CLI/CLI.hpp>

#include "apps/chat.h"
#include "base/clock.h"
#include "base/log.h"

namespace quire {
namespace {

struct RunArguments {
  ModelArguments model;
  std::string prompt;
  std::string system;
  float temperature = 0.7f;
  float top_p = 0.95f;
  int max_tokens = 1024;
  std::int64_t seed = -1;
  bool is_verbose = false;
};

constexpr int kFailed = 1;
constexpr std::size_t kPipedSizeMax = std::size_t{16} << 20;

std::atomic<bool> interrupted{false};

// Ctrl-C: seen by the streaming loop, and by a read at the prompt (which then fails with EINTR).
void catch_interrupts() {
  struct sigaction action{};
  action.sa_handler = [](int) { interrupted.store(true); };
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
}

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// One question and its answer on standard output.
Result<ChatAnswer> ask(Chat& chat, const std::string& text, bool is_verbose) {
  interrupted = false;
  chat.add({"user", text});
  const Nanos start = SteadyClock::now();
  Nanos first{0};
  auto answer = chat.answer(
      text,
      [&](std::string_view piece) {
        if (first.count() == 0) first = SteadyClock::now();
        print(piece);
      },
      [] { return interrupted.load(); });
  print("\n");
  if (!answer.is_ok()) return answer;
  chat.add({"assistant", answer->text});
  if (answer->finish == FinishReason::kFault || answer->finish == FinishReason::kNonFinite) {
    return error(StatusCode::kInternal, "the model failed ({})",
                 finish_reason_name(answer->finish));
  }
  if (is_verbose) {
    const double seconds = to_seconds(SteadyClock::now() - first);
    std::fprintf(stderr,
                 "[%u prompt tokens (%u cached), first token after %.0f ms, %.1f tokens/s]\n",
                 answer->usage.prompt_tokens, answer->usage.cached_tokens,
                 1e3 * to_seconds(first - start),
                 (answer->usage.generated_tokens - 1) / std::max(seconds, 1e-9));
  }
  return answer;
}

constexpr const char* kChatHelp =
    "  /clear   forget the conversation\n"
    "  /help    this page\n"
    "  /bye     leave (so does Ctrl-D)\n"
    "  Ctrl-C   stops the answer\n";

int converse(Chat& chat, const RunArguments& arguments) {
  std::printf("Type a message; /help lists commands, /bye leaves.\n");
  for (;;) {
    print(">>> ");
    std::string line;
    if (!std::getline(std::cin, line)) {
      print("\n");
      if (!interrupted.exchange(false)) return 0;
      std::clearerr(stdin);
      std::cin.clear();
      std::printf("(/bye or Ctrl-D leaves)\n");
      continue;
    }
    if (line.empty()) continue;
    if (line == "/bye") return 0;
    if (line == "/help") {
      std::fputs(kChatHelp, stdout);
    } else if (line == "/clear") {
      chat.clear();
      if (!arguments.system.empty()) chat.add({"system", arguments.system});
    } else if (line[0] == '/') {
      std::printf("There is no command '%s'; /help lists them.\n", line.c_str());
    } else if (const auto answer = ask(chat, line, arguments.is_verbose); !answer.is_ok()) {
      std::fprintf(stderr, "quire: %s\n", answer.status().message().c_str());
    }
  }
}

std::string piped_input() {
  std::string text(std::istreambuf_iterator<char>(std::cin), {});
  if (text.size() > kPipedSizeMax) text.clear();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

int run(const RunArguments& arguments) {
  if (const Status status = start_log("warning"); !status.is_ok()) return kFailed;
  std::string prompt = arguments.prompt;
  const bool is_piped = !::isatty(STDIN_FILENO);
  if (is_piped) {
    const std::string input = piped_input();
    if (!input.empty()) prompt = prompt.empty() ? input : prompt + "\n\n" + input;
    if (prompt.empty()) {
      std::fprintf(stderr, "quire: standard input is empty and no PROMPT was given\n");
      return kFailed;
    }
  }
  auto model = load_model(arguments.model);
  if (!model.is_ok()) {
    std::fprintf(stderr, "quire: %s\n", model.status().message().c_str());
    return kFailed;
  }
  SamplingParams params;
  params.temperature = arguments.temperature;
  params.top_p = arguments.top_p;
  params.tokens_max = arguments.max_tokens;
  params.seed = arguments.seed >= 0 ? static_cast<std::uint64_t>(arguments.seed)
                                    : std::uint64_t{std::random_device{}()};
  catch_interrupts();
  Chat chat(std::move(model).value(), params);
  if (!arguments.system.empty()) chat.add({"system", arguments.system});
  if (prompt.empty()) return converse(chat, arguments);
  const auto answer = ask(chat, prompt, arguments.is_verbose);
  if (!answer.is_ok()) {
    std::fprintf(stderr, "quire: %s\n", answer.status().message().c_str());
    return kFailed;
  }
  return answer->finish == FinishReason::kCancelled ? 130 : 0;
}

}  // namespace

void declare_run(CLI::App& parent, std::function<int()>& chosen) {
  const auto arguments = std::make_shared<RunArguments>();
  CLI::App* command = parent.add_subcommand("run", "Chat in the terminal, or answer one prompt");
  declare_model_flags(*command, arguments->model);
  command->add_option("PROMPT", arguments->prompt, "answer this and leave");
  command->add_option("--system", arguments->system, "system message");
  command->add_option("--temperature", arguments->temperature, "0 is greedy")
      ->check(CLI::Range(0.0, 2.0))->capture_default_str();
  command->add_option("--top-p", arguments->top_p)->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--max-tokens", arguments->max_tokens, "per answer")
      ->check(CLI::Range(1, 1 << 24))->capture_default_str();
  command->add_option("--seed", arguments->seed, "for the same answer again");
  command->add_flag("--verbose", arguments->is_verbose, "speed after each answer");
  command->callback([arguments, &chosen] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace quire
