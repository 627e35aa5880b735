#include "apps/check.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "apps/adapter_arguments.h"
#include "apps/flags.h"
#include "apps/load.h"
#include "lab/weight_check.h"
#include "store/human.h"
#include "terminal/progress_line.h"

namespace quire {
namespace {

constexpr std::size_t kFaultsShown = 8;

// What a model that holds no conversations answers.
std::string what_for(const ModelFacts& facts) {
  if (facts.kind == ModelKind::kEncoderDecoder) return "; completions, and no chats";
  if (facts.kind == ModelKind::kDecoder) return "";
  return facts.pooled.labels > 0 ? "; scores of texts" : "; vectors of texts";
}

// Everything that serving does before it packs weights, and a look at every value.
Result<std::string> check(const ModelArguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(const PlannedModel planned, plan_model(arguments, nullptr, {}));
  const ModelFiles& files = *planned.files;
  const ModelFacts& facts = files.facts();
  QUIRE_ASSIGN_OR_RETURN(const ModelWords words, load_words(files, ""));
  WeightReport report;
  {
    ProgressLine progress(fmt::format("Reading the weights of {}", default_name(arguments)));
    const auto find = [&files](std::string_view name) { return files.find(name); };
    const auto done = [&files](std::string_view rule) { files.let_go(rule); };
    QUIRE_ASSIGN_OR_RETURN(report, check_weights(files.design().tensors, find, done));
    QUIRE_RETURN_IF_ERROR(files.health());
  }
  if (!report.is_finite()) {
    std::string text;
    for (std::size_t i = 0; i < report.faults.size() && i < kFaultsShown; ++i) {
      text += (i == 0 ? "" : "; ") + fault_sentence(report.faults[i]);
    }
    if (report.faults.size() > kFaultsShown) {
      text += fmt::format("; and {} more tensors", report.faults.size() - kFaultsShown);
    }
    return error(StatusCode::kCorrupt, "{}", text);
  }
  for (const std::string& warning : words.warnings) {
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }
  return fmt::format(
      "{} can be served: {} with {}; {} tensors of {} values, all finite; {} of weights, {} of "
      "KV{}",
      default_name(arguments), facts.architecture, facts.weight_types, report.tensors,
      report.values, store::human_bytes(planned.memory.weight_bytes),
      store::human_bytes(planned.memory.kv_bytes), what_for(facts));
}

int run_check(const ModelArguments& arguments) {
  const auto text = check(arguments);
  if (!text.is_ok()) {
    std::fprintf(stderr, "quire: %s cannot be served: %s\n", default_name(arguments).c_str(),
                 text.status().message().c_str());
    return 1;
  }
  std::printf("%s\n", text->c_str());
  return 0;
}

}  // namespace

void declare_check(Command& parent, std::function<int()>& chosen) {
  const auto arguments = std::make_shared<ModelArguments>();
  Command command =
      parent.command("check", "Whether a model can be served: every tensor, every value");
  command.value("MODEL", arguments->model, "file, directory or name (default: the default model)");
  command.value("--tokenizer", arguments->tokenizer, "for models that carry none");
  declare_adapter_flag(command, arguments->adapters);
  command.when_chosen(
      [arguments, &chosen] { chosen = [arguments] { return run_check(*arguments); }; });
}

}  // namespace quire
