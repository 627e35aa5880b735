// The grammar follows the declaration field by field; see call_reader for the other direction.
#include "serve/answer/formats/tool_grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/json.h"
#include "serve/answer/argument_types.h"
#include "serve/answer/formats/lark.h"
#include "serve/answer/formats/loose_grammar.h"
#include "text/control_text.h"
#include "text/grammar/schema_check.h"

namespace quire {
namespace {

struct Declared {
  const Tool* tool = nullptr;
  Json schema;
};

class ToolGrammarWriter {
 public:
  ToolGrammarWriter(const ToolGrammar& wanted, const Tokenizer& tokenizer)
      : wanted_(wanted), format_(*wanted.format.calls), out_(tokenizer) {}

  Result<std::string> write() {
    QUIRE_RETURN_IF_ERROR(read_tools());
    const bool is_required = wanted_.choice.kind == ToolChoiceKind::kRequired;
    QUIRE_ASSIGN_OR_RETURN(const std::string start, is_required ? required() : automatic());
    return out_.grammar(start);
  }

 private:
  Status read_tools() {
    const auto& names = wanted_.choice.names;
    for (std::size_t i = 0; i < wanted_.tools.size(); ++i) {
      const Tool& tool = wanted_.tools[i];
      if (!names.empty() && std::ranges::find(names, tool.name) == names.end()) continue;
      Json schema = Json::object();
      if (!tool.parameters.empty()) {
        QUIRE_ASSIGN_OR_RETURN(schema, parse_json(tool.parameters));
      }
      if (!schema.is_object()) {
        return error(StatusCode::kInvalidArgument, "tools[{}] ({}): parameters are no object", i,
                     tool.name);
      }
      if (schema.find("type") == nullptr && schema.find("$ref") == nullptr) {
        schema.set("type", "object");
      }
      const Status kept = source_of_schema(schema).status();
      const Status checked = tool.is_strict ? kept : check_schema_budgets(schema);
      if (!checked.is_ok()) return of_tool(tool, checked);
      if (!kept.is_ok()) pass_over(tool, kept);
      declared_.push_back({&tool, std::move(schema)});
    }
    if (!declared_.empty()) return ok_status();
    return error(StatusCode::kInvalidArgument, "tool_choice names no declared tool");
  }

  void pass_over(const Tool& tool, const Status& status) {
    if (passed_over_.empty()) first_passed_over_ = of_tool(tool, status).message();
    passed_over_.insert(&tool);
  }

 public:
  // What was passed over; empty: nothing.
  std::string passed_over() const {
    const std::size_t others = passed_over_.size() - (passed_over_.empty() ? 0 : 1);
    if (others == 0) return first_passed_over_;
    return fmt::format("{}; and {} other {}", first_passed_over_, others,
                       others == 1 ? "tool" : "tools");
  }

 private:
  // --- the whole ---

  bool is_parallel(const CallSyntax& syntax) const {
    return wanted_.choice.is_parallel && !syntax.is_single;
  }

  // What is left of a thought that the prompt has opened.
  std::string lead() {
    return wanted_.begins_in_thought && wanted_.format.thoughts != nullptr
               ? out_.text_until(wanted_.format.thoughts->ends)
               : "";
  }

  Result<std::string> required() {
    const CallSyntax& syntax = format_.syntaxes.front();
    std::string gap = std::string(LarkWriter::kGap);
    if (!format_.bridge.empty()) gap += fmt::format(" ({})? WS?", out_.spelled(format_.bridge));
    std::string start = lead();
    if (!start.empty()) start += " " + gap;
    if (const ThoughtFormat* thoughts = wanted_.format.thoughts) {
      std::string all;
      for (const std::string_view begin : thoughts->begins) {
        all += (all.empty() ? "" : " | ") + out_.spelled(begin) + " " +
               out_.text_until(thoughts->ends) + " " + gap;
      }
      start += fmt::format(" ({})*", out_.rule("thought", all));
    }
    QUIRE_ASSIGN_OR_RETURN(const std::string calls, section(syntax, Opening::kTail));
    start += " " + std::string(format_.bridge.empty() ? "WS? " : "") + calls;
    if (!ends_at_calls()) return start;
    QUIRE_ASSIGN_OR_RETURN(const std::string lazy, section(syntax, Opening::kLazy));
    for (const std::string_view begin : wanted_.format.thoughts->begins) {
      start += " | " + (wanted_.begins_in_thought ? "" : out_.spelled(begin) + " ") + lazy;
    }
    return start;
  }

