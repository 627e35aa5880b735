// load_model: the way from a MODEL argument to everything that serving or chatting needs: files,
// tokenizer, chat template, executor, engine options. With a progress line on a terminal when it
// takes over a second. In two stages for a process with several models: what opening the files
// tells decides whether there is room to load them.
// Main thread at start-up; ModelHost's loading thread.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "apps/greeting.h"
#include "apps/model_arguments.h"
#include "apps/model_words.h"
#include "core/executor.h"
#include "core/options.h"
#include "model/adapter_choice.h"
#include "model/model_files.h"
#include "runtime/memory_plan.h"

namespace quire {

using TableCopies = std::map<std::string, std::vector<std::byte>, std::less<>>;  // by tensor

struct LoadedModel {
  std::string name;                   // what it is called when the user names nothing
  std::shared_ptr<const ModelFiles> files;  // maps the weights: outlives the executor
  std::shared_ptr<const TableCopies> tables;  // likewise, where they are copies
  std::vector<AdapterChoice> adapters;  // that the files were opened with
  ModelWords words;                   // its warnings are those of the whole model
  std::vector<std::unique_ptr<Executor>> executors;  // [instances]
  std::uint32_t context_max = 0;  // positions per sequence
  std::function<Status()> health;  // of what the executors compute with; not after their end
  EngineOptions options;
  std::string isa;          // of the kernels
  ModelSummary summary;     // what a person wants to know
};

Result<LoadedModel> load_model(const ModelArguments& arguments);

// The first stage: everything is known, nothing is packed.
struct PlannedModel {
  ModelArguments arguments;
  std::unique_ptr<ModelFiles> files;
  std::vector<AdapterChoice> adapters;
  std::vector<std::unique_ptr<Backend>> backends;  // [instances], on one device
  LocalOptions options;
  MemoryPlan memory;
  bool is_apart = false;  // nothing of the files is read once it is loaded
};
// `device` null: threads of its own.
Result<PlannedModel> plan_model(const ModelArguments& arguments, std::shared_ptr<CpuDevice> device,
                                const MemoryLimit& limit);
Result<LoadedModel> load_planned(PlannedModel planned);

// What a model is called when the user names nothing.
std::string default_name(const ModelArguments& arguments);

// The same without weights: for commands that need words only.
Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const ModelFiles& files);
struct OpenedFiles {
  std::unique_ptr<ModelFiles> files;
  std::vector<AdapterChoice> adapters;  // the model's own, then those of --adapter
};
Result<OpenedFiles> open_files(const ModelArguments& arguments);

}  // namespace quire
