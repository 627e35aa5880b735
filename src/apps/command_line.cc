#include "apps/command_line.h"

#include <algorithm>
#include <cstdio>

#include <CLI/CLI.hpp>

#include "apps/bench.h"
#include "apps/nearest_word.h"
#include "apps/run.h"
#include "apps/serve.h"
#include "apps/show.h"
#include "apps/simulate.h"
#include "apps/tokenize.h"
#include "apps/version.h"

namespace quire {
namespace {

using Declare = void (*)(CLI::App& parent, std::function<int()>& chosen);

constexpr Declare kCommands[] = {
    declare_serve, declare_run, declare_bench, declare_show, declare_tokenize, declare_simulate,
};

// Names of every subcommand or every flag below `app`, for suggestions.
void collect_words(const CLI::App& app, bool is_flag, std::vector<std::string>& words) {
  if (is_flag) {
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
    }
  }
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!is_flag) words.push_back(sub->get_name());
    if (is_flag) collect_words(*sub, is_flag, words);
  }
}

// "Did you mean" for the first word that no command or flag knows.
std::string suggestion(const CLI::App& app, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    word = word.substr(0, word.find('='));
    const bool is_flag = word.rfind("--", 0) == 0;
    if (!is_flag && i != 1) continue;
    std::vector<std::string> words;
    collect_words(app, is_flag, words);
    if (std::find(words.begin(), words.end(), word) != words.end()) continue;
    const std::string near = nearest_word(word, words);
    if (!near.empty()) return near;
  }
  return {};
}

int report_usage_error(const CLI::App& app, const CLI::ParseError& problem, int argc, char** argv) {
  if (problem.get_exit_code() == 0) return app.exit(problem);  // --help
  std::fprintf(stderr, "quire: %s\n", problem.what());
  const std::string near = suggestion(app, argc, argv);
  if (!near.empty()) std::fprintf(stderr, "Did you mean '%s'?\n", near.c_str());
  std::fprintf(stderr, "See 'quire --help' or 'quire COMMAND --help'.\n");
  return 2;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app("Quire runs and serves open-weight language models.\n\n"
               "  quire serve            serve the default model on http://127.0.0.1:8000\n"
               "  quire run              chat with it in the terminal\n"
               "  quire run M.gguf 'Hi'  one answer from a model of yours\n",
               "quire");
  app.set_version_flag("--version", version_line());
  app.require_subcommand(0, 1);
  std::function<int()> chosen;
  for (const Declare declare : kCommands) declare(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return report_usage_error(app, problem, argc, argv);
  }
  if (!chosen) {
    std::fputs(app.help().c_str(), stdout);
    return 0;
  }
  return chosen();
}

}  // namespace quire
