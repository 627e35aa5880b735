#include "text/go_template/renderer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/text/ascii.h"
#include "text/go_template/line_error.h"

namespace quire::go {
namespace {

constexpr int kCallsMax = 64;             // templates within templates
constexpr std::size_t kMadeMax = 8;       // of output_max: what functions make, kept or not

// What it holds by itself, in bytes.
std::size_t size_of(const Json& value) {
  if (value.is_string()) return sizeof(Json) + value.as_string().size();
  std::size_t size = sizeof(Json);
  if (value.is_array()) {
    for (const Json& item : value.items()) size += size_of(item);
  }
  if (value.is_object()) {
    for (const auto& [name, member] : value.members()) size += name.size() + size_of(member);
  }
  return size;
}

enum class Flow { kOn, kBreak, kContinue };

// By its name, or by the one that a field of Go's has in JSON: "Function" is "function", "AnyOf" is
// "anyOf", "ID" is "id".
const Json* member_of(const Json& object, const std::string& field) {
  if (const Json* found = object.find(field)) return found;
  std::string name = field;
  name.front() = lower_ascii(name.front());
  if (const Json* found = object.find(name)) return found;
  return object.find(lower_ascii(field));
}

class Renderer {
 public:
  Renderer(const Tree& tree, const Limits& limits, bool stops)
      : tree_(tree), limits_(limits), stops_(stops) {}

  std::uint64_t steps() const { return steps_; }

  Result<std::string> run(const Json& data) {
    const Value dot = std::make_shared<const Json>(data);
    variables_.emplace_back("$", dot);
    QUIRE_RETURN_IF_ERROR(list(tree_.bodies.front().nodes, dot).status());
    return std::move(out_);
  }

 private:
  Status step(int line) {
    if (++steps_ <= limits_.steps_max) return ok_status();
    return error(StatusCode::kResourceExhausted, "template line {}: more than {} steps", line,
                 limits_.steps_max);
  }

  Status write(int line, std::string_view text) {
    if (out_.size() + text.size() > limits_.output_max) {
      return error(StatusCode::kResourceExhausted, "template line {}: it writes more than {} bytes",
                   line, limits_.output_max);
    }
    out_ += text;
    return ok_status();
  }

  Result<Flow> list(const std::vector<Node>& nodes, const Value& dot) {
    for (const Node& node : nodes) {
      if (stops_ && node.is_behind_answer) continue;
      QUIRE_RETURN_IF_ERROR(step(node.line));
      QUIRE_ASSIGN_OR_RETURN(const Flow flow, one(node, dot));
      if (flow != Flow::kOn) return flow;
    }
    return Flow::kOn;
  }

  Result<Flow> one(const Node& node, const Value& dot) {
    switch (node.kind) {
      case NodeKind::kText: QUIRE_RETURN_IF_ERROR(write(node.line, node.text)); break;
      case NodeKind::kAction: {
        QUIRE_ASSIGN_OR_RETURN(const Value value, pipeline(node.pipeline, dot));
        if (!node.pipeline.variables.empty()) break;  // a declaration writes nothing
        QUIRE_RETURN_IF_ERROR(write(node.line, printed(value)));
        break;
      }
      case NodeKind::kIf:
      case NodeKind::kWith: return branch(node, dot);
      case NodeKind::kRange: return range(node, dot);
      case NodeKind::kTemplate: QUIRE_RETURN_IF_ERROR(use(node, dot)); break;
      case NodeKind::kBreak: return Flow::kBreak;
      case NodeKind::kContinue: return Flow::kContinue;
    }
    return Flow::kOn;
  }

  Result<Flow> branch(const Node& node, const Value& dot) {
    const std::size_t scope = variables_.size();
    QUIRE_ASSIGN_OR_RETURN(const Value value, pipeline(node.pipeline, dot));
    const bool is_taken = is_true(value);
    const Value& inner = node.kind == NodeKind::kWith && is_taken ? value : dot;
    auto flow = list(is_taken ? node.body : node.otherwise, inner);
    variables_.resize(scope);
    return flow;
  }

