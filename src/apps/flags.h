// CommandLine, Command and Flag: what the commands say about their flags, and what the help pages
// and complaints read back. A thin face over CLI11, whose header costs a compiler more than most of
// this program: flags.cc is the only unit that sees it.
// Command and Flag are handles; what they name lives in the CommandLine. A target that a flag is
// bound to must outlive parse(). Main thread. Used by every command, help_page and command_line.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace quire {

class Flag {
 public:
  explicit Flag(CLI::Option* option) : option_(option) {}

  Flag& shows_default();  // the target's present value, in the help
  Flag& default_text(const std::string& text);
  Flag& required();
  Flag& separated_by(char delimiter);  // several values in one word
  Flag& several(int min, int max);     // how many values, in words of their own
  Flag& one_word_each();               // of several values, each behind the flag said again
  Flag& from_environment(const std::string& name);

  // What a value may be.
  Flag& between(long long min, long long max);
  Flag& positive();
  Flag& not_negative();
  Flag& existing_file();
  Flag& one_of(const std::vector<std::string>& values);
  Flag& one_of_in_any_case(const std::vector<std::string>& values);

 private:
  CLI::Option* option_;
};

// A flag or positional argument as a page shows it.
struct FlagFacts {
  std::string name;                                  // of a positional argument
  std::vector<std::string> short_names, long_names;  // without dashes; empty: a positional one
  std::string type;                                  // "UINT", "TEXT:{all,none}", ...
  std::string meaning, standard;                     // standard: the default, as text
  bool is_required = false, takes_value = false;
};

class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  // `names`: "--flag,-f" or "POSITIONAL". T: std::string, int, the unsigned and double, vectors of
  // std::string and numbers, optionals of numbers.
  template <typename T>
  Flag value(const std::string& names, T& target, const std::string& meaning = "");
  template <typename T>  // std::string or std::uint32_t
  Flag call(const std::string& names, std::function<void(const T&)> with,
            const std::string& meaning);
  Flag toggle(const std::string& names, bool& target, const std::string& meaning = "");

  Command command(const std::string& name, const std::string& meaning);
  void footer(const std::string& text);
  void when_chosen(std::function<void()> then);  // after parsing

  std::string name() const;
  std::string full_name() const;  // "quire bench serve"
  std::string meaning() const;
  std::string footnote() const;  // what footer() said; whole lines, or nothing
  bool is_root() const;
  std::vector<FlagFacts> flags() const;
  std::vector<Command> commands() const;
  Command chosen() const;  // after parsing: the innermost command that the words named

 private:
  CLI::App* app_;
};

// Why parse() chose nothing.
struct UsageProblem {
  bool is_answered = false;  // --help or --version: its page is printed
  std::string surplus;       // the first word that nothing takes; empty: see `sentence`
  std::string sentence;
};

class CommandLine {
 public:
  using Page = std::function<std::string(const Command&)>;

  // `page`: what --help of a command prints.
  CommandLine(const std::string& name, const std::string& version, Page page);
  ~CommandLine();

  Command root();
  std::optional<UsageProblem> parse(std::vector<std::string> words);

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace quire