  bool ends_at_calls() const {
    return wanted_.format.thoughts != nullptr && wanted_.format.thoughts->ends_at_calls;
  }

  Result<std::string> automatic() {
    std::string items, bare, tails;
    const auto add = [](std::string& all, const std::string& one) {
      all += (all.empty() ? "" : " | ") + one;
    };
    for (const CallSyntax& syntax : format_.syntaxes) {
      if (syntax.begins_answer) {
        QUIRE_ASSIGN_OR_RETURN(const std::string one, section(syntax, Opening::kBare));
        add(bare, one);
      } else {
        QUIRE_ASSIGN_OR_RETURN(const std::string one, section(syntax, Opening::kLazy));
        add(items, one);
      }
    }
    std::string others;  // what may come any number of times although calls may not
    if (const ThoughtFormat* thoughts = wanted_.format.thoughts) {
      for (const std::string_view begin : thoughts->begins) {
        add(others, out_.text_until(begin) + " " + out_.text_until(thoughts->ends));
        if (ends_at_calls()) add(items, out_.text_until(begin) + " (" + items + ")");
      }
      add_hidden(thoughts->hidden, others);
    }
    add_hidden(format_.hidden, others);
    const std::string calls = out_.rule("calls", items.empty() ? "\"\"" : items);
    const std::string other = others.empty() ? "" : out_.rule("other", others);
    std::string start = other.empty() ? fmt::format("{}* TEXT", calls)
                                      : fmt::format("({} | {})* TEXT", other, calls);
    if (!wanted_.choice.is_parallel) {
      const std::string before = other.empty() ? "" : other + "* ";
      start = fmt::format("{0}({1} | TEXT)", before, calls);
    }
    if (items.empty()) start = other.empty() ? "TEXT" : other + "* TEXT";
    if (!format_.prompt_tail.empty()) {
      QUIRE_ASSIGN_OR_RETURN(start, behind_tail(start));
    }
    if (!bare.empty()) {
      const std::string before = other.empty() ? "" : other + "* ";
      start = out_.rule("rest", start);
      start = fmt::format("{} | {}{}", start, before, out_.rule("bare", bare));
    }
    const std::string begin = lead();
    if (begin.empty()) return start;
    return fmt::format("({}){} ({})", begin, ends_at_calls() ? "?" : "", start);
  }

  // The template has written the beginning of a literal: the answer goes on with the rest of it.
  Result<std::string> behind_tail(const std::string& start) {
    std::string first;
    const auto add = [&](const std::string& one) {
      first += (first.empty() ? "" : " | ") + (one.empty() ? "\"\"" : one);
    };
    for (const CallSyntax& syntax : format_.syntaxes) {
      const std::string_view begin = syntax.opens.empty() ? syntax.call_opens : syntax.opens;
      if (!begin.starts_with(format_.prompt_tail)) continue;
      QUIRE_ASSIGN_OR_RETURN(const std::string one, section(syntax, Opening::kTail));
      add(one);
    }
    for (std::string_view hidden : format_.hidden) {
      if (!hidden.starts_with(format_.prompt_tail)) continue;
      hidden.remove_prefix(format_.prompt_tail.size());
      add(out_.spelled(hidden));
    }
    return fmt::format("{} ({})", out_.rule("first", first), out_.rule("rest", start));
  }

  // Letters that stand for nothing are free text as any others; control tokens are not.
  void add_hidden(std::span<const std::string_view> hidden, std::string& all) {
    for (const std::string_view literal : hidden) {
      if (!out_.has_control(literal)) continue;
      all += (all.empty() ? "" : " | ") + out_.text_until(literal);
    }
  }

  // --- calls ---

  enum class Opening : std::uint8_t {
    kLazy,  // behind free text
    kTail,  // here, but for what the template has written
    kBare,  // here, and certain only when the first call's name has begun
  };

