#include "serve/answer/formats/lark.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace quire {

std::string LarkWriter::quoted(std::string_view text) {
  std::string json;
  append_json_string(text, json);
  std::string out;
  for (const char byte : json) out += byte == 0x7F ? std::string("\\u007f") : std::string(1, byte);
  return out;
}

std::string LarkWriter::regex_escaped(std::string_view text) {
  constexpr std::string_view kMeaningful = R"(\.+*?()|[]{}^$#&-~/<>@!%=:;,"'`)";
  std::string out;
  for (const char byte : text) {
    if (byte == '\n') {
      out += "\\n";
      continue;
    }
    if (kMeaningful.find(byte) != std::string_view::npos) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned>(byte));
      continue;
    }
    out += byte;
  }
  return out;
}

std::string LarkWriter::reserve(std::string_view stem) {
  return fmt::format("{}_{}", stem, count_++);
}

void LarkWriter::define(const std::string& name, const std::string& body) {
  lines_.push_back(name + ": " + body);
}

std::string LarkWriter::rule(std::string_view stem, const std::string& body, bool is_lazy) {
  const std::string key = (is_lazy ? "lazy " : "") + body;
  const auto found = names_.find(key);
  if (found != names_.end()) return found->second;
  const std::string name = reserve(stem);
  lines_.push_back(name + (is_lazy ? "[lazy]: " : ": ") + body);
  names_.emplace(key, name);
  return name;
}

std::vector<LarkWriter::Piece> LarkWriter::pieces(std::string_view literal) const {
  std::vector<Piece> found;
  bool is_letters = false;
  for (std::size_t at = 0; at < literal.size();) {
    const ControlText::Token* token = control_.find_at(literal, at);
    if (token != nullptr && tokenizer_.is_special(token->id)) {
      found.push_back({.token = token->id});
      at += token->text.size();
      is_letters = false;
    } else if (literal[at] == '\n') {
      found.push_back({.is_gap = true});
      ++at;
      is_letters = false;
    } else {
      if (!is_letters) found.push_back({});
      is_letters = true;
      found.back().text += literal[at++];
    }
  }
  return found;
}

std::string LarkWriter::spelled(const std::vector<Piece>& pieces, std::size_t from) {
  std::string out;
  for (std::size_t i = from; i < pieces.size(); ++i) {
    if (!out.empty()) out += ' ';
    const bool is_last_gap = pieces[i].is_gap && i + 1 == pieces.size();
    out += is_last_gap          ? "WS"
           : pieces[i].is_gap   ? std::string(kGap)
           : pieces[i].token >= 0 ? fmt::format("<[{}]>", pieces[i].token)
                                  : quoted(pieces[i].text);
  }
  return out;
}

std::string LarkWriter::spelled(std::string_view literal) const {
  return spelled(pieces(literal), 0);
}

bool LarkWriter::has_control(std::string_view literal) const {
  return std::ranges::any_of(pieces(literal), [](const Piece& piece) { return piece.token >= 0; });
}

std::string LarkWriter::head(std::string_view literal, std::string& rest) {
  const std::vector<Piece> all = pieces(literal);
  if (all[0].token < 0 && all.size() > 1 && all[1].token >= 0) {
    // Letters and then a control token: the letters alone decide nothing.
    rest = spelled(all, 2);
    return rule("head", fmt::format("/(\\n|.)*{}/ <[{}]>", regex_escaped(all[0].text),
                                    all[1].token));
  }
  rest = spelled(all, 1);
  if (all[0].token >= 0) return rule("head", fmt::format("TEXT <[{}]>", all[0].token));
  return rule("head", "TEXT " + quoted(all[0].text), true);
}

std::string LarkWriter::here(std::string_view literal) {
  const std::vector<Piece> all = pieces(literal);
  if (all[0].token >= 0) return spelled(all, 0);
  const std::string rest = spelled(all, 1);
  const std::string first = rule("head", quoted(all[0].text), true);
  return rest.empty() ? first : first + " " + rest;
}

std::string LarkWriter::text_until(std::string_view literal) {
  std::string rest;
  std::string out = head(literal, rest);
  return rest.empty() ? out : out + " " + rest;
}

std::string LarkWriter::grammar(const std::string& start) const {
  std::string out = "start: " + start + "\n";
  for (const std::string& line : lines_) out += line + "\n";
  out += "TEXT: /(\\n|.)*/\nWS: /[ \\t\\r\\n]{1,32}/\n";
  return out;
}

}  // namespace quire
