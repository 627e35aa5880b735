#include "apps/help_page.h"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "apps/flags.h"

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
std::string value_word(const FlagFacts& flag) {
  if (!flag.takes_value) return {};
  if (flag.type.starts_with("UINT") || flag.type.starts_with("INT")) return " N";
  if (flag.type.starts_with("FLOAT")) return " X";
  return " TEXT";
}

std::string explanation(const FlagFacts& flag) {
  std::string text = flag.meaning;
  const auto set = flag.type.find('{');  // the values that a check allows
  if (set != std::string::npos && flag.takes_value) {
    std::string values = flag.type.substr(set + 1, flag.type.find('}') - set - 1);
    for (std::size_t at = 0; (at = values.find(',', at)) != std::string::npos; at += 2) {
      values.replace(at, 1, ", ");
    }
    text += fmt::format("{}one of {}", text.empty() ? "" : "; ", values);
  }
  if (!flag.standard.empty()) text += fmt::format(" (default: {})", flag.standard);
  return text;
}

std::string flag_names(const FlagFacts& flag) {
  std::string names;
  for (const std::string& name : flag.short_names) names += "-" + name + ", ";
  for (const std::string& name : flag.long_names) names += "--" + name + ", ";
  return names.substr(0, names.size() - 2);
}

}  // namespace

std::string overview_page(const Command& root) {
  std::string commands;
  for (const Command& command : root.commands()) {
    commands += fmt::format("  {:<10} {}\n", command.name(), command.meaning());
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

std::string command_page(const Command& command) {
  std::string usage = command.full_name(), positionals, flags;
  for (const FlagFacts& flag : command.flags()) {
    if (flag.long_names.empty()) {
      usage += flag.is_required ? " " + flag.name : " [" + flag.name + "]";
      positionals += entry(flag.name, explanation(flag));
    } else {
      flags += entry(flag_names(flag) + value_word(flag), explanation(flag));
    }
  }
  std::string commands;
  for (const Command& below : command.commands()) commands += entry(below.name(), below.meaning());
  std::string page = command.meaning() + "\n\n  " + usage + " [FLAGS]\n\n";
  for (const std::string& part : {positionals, commands, flags}) {
    if (!part.empty()) page += part + "\n";
  }
  if (command.footnote().empty()) {
    page.pop_back();
  } else {
    page += command.footnote();
  }
  return page;
}

}  // namespace quire
