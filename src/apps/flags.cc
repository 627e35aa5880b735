#include "apps/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>

namespace quire {

Flag& Flag::shows_default() {
  option_->capture_default_str();
  return *this;
}

Flag& Flag::default_text(const std::string& text) {
  option_->default_str(text);
  return *this;
}

Flag& Flag::required() {
  option_->required();
  return *this;
}

Flag& Flag::separated_by(char delimiter) {
  option_->delimiter(delimiter);
  return *this;
}

Flag& Flag::several(int min, int max) {
  option_->expected(min, max);
  return *this;
}

Flag& Flag::one_word_each() {
  option_->allow_extra_args(false);
  return *this;
}

Flag& Flag::from_environment(const std::string& name) {
  option_->envname(name);
  return *this;
}

Flag& Flag::between(long long min, long long max) {
  option_->check(CLI::Range(min, max));
  return *this;
}

Flag& Flag::positive() {
  option_->check(CLI::PositiveNumber);
  return *this;
}

Flag& Flag::not_negative() {
  option_->check(CLI::NonNegativeNumber);
  return *this;
}

Flag& Flag::existing_file() {
  option_->check(CLI::ExistingFile);
  return *this;
}

Flag& Flag::one_of(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values));
  return *this;
}

Flag& Flag::one_of_in_any_case(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values, CLI::ignore_case));
  return *this;
}

template <typename T>
Flag Command::value(const std::string& names, T& target, const std::string& meaning) {
  return Flag(app_->add_option(names, target, meaning));
}

template Flag Command::value(const std::string&, std::string&, const std::string&);
template Flag Command::value(const std::string&, int&, const std::string&);
template Flag Command::value(const std::string&, std::uint32_t&, const std::string&);
template Flag Command::value(const std::string&, std::uint64_t&, const std::string&);
template Flag Command::value(const std::string&, double&, const std::string&);
template Flag Command::value(const std::string&, std::vector<std::string>&, const std::string&);
template Flag Command::value(const std::string&, std::vector<int>&, const std::string&);
template Flag Command::value(const std::string&, std::vector<std::uint32_t>&, const std::string&);
template Flag Command::value(const std::string&, std::vector<double>&, const std::string&);
template Flag Command::value(const std::string&, std::optional<int>&, const std::string&);
template Flag Command::value(const std::string&, std::optional<double>&, const std::string&);
template Flag Command::value(const std::string&, std::optional<std::uint64_t>&,
                             const std::string&);

template <typename T>
Flag Command::call(const std::string& names, std::function<void(const T&)> with,
                   const std::string& meaning) {
  return Flag(app_->add_option_function<T>(names, std::move(with), meaning));
}

template Flag Command::call(const std::string&, std::function<void(const std::string&)>,
                            const std::string&);
template Flag Command::call(const std::string&, std::function<void(const std::uint32_t&)>,
                            const std::string&);

Flag Command::toggle(const std::string& names, bool& target, const std::string& meaning) {
  return Flag(app_->add_flag(names, target, meaning));
}

Command Command::command(const std::string& name, const std::string& meaning) {
  return Command(app_->add_subcommand(name, meaning));
}

void Command::footer(const std::string& text) { app_->footer(text); }

void Command::when_chosen(std::function<void()> then) { app_->callback(std::move(then)); }

std::string Command::name() const { return app_->get_name(); }

std::string Command::full_name() const {
  if (is_root()) return name();
  return Command(app_->get_parent()).full_name() + " " + name();
}

std::string Command::meaning() const { return app_->get_description(); }

std::string Command::footnote() const { return app_->get_footer(); }

bool Command::is_root() const { return app_->get_parent() == nullptr; }

std::vector<FlagFacts> Command::flags() const {
  std::vector<FlagFacts> all;
  for (const CLI::Option* option : app_->get_options()) {
    all.push_back({.name = option->get_name(),
                   .short_names = option->get_snames(),
                   .long_names = option->get_lnames(),
                   .type = option->get_type_name(),
                   .meaning = option->get_description(),
                   .standard = option->get_default_str(),
                   .is_required = option->get_required(),
                   .takes_value = option->get_items_expected_max() != 0});
  }
  return all;
}

std::vector<Command> Command::commands() const {
  std::vector<Command> all;
  for (CLI::App* below : app_->get_subcommands([](CLI::App*) { return true; })) {
    all.emplace_back(below);
  }
  return all;
}

Command Command::chosen() const {
  const auto chosen = app_->get_subcommands();
  return chosen.empty() ? *this : Command(chosen.front()).chosen();
}

CommandLine::CommandLine(const std::string& name, const std::string& version, Page page)
    : app_(std::make_unique<CLI::App>("", name)) {
  app_->set_version_flag("--version", version);
  app_->require_subcommand(0, 1);
  // Commands inherit it; CLI11 shows its own objects as const there, and a page changes nothing.
  app_->formatter_fn([page](const CLI::App* app, const std::string&, CLI::AppFormatMode) {
    return page(Command(const_cast<CLI::App*>(app)));
  });
}

CommandLine::~CommandLine() = default;

Command CommandLine::root() { return Command(app_.get()); }

std::optional<UsageProblem> CommandLine::parse(std::vector<std::string> words) {
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  try {
    app_->parse(std::move(words));
    return std::nullopt;
  } catch (const CLI::ParseError& problem) {
    if (problem.get_exit_code() == 0) {
      app_->exit(problem);
      return UsageProblem{.is_answered = true};
    }
    const auto extras = app_->remaining(true);
    const bool is_surplus =
        problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError) && !extras.empty();
    return UsageProblem{.surplus = is_surplus ? extras.front() : "", .sentence = problem.what()};
  }
}

}  // namespace quire
