#include "host/repository/expression/expression_terms.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace quire {
namespace {

template <typename... Args>
Status wrong(fmt::format_string<Args...> format, Args&&... args) {
  return Status(StatusCode::kInvalidArgument, fmt::format(format, std::forward<Args>(args)...));
}

// Nothing: there are no values of that type.
std::optional<ExpressionKind> kind_of(const std::string& type) {
  if (type == "TYPE_STRING") return ExpressionKind::kText;
  if (type == "TYPE_BOOL") return ExpressionKind::kBool;
  if (type == "TYPE_FP32" || type == "TYPE_FP64") return ExpressionKind::kNumber;
  const bool is_integer = type.starts_with("TYPE_INT") || type.starts_with("TYPE_UINT");
  return is_integer ? std::optional(ExpressionKind::kInteger) : std::nullopt;
}

bool becomes(ExpressionKind made, ExpressionKind declared) {
  return made == declared ||
         (made == ExpressionKind::kInteger && declared == ExpressionKind::kNumber);
}

Status read_inputs(const ModelConfig& config, ExpressionTerms& terms) {
  for (const ModelTensor& input : config.inputs) {
    const auto kind = kind_of(input.data_type);
    if (!kind) {
      return wrong("'input.data_type' of '{}': expressions do not know {}", input.name,
                   input.data_type);
    }
    if (input.is_optional) {
      return wrong("'input.optional' of '{}': an expression needs its inputs", input.name);
    }
    terms.inputs.emplace_back(input.name, *kind);
  }
  return ok_status();
}

Result<Expression> read_output(const ModelConfig& config, const ModelTensor& output,
                               const ExpressionTerms& terms) {
  const auto kind = kind_of(output.data_type);
  if (!kind) {
    return wrong("'output.data_type' of '{}': expressions do not make {}", output.name,
                 output.data_type);
  }
  const auto& parameters = config.own_parameters;
  const auto text = std::find_if(parameters.begin(), parameters.end(),
                                 [&](const auto& it) { return it.first == output.name; });
  if (text == parameters.end()) {
    return wrong("'parameters[{}]' is missing: the expression of output '{}'", output.name,
                 output.name);
  }
  Result<Expression> made = Expression::parse(text->second, terms.inputs);
  if (!made.is_ok()) {
    return wrong("'parameters[{}]', {}", output.name, made.status().message());
  }
  if (!becomes(made->kind(), *kind)) {
    return wrong("'parameters[{}]' makes a value of kind {}, which is not {}", output.name,
                 expression_kind_name(made->kind()), output.data_type);
  }
  return made;
}

}  // namespace

Result<ExpressionTerms> read_expression_terms(const ModelConfig& config) {
  ExpressionTerms terms;
  if (config.inputs.empty() || config.outputs.empty()) {
    return wrong("'{}' is missing: expressions make outputs of inputs",
                 config.inputs.empty() ? "input" : "output");
  }
  QUIRE_RETURN_IF_ERROR(read_inputs(config, terms));
  for (const ModelTensor& output : config.outputs) {
    QUIRE_ASSIGN_OR_RETURN(Expression made, read_output(config, output, terms));
    terms.outputs.push_back(std::move(made));
  }
  for (const auto& [name, _] : config.own_parameters) {
    const bool is_output = std::any_of(config.outputs.begin(), config.outputs.end(),
                                       [&](const ModelTensor& it) { return it.name == name; });
    if (!is_output) {
      return wrong("'parameters[{}]' is not known: there is no such output", name.substr(0, 64));
    }
  }
  for (std::size_t i = 0; i < terms.inputs.size(); ++i) {
    const bool is_used = std::any_of(terms.outputs.begin(), terms.outputs.end(),
                                     [&](const Expression& it) { return it.uses(i); });
    if (!is_used) return wrong("'input' '{}' is in no expression", terms.inputs[i].first);
  }
  return terms;
}

}  // namespace quire
