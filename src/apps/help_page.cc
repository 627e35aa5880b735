#include "apps/help_page.h"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace quire {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kTextColumn = 28;  // where explanations begin

// `left` and, from kTextColumn on, `text` in lines broken between words.
std::string entry(const std::string& left, const std::string& text) {
  std::string page = "  " + left;
  std::size_t column = page.size();
  if (column >= kTextColumn) {
    page += '\n';
    column = 0;
  }
  page.append(kTextColumn - column, ' ');
  column = kTextColumn;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (column > kTextColumn && column + 1 + word.size() > kColumns) {
      page += '\n' + std::string(kTextColumn, ' ');
      column = kTextColumn;
    }
    if (column > kTextColumn) {
      page += ' ';
      ++column;
    }
    page += word;
    column += word.size();
  }
  return page + '\n';
}

// What stands behind a flag: "N", "X" or "TEXT"; empty for a switch.
std::string value_word(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return {};
  const std::string type = option.get_type_name();
  if (type.starts_with("UINT") || type.starts_with("INT")) return " N";
  if (type.starts_with("FLOAT")) return " X";
  return " TEXT";
}

std::string explanation(const CLI::Option& option) {
  std::string text = option.get_description();
  const std::string type = option.get_type_name();
  const auto set = type.find('{');  // the values that a check allows
  if (set != std::string::npos && option.get_items_expected_max() != 0) {
    std::string values = type.substr(set + 1, type.find('}') - set - 1);
    for (std::size_t at = 0; (at = values.find(',', at)) != std::string::npos; at += 2) {
      values.replace(at, 1, ", ");
    }
    text += fmt::format("{}one of {}", text.empty() ? "" : "; ", values);
  }
  const std::string value = option.get_default_str();
  if (!value.empty()) text += fmt::format(" (default: {})", value);
  return text;
}

std::string flag_names(const CLI::Option& option) {
  std::string names;
  for (const std::string& name : option.get_snames()) names += "-" + name + ", ";
  for (const std::string& name : option.get_lnames()) names += "--" + name + ", ";
  return names.substr(0, names.size() - 2);
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

}  // namespace

std::string full_name(const CLI::App& command) {
  if (command.get_parent() == nullptr) return command.get_name();
  return full_name(*command.get_parent()) + " " + command.get_name();
}

std::string overview_page(const CLI::App& root) {
  std::string commands;
  for (const CLI::App* command : commands_of(root)) {
    commands += fmt::format("  {:<10} {}\n", command->get_name(), command->get_description());
  }
  return "Quire runs and serves open-weight language models on this machine.\n\n"
         "  quire run                          chat with the default model\n"
         "  quire run MODEL.gguf 'Say hello'   one answer from a model of yours\n"
         "  quire serve                        OpenAI's protocol on http://127.0.0.1:8000\n\n" +
         commands +
         "\nA MODEL is a GGUF file, a Hugging Face directory, a llama2.c .bin file, a name\n"
         "from 'quire list', or hf:OWNER/NAME of the hub; without one it is\n"
         "SmolLM2-135M-Instruct. 'quire COMMAND --help' lists flags, 'quire --version'\n"
         "says which Quire this is.\n";
}

std::string command_page(const CLI::App& command) {
  std::string usage = full_name(command), positionals, flags;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_lnames().empty()) {
      const std::string& name = option->get_name();
      usage += option->get_required() ? " " + name : " [" + name + "]";
      positionals += entry(option->get_name(), explanation(*option));
    } else {
      flags += entry(flag_names(*option) + value_word(*option), explanation(*option));
    }
  }
  std::string commands;
  for (const CLI::App* below : commands_of(command)) {
    commands += entry(below->get_name(), below->get_description());
  }
  std::string page = command.get_description() + "\n\n  " + usage + " [FLAGS]\n\n";
  for (const std::string& part : {positionals, commands, flags}) {
    if (!part.empty()) page += part + "\n";
  }
  page.pop_back();
  return page;
}

}  // namespace quire
