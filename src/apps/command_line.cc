#include "apps/command_line.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "apps/bench.h"
#include "apps/check.h"
#include "apps/cp.h"
#include "apps/create.h"
#include "apps/flags.h"
#include "apps/help_page.h"
#include "apps/list.h"
#include "apps/ps.h"
#include "apps/pull.h"
#include "apps/push.h"
#include "apps/rm.h"
#include "apps/run.h"
#include "apps/serve.h"
#include "apps/show.h"
#include "apps/simulate.h"
#include "apps/stop.h"
#include "apps/tgi_launcher.h"
#include "apps/tokenize.h"
#include "apps/version.h"
#include "terminal/nearest_word.h"

namespace quire {
namespace {

using Declare = void (*)(Command& parent, std::function<int()>& chosen);

constexpr const char* kLauncherCommand = "tgi-launcher";

void declare_launcher(Command& parent, std::function<int()>&) {
  Command command = parent.command(kLauncherCommand,
                                   "Serve, told in the flags of text-generation-launcher");
  command.footer(launcher_page());
}

constexpr Declare kCommands[] = {
    declare_serve, declare_run,    declare_pull,  declare_push,     declare_list,
    declare_show,  declare_cp,     declare_rm,    declare_ps,       declare_stop,
    declare_check, declare_bench,  declare_tokenize, declare_simulate, declare_create,
    declare_launcher,
};

// What people type who come from elsewhere.
constexpr std::pair<std::string_view, std::string_view> kSynonyms[] = {
    {"chat", "run"},    {"generate", "run"}, {"start", "serve"},  {"server", "serve"},
    {"ls", "list"},     {"download", "pull"}, {"delete", "rm"},   {"remove", "rm"},
    {"info", "show"},   {"kill", "stop"},     {"unload", "stop"}, {"benchmark", "bench"},
    {"upload", "push"}, {"publish", "push"},
};

std::vector<std::string> flags_of(const Command& command) {
  std::vector<std::string> words;
  for (const FlagFacts& flag : command.flags()) {
    for (const std::string& name : flag.long_names) words.push_back("--" + name);
  }
  return words;
}

std::string likely_command(const Command& command, const std::string& word) {
  std::vector<std::string> names;
  for (const Command& below : command.commands()) names.push_back(below.name());
  for (const auto& [from, to] : kSynonyms) {
    if (word == from && std::find(names.begin(), names.end(), to) != names.end()) {
      return std::string(to);
    }
  }
  return nearest_word(word, names);
}

// A sentence about the first word that the command line has no place for.
std::string complaint_about(const Command& command, std::string word) {
  if (word.size() > 1 && word[0] == '-') {
    word = word.substr(0, word.find('='));
    const std::string near = nearest_word(word, flags_of(command));
    return fmt::format("'{}' has no flag '{}'{}", command.full_name(), word,
                       near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
  }
  if (command.commands().empty()) {
    return fmt::format("'{}' has no use for '{}'", command.full_name(), word);
  }
  std::error_code failure;
  if (command.is_root() && std::filesystem::exists(word, failure)) {
    return fmt::format("'{}' is no command; to chat with that model: quire run {}", word, word);
  }
  const std::string near = likely_command(command, word);
  return fmt::format("'{}' has no command '{}'{}", command.full_name(), word,
                     near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
}

int report_usage_problem(const Command& command, const UsageProblem& problem) {
  if (problem.is_answered) return 0;
  const std::string complaint =
      problem.surplus.empty() ? fmt::format("'{}': {}", command.full_name(), problem.sentence)
                              : complaint_about(command, problem.surplus);
  std::fprintf(stderr, "quire: %s\n", complaint.c_str());
  std::fprintf(stderr, "See '%s --help'.\n", command.full_name().c_str());
  return 2;
}

// `quire tgi-launcher ...`, or this program by the name of TGI's: words for `quire serve`. Nothing:
// they could not be, and the sentence is told.
std::optional<std::vector<std::string>> without_launcher(std::vector<std::string> words,
                                                         const std::string& own_name) {
  constexpr std::string_view kTheirs = "text-generation-launcher";
  const bool is_theirs = std::filesystem::path(own_name).filename() == kTheirs;
  if (!is_theirs) {
    if (words.empty() || words.front() != kLauncherCommand) return words;
    words.erase(words.begin());
  }
  for (const std::string& word : words) {
    if (word == "--help" || word == "-h") return std::vector<std::string>{kLauncherCommand, word};
    if (word == "--version" || word == "-V") return std::vector<std::string>{"--version"};
  }
  const auto made = serve_words_of_launcher(words, [](std::string_view variable) {
    const char* value = std::getenv(std::string(variable).c_str());
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
  });
  if (!made.is_ok()) {
    std::fprintf(stderr, "quire: %s\nSee 'quire %s --help'.\n", made.status().message().c_str(),
                 kLauncherCommand);
    return std::nullopt;
  }
  for (const std::string& note : made->notes) std::fprintf(stderr, "quire: %s\n", note.c_str());
  return made->words;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CommandLine line("quire", version_line(), [](const Command& command) {
    return command.is_root() ? overview_page(command) : command_page(command);
  });
  std::function<int()> chosen;
  Command root = line.root();
  for (const Declare declare : kCommands) declare(root, chosen);
  std::vector<std::string> words(argv + 1, argv + argc);
  auto plain = without_launcher(std::move(words), argv[0]);
  if (!plain) return 2;
  words = std::move(*plain);
  if (!words.empty() && words.front() == "help") {  // quire help serve: quire serve --help
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  if (const auto problem = line.parse(std::move(words))) {
    return report_usage_problem(root.chosen(), *problem);
  }
  if (!chosen) {
    std::fputs(overview_page(root).c_str(), stdout);
    return 0;
  }
  return chosen();
}

}  // namespace quire