  std::string opening(std::string_view literal, Opening how) {
    if (how == Opening::kLazy) return out_.text_until(literal);
    if (how == Opening::kTail && literal.starts_with(format_.prompt_tail)) {
      literal.remove_prefix(format_.prompt_tail.size());
    }
    if (literal.empty()) return "";
    return how == Opening::kTail ? out_.here(literal) : out_.spelled(literal);
  }

  Result<std::string> section(const CallSyntax& syntax, Opening how) {
    std::string first, next;
    const bool has_section = !syntax.opens.empty();
    for (const Declared& one : declared_) {
      QUIRE_ASSIGN_OR_RETURN(const std::string body, call(syntax, one));
      const std::string rule = out_.rule("call", body);
      first += (first.empty() ? "" : " | ") + rule;
    }
    std::string all = opening(has_section ? syntax.opens : syntax.call_opens, how);
    if (how == Opening::kBare) {
      QUIRE_ASSIGN_OR_RETURN(first, bare_calls(syntax));
      all.clear();
    } else if (has_section && !syntax.call_opens.empty()) {
      all += " WS? " + out_.spelled(syntax.call_opens);
    }
    const std::string closes =
        syntax.call_closes.empty() ? "" : " WS? " + out_.spelled(syntax.call_closes);
    all += fmt::format(" WS? ({}){}", first, closes);
    if (is_parallel(syntax)) {
      next = syntax.separator.empty() ? "WS?" : "WS? " + out_.spelled(syntax.separator) + " WS?";
      if (!syntax.call_opens.empty()) next += " " + out_.spelled(syntax.call_opens) + " WS?";
      std::string again;
      for (const Declared& one : declared_) {
        QUIRE_ASSIGN_OR_RETURN(const std::string body, call(syntax, one));
        again += (again.empty() ? "" : " | ") + out_.rule("call", body);
      }
      next = fmt::format("{} ({}){}", next, again, closes);
      all += fmt::format(" ({})*", out_.rule("again", next));
    }
    if (!syntax.closes.empty()) all += " WS? " + out_.spelled(syntax.closes);
    return out_.rule("section", all);
  }

  // The first call of a section that nothing marks: everything up to where it cannot be anything
  // else is one lexeme that ends as soon as it can.
  Result<std::string> bare_calls(const CallSyntax& syntax) {
    constexpr std::string_view kSpace = "[ \\t\\r\\n]*";
    std::string opens = std::string(kSpace);
    if (!syntax.opens.empty()) {
      opens += LarkWriter::regex_escaped(syntax.opens) + std::string(kSpace);
    }
    std::string all;
    for (const Declared& one : declared_) {
      std::string certain = opens, body;
      QUIRE_ASSIGN_OR_RETURN(body, arguments(syntax, one));
      if (syntax.name == NamePlace::kBefore) {
        certain += LarkWriter::regex_escaped(one.tool->name + std::string(syntax.name_closes));
      } else {
        certain += "\\{" + std::string(kSpace) + "\"" +
                   LarkWriter::regex_escaped(syntax.name_member) + "\"" + std::string(kSpace) + ":";
        body = fmt::format("WS? {} WS? \",\" WS? {} WS? \":\" WS? {} WS? \"}}\"",
                           LarkWriter::quoted(dump(Json(one.tool->name))),
                           LarkWriter::quoted(dump(Json(syntax.arguments_member))), body);
      }
      all += (all.empty() ? "" : " | ") +
             fmt::format("{} {}", out_.rule("head", "/" + certain + "/", true), body);
    }
    return all;
  }

