#include "apps/command_line.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "apps/bench.h"
#include "apps/cp.h"
#include "apps/help_page.h"
#include "apps/list.h"
#include "apps/nearest_word.h"
#include "apps/ps.h"
#include "apps/pull.h"
#include "apps/rm.h"
#include "apps/run.h"
#include "apps/serve.h"
#include "apps/show.h"
#include "apps/simulate.h"
#include "apps/stop.h"
#include "apps/tokenize.h"
#include "apps/version.h"

namespace quire {
namespace {

using Declare = void (*)(CLI::App& parent, std::function<int()>& chosen);

constexpr Declare kCommands[] = {
    declare_serve, declare_run, declare_pull, declare_list,  declare_show,     declare_cp,
    declare_rm,    declare_ps,  declare_stop, declare_bench, declare_tokenize, declare_simulate,
};

// What people type who come from elsewhere.
constexpr std::pair<std::string_view, std::string_view> kSynonyms[] = {
    {"chat", "run"},    {"generate", "run"}, {"start", "serve"},  {"server", "serve"},
    {"ls", "list"},     {"download", "pull"}, {"delete", "rm"},   {"remove", "rm"},
    {"info", "show"},   {"kill", "stop"},     {"unload", "stop"}, {"benchmark", "bench"},
};

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// The command that the user got to: `quire`, `quire serve`, `quire bench serve`.
const CLI::App& innermost(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : innermost(*chosen.front());
}

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  }
  return words;
}

std::string likely_command(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands_of(app)) names.push_back(command->get_name());
  for (const auto& [from, to] : kSynonyms) {
    if (word == from && std::find(names.begin(), names.end(), to) != names.end()) {
      return std::string(to);
    }
  }
  return nearest_word(word, names);
}

// A sentence about the first word that the command line has no place for.
std::string complaint_about(const CLI::App& app, std::string word) {
  const CLI::App& command = innermost(app);
  if (word.size() > 1 && word[0] == '-') {
    word = word.substr(0, word.find('='));
    const std::string near = nearest_word(word, flags_of(command));
    return fmt::format("'{}' has no flag '{}'{}", full_name(command), word,
                       near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
  }
  if (commands_of(command).empty()) {
    return fmt::format("'{}' has no use for '{}'", full_name(command), word);
  }
  std::error_code failure;
  if (&command == &app && std::filesystem::exists(word, failure)) {
    return fmt::format("'{}' is no command; to chat with that model: quire run {}", word, word);
  }
  const std::string near = likely_command(command, word);
  return fmt::format("'{}' has no command '{}'{}", full_name(command), word,
                     near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
}

int report_usage_error(const CLI::App& app, const CLI::ParseError& problem) {
  if (problem.get_exit_code() == 0) return app.exit(problem);  // --help
  const auto extras = app.remaining(true);
  const bool is_surplus =
      problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError) && !extras.empty();
  const std::string complaint =
      is_surplus ? complaint_about(app, extras.front())
                 : fmt::format("'{}': {}", full_name(innermost(app)), problem.what());
  std::fprintf(stderr, "quire: %s\n", complaint.c_str());
  std::fprintf(stderr, "See '%s --help'.\n", full_name(innermost(app)).c_str());
  return 2;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app("", "quire");
  app.set_version_flag("--version", version_line());
  app.require_subcommand(0, 1);
  std::function<int()> chosen;
  // Before the commands are declared: they inherit it.
  app.formatter_fn([&app](const CLI::App* command, const std::string&, CLI::AppFormatMode) {
    return command == &app ? overview_page(app) : command_page(*command);
  });
  for (const Declare declare : kCommands) declare(app, chosen);
  std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words.front() == "help") {  // quire help serve: quire serve --help
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  std::reverse(words.begin(), words.end());  // as parse() takes them
  try {
    app.parse(std::move(words));
  } catch (const CLI::ParseError& problem) {
    return report_usage_error(app, problem);
  }
  if (!chosen) {
    std::fputs(overview_page(app).c_str(), stdout);
    return 0;
  }
  return chosen();
}

}  // namespace quire