  // Keys and items in the order in which Go visits them.
  static std::vector<std::pair<Value, Value>> items_of(const Value& value) {
    std::vector<std::pair<Value, Value>> items;
    if (value == nullptr) return items;
    const auto number = [](std::size_t i) { return std::make_shared<const Json>(i); };
    if (value->is_array()) {
      for (std::size_t i = 0; i < value->items().size(); ++i) {
        items.emplace_back(number(i), Value(value, &value->items()[i]));
      }
    } else if (value->is_object()) {
      for (const auto& [name, item] : value->members()) {
        items.emplace_back(std::make_shared<const Json>(name), Value(value, &item));
      }
      std::stable_sort(items.begin(), items.end(), [](const auto& a, const auto& b) {
        return a.first->as_string() < b.first->as_string();
      });
    }
    return items;
  }

  Result<Flow> range(const Node& node, const Value& dot) {
    const std::size_t scope = variables_.size();
    // What a range declares gets its values item by item.
    Pipeline plain = {.line = node.pipeline.line, .variables = {}, .is_declaration = false,
                      .commands = node.pipeline.commands};
    QUIRE_ASSIGN_OR_RETURN(const Value value, pipeline(plain, dot));
    const bool is_number = value != nullptr && value->is_int();
    if (value != nullptr && !is_number && !value->is_null() && !value->is_array() &&
        !value->is_object()) {
      return wrong_at(node.line, "range can't iterate over {}", kind_name(value->kind()));
    }
    const auto items = items_of(value);
    const std::size_t count = is_number && value->as_int() > 0
                                  ? static_cast<std::size_t>(value->as_int())
                                  : items.size();
    if (count == 0) return list(node.otherwise, dot);
    for (std::size_t i = 0; i < count; ++i) {
      QUIRE_RETURN_IF_ERROR(step(node.line));
      const Value key = is_number ? std::make_shared<const Json>(i) : items[i].first;
      const Value item = is_number ? key : items[i].second;
      set_item(node.pipeline, key, item);
      QUIRE_ASSIGN_OR_RETURN(const Flow flow, list(node.body, item));
      if (node.pipeline.is_declaration) variables_.resize(scope);
      if (flow == Flow::kBreak) break;
    }
    variables_.resize(scope);
    return Flow::kOn;
  }

  void set_item(const Pipeline& pipeline, const Value& key, const Value& item) {
    const auto& names = pipeline.variables;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const Value& value = names.size() == 2 && i == 0 ? key : item;
      if (pipeline.is_declaration) {
        variables_.emplace_back(names[i], value);
      } else {
        assign(names[i], value);
      }
    }
  }

  Status use(const Node& node, const Value& dot) {
    Value data;
    if (node.has_pipeline) {
      QUIRE_ASSIGN_OR_RETURN(data, pipeline(node.pipeline, dot));
    }
    const auto body = std::find_if(tree_.bodies.begin() + 1, tree_.bodies.end(),
                                   [&](const NamedBody& it) { return it.name == node.text; });
    if (body == tree_.bodies.end()) return wrong_at(node.line, "template not defined");
    if (++calls_ > kCallsMax) {
      return error(StatusCode::kResourceExhausted, "template line {}: more than {} templates in "
                   "each other", node.line, kCallsMax);
    }
    auto outer = std::exchange(variables_, {});
    variables_.emplace_back("$", data);
    const auto flow = list(body->nodes, data);
    variables_ = std::move(outer);
    --calls_;
    return flow.status();
  }

  void assign(const std::string& name, const Value& value) {
    for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
      if (it->first != name) continue;
      it->second = value;
      return;
    }
  }

  Result<Value> pipeline(const Pipeline& pipeline, const Value& dot) {
    Value value;
    for (std::size_t i = 0; i < pipeline.commands.size(); ++i) {
      QUIRE_ASSIGN_OR_RETURN(value, command(pipeline.commands[i], dot, pipeline.line,
                                            i > 0 ? &value : nullptr));
    }
    for (const std::string& name : pipeline.variables) {
      if (pipeline.is_declaration) {
        variables_.emplace_back(name, value);
      } else {
        assign(name, value);
      }
    }
    return value;
  }