  Result<std::string> call(const CallSyntax& syntax, const Declared& one) {
    QUIRE_ASSIGN_OR_RETURN(const std::string body, arguments(syntax, one));
    const std::string name = LarkWriter::quoted(dump(Json(one.tool->name)));
    switch (syntax.name) {
      case NamePlace::kMember:
        return fmt::format(
            R"("{{" WS? {} {} WS? ":" WS? {} WS? "," WS? {} WS? ":" WS? {} WS? "}}")",
            member_id(syntax), LarkWriter::quoted(dump(Json(syntax.name_member))), name,
            LarkWriter::quoted(dump(Json(syntax.arguments_member))), body);
      case NamePlace::kKey:
        return fmt::format("\"{{\" WS? {} WS? \":\" WS? {} WS? \"}}\"", name, body);
      case NamePlace::kBefore: break;
    }
    std::string before;
    if (!syntax.name_opens.empty()) {
      before = "/[A-Za-z0-9_\\-]{1,64}/ " + out_.spelled(syntax.name_opens) + " ";
    }
    std::string literal = std::string(syntax.name_prefix) + one.tool->name;
    std::string closes = std::string(syntax.name_follow) + std::string(syntax.name_closes);
    std::string out;
    if (!syntax.index_opens.empty()) {
      out = out_.spelled(literal + std::string(syntax.index_opens)) + " /[0-9]{1,4}/";
    } else if (syntax.id_opens.empty()) {
      out = out_.spelled(literal + std::exchange(closes, {}));
    } else {
      out = out_.spelled(literal) +
            fmt::format(" ({} /[A-Za-z0-9]{{1,64}}/)?", out_.spelled(syntax.id_opens));
    }
    if (!closes.empty()) out += " " + out_.spelled(closes);
    const bool is_tight = syntax.arguments == ArgumentSyntax::kTags;
    return before + out + (is_tight ? " " : " WS? ") + body;
  }

  std::string member_id(const CallSyntax& syntax) const {
    if (syntax.id_member.empty()) return "";
    return fmt::format("({} WS? \":\" WS? /\"[A-Za-z0-9_\\-]{{1,64}}\"/ WS? \",\" WS?)? ",
                       LarkWriter::quoted(dump(Json(syntax.id_member))));
  }

  // --- arguments ---

  Result<std::string> arguments(const CallSyntax& syntax, const Declared& one) {
    switch (syntax.arguments) {
      case ArgumentSyntax::kJson: return json(one.schema, *one.tool);
      case ArgumentSyntax::kTags: return tags(syntax, one);
      case ArgumentSyntax::kPython:
      case ArgumentSyntax::kBraces: break;
    }
    const bool is_python = syntax.arguments == ArgumentSyntax::kPython;
    LooseGrammar loose(out_, one.schema,
                       {.quote = syntax.quote,
                        .assigns = is_python ? "=" : ":",
                        .is_strict = one.tool->is_strict});
    Result<std::string> body = loose.arguments(one.schema);
    if (!body.is_ok()) return of_tool(*one.tool, body.status());
    if (!loose.passed_over().is_ok()) pass_over(*one.tool, loose.passed_over());
    return fmt::format("{} WS? {}", *body, is_python ? "\")\"" : "\"}\"");
  }

  Status of_tool(const Tool& tool, const Status& status) const {
    const auto index = static_cast<std::size_t>(&tool - wanted_.tools.data());
    return error(StatusCode::kInvalidArgument, "tools[{}] ({}): {}", index, tool.name,
                 status.message());
  }

  std::string json(Json schema, const Tool& tool) {
    schema.set("x-guidance", Json::object({{"lenient", !tool.is_strict},
                                           {"whitespace_pattern", kJsonSpacing},
                                           {"json_allow_general_unicode_escapes", true}}));
    return out_.rule("json", "%json " + dump(schema));
  }

  // Arguments between tags, in the order of the schema's properties.
  Result<std::string> tags(const CallSyntax& syntax, const Declared& one) {
    const Json* properties = one.schema.find("properties");
    const bool is_open = properties == nullptr || !properties->is_object();
    const Json* more = one.schema.find("additionalProperties");
    const bool is_closed = more != nullptr && more->is_bool() && !more->as_bool();
    if (is_open || (properties->members().empty() && !is_closed)) {
      if (is_closed) return std::string("\"\"");
      const std::string any = out_.rule(
          "tag", out_.spelled(syntax.tags.key_opens) + " /[A-Za-z_][A-Za-z0-9_\\-]{0,63}/ " +
                     out_.spelled(syntax.tags.key_closes) + " " +
                     out_.text_until(syntax.tags.value_closes));
      return fmt::format("(WS? {})*", any);
    }
    std::string all;
    for (const auto& [name, property] : properties->members()) {
      const Json* required = one.schema.find("required");
      const bool is_required =
          required != nullptr && required->is_array() &&
          std::ranges::find(required->items(), Json(name)) != required->items().end();
      Result<std::string> tag = tag_of(syntax.tags, name, property, one);
      if (!tag.is_ok()) return of_tool(*one.tool, tag.status());
      all += fmt::format("{}(WS? {}){}", all.empty() ? "" : " ", out_.rule("tag", *tag),
                         is_required ? "" : "?");
    }
    return all;
  }

  Result<std::string> tag_of(const TagSyntax& tags, const std::string& name, const Json& property,
                             const Declared& one) {
    const ArgumentKind kind = kind_of_schema(property, one.schema);
    const bool is_json = kind == ArgumentKind::kJson;
    const std::string_view closes =
        is_json && !tags.json_key_closes.empty() ? tags.json_key_closes : tags.key_closes;
    const std::string key =
        out_.spelled(std::string(tags.key_opens) + name + std::string(closes));
    if (is_json) {
      return fmt::format("{} WS? {} WS? {}", key, json_value(property, one),
                         out_.spelled(tags.value_closes));
    }
    const std::string wrap = tags.wraps_lines ? " \"\\n\"? " : " ";
    const Json* values = property.is_object() ? property.find("enum") : nullptr;
    if (kind == ArgumentKind::kText && values != nullptr && values->is_array()) {
      std::string all;
      for (const Json& value : values->items()) {
        if (!value.is_string()) continue;
        all += (all.empty() ? "" : " | ") + LarkWriter::quoted(value.as_string());
      }
      return key + wrap + out_.rule("value", all) + wrap + out_.spelled(tags.value_closes);
    }
    const Status kept = check_text(property, name);
    if (one.tool->is_strict) QUIRE_RETURN_IF_ERROR(kept);
    if (!kept.is_ok()) pass_over(*one.tool, kept);
    return key + " " + out_.text_until(tags.value_closes);
  }

  // What a text between tags is not held to.
  static Status check_text(const Json& property, const std::string& name) {
    if (!property.is_object()) return ok_status();
    for (const char* keyword : {"pattern", "format", "minLength", "maxLength", "const"}) {
      if (property.find(keyword) == nullptr) continue;
      return error(StatusCode::kInvalidArgument,
                   "parameters /properties/{}/{}: not supported where texts stand between tags",
                   name, keyword);
    }
    return ok_status();
  }

  std::string json_value(Json property, const Declared& one) {
    const Json* type = property.find("type");
    if (type != nullptr && *type == Json("boolean") && property.find("enum") == nullptr) {
      return R"(("true" | "false" | "True" | "False"))";
    }
    for (const char* definitions : {"$defs", "definitions"}) {
      const Json* all = one.schema.find(definitions);
      if (all != nullptr) property.set(definitions, *all);
    }
    return json(std::move(property), *one.tool);
  }

  const ToolGrammar& wanted_;
  const CallFormat& format_;
  LarkWriter out_;
  std::vector<Declared> declared_;
  std::set<const Tool*> passed_over_;
  std::string first_passed_over_;
};

}  // namespace

Result<GrammarSource> lark_of_tools(const ToolGrammar& wanted, const Tokenizer& tokenizer,
                                    std::string* passed_over) {
  QUIRE_CHECK(wanted.format.calls != nullptr && wanted.choice.kind != ToolChoiceKind::kNone,
              "a grammar of calls for a format without them, or of none");
  ToolGrammarWriter writer(wanted, tokenizer);
  QUIRE_ASSIGN_OR_RETURN(std::string text, writer.write());
  if (passed_over != nullptr) *passed_over = writer.passed_over();
  return GrammarSource{.kind = GrammarKind::kLark, .text = std::move(text)};
}

std::vector<TokenId> opening_tokens(const CallFormat& format, const Tokenizer& tokenizer) {
  std::vector<TokenId> openings;
  const ControlText control(tokenizer);
  for (const CallSyntax& syntax : format.syntaxes) {
    const std::string_view literal = syntax.opens.empty() ? syntax.call_opens : syntax.opens;
    TokenId& opening = openings.emplace_back(-1);
    for (std::size_t at = 0; at < literal.size() && opening < 0; ++at) {
      const ControlText::Token* token = control.find_at(literal, at);
      if (token != nullptr && tokenizer.is_special(token->id)) opening = token->id;
    }
  }
  return openings;
}

}  // namespace quire