  // `last`: what came through the pipe.
  Result<Value> command(const Command& command, const Value& dot, int line, const Value* last) {
    QUIRE_RETURN_IF_ERROR(step(line));
    const Word& first = command.words.front();
    if (first.kind == WordKind::kFunction) return call(command, dot, line, last);
    if (command.words.size() > 1 || last != nullptr) {
      return wrong_at(line, "can't give argument to non-function");
    }
    return word(first, dot, line);
  }

  Result<Value> call(const Command& command, const Value& dot, int line, const Value* last) {
    const std::string& name = command.words.front().name;
    const Function* function = find_function(name);
    const std::size_t count = command.words.size() - 1 + (last != nullptr ? 1 : 0);
    if (count < function->arguments_min || count > function->arguments_max) {
      return wrong_at(line, "wrong number of args for {}: got {}", name, count);
    }
    const bool is_and = name == "and", is_or = name == "or";
    std::vector<Value> arguments;
    for (std::size_t i = 1; i <= count; ++i) {
      const bool is_piped = i == command.words.size();
      Value value;
      if (is_piped) {
        value = *last;
      } else {
        QUIRE_ASSIGN_OR_RETURN(value, word(command.words[i], dot, line));
      }
      if ((is_and && !is_true(value)) || (is_or && is_true(value)) ||
          ((is_and || is_or) && i == count)) {
        return value;  // the rest is not looked at
      }
      arguments.push_back(std::move(value));
    }
    auto value = function->call(arguments, limits_.now, limits_.output_max);
    // What only points into the data was not made.
    if (value.is_ok() && *value != nullptr && value->use_count() == 1) made_ += size_of(**value);
    if (made_ > kMadeMax * limits_.output_max) {
      return error(StatusCode::kResourceExhausted,
                   "template line {}: its functions make more than {} bytes", line,
                   kMadeMax * limits_.output_max);
    }
    if (value.is_ok()) return value;
    return error(value.status().code(), "template line {}: error calling {}: {}", line, name,
                 value.status().message());
  }

  Result<Value> word(const Word& word, const Value& dot, int line) {
    Value value;
    switch (word.kind) {
      case WordKind::kDot: value = dot; break;
      case WordKind::kField: value = dot; break;
      case WordKind::kConstant: return Value(std::make_shared<const Json>(word.value));
      case WordKind::kVariable:
        for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
          if (it->first != word.name) continue;
          value = it->second;
          break;
        }
        break;
      case WordKind::kFunction: return call({.words = {word}}, dot, line, nullptr);
      case WordKind::kPipeline: {
        const std::size_t scope = variables_.size();
        QUIRE_ASSIGN_OR_RETURN(value, pipeline(word.inner.front(), dot));
        variables_.resize(std::max(scope, variables_.size()));
        break;
      }
    }
    for (const std::string& field : word.fields) {
      QUIRE_RETURN_IF_ERROR(step(line));
      if (value == nullptr || value->is_null()) return Value();
      if (!value->is_object()) {
        return wrong_at(line, "can't evaluate field {} in {}", field, kind_name(value->kind()));
      }
      const Json* found = member_of(*value, field);
      value = found == nullptr ? Value() : Value(value, found);
    }
    return value;
  }

  const Tree& tree_;
  const Limits& limits_;
  const bool stops_;
  std::string out_;
  std::uint64_t steps_ = 0;
  std::size_t made_ = 0;  // bytes
  int calls_ = 0;
  std::vector<std::pair<std::string, Value>> variables_;
};

}  // namespace

Result<std::string> render(const Tree& tree, const Json& data, const Limits& limits,
                           bool stops_at_answer, std::uint64_t* steps) {
  Renderer renderer(tree, limits, stops_at_answer);
  auto text = renderer.run(data);
  if (steps != nullptr) *steps = renderer.steps();
  return text;
}

}  // namespace quire::go
