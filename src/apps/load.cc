#include "apps/load.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>

#include "apps/adapter_arguments.h"
#include "apps/model_path.h"
#include "apps/random_files.h"
#include "backend/table_trial.h"
#include "base/cpu/cpu_info.h"
#include "base/hash.h"
#include "kernels/select.h"
#include "runtime/capacity.h"
#include "runtime/make_executor.h"
#include "store/local_store.h"
#include "store/model_name.h"
#include "terminal/progress_line.h"

namespace quire {
namespace {

// Positions of one sequence that the KV memory holds.
std::uint64_t positions_max(const Capacity& capacity) {
  std::uint64_t positions = capacity.context_max;
  for (const KvGroup& group : capacity.groups) {
    const bool grows = group.holds == GroupHolds::kPositions &&
                       group.length == GroupLength::kText && group.window == 0;
    if (!grows) continue;
    positions = std::min(positions, std::uint64_t{group.blocks - 1} * group.block_tokens);
  }
  return positions;
}

// Texts are as long as a model's authors would have them, unless its user wants more.
void fit_texts(const ModelFacts& facts, CapacityRequest& capacity) {
  const int tokens_max = facts.words.pooled.tokens_max;
  if (!facts.can_pool || tokens_max == 0 || capacity.context_max > 0) return;
  capacity.context_max = static_cast<std::uint32_t>(std::min(tokens_max, facts.context_max));
}

// A context that the KV memory cannot hold is promised to nobody.
void fit_context(const Capacity& capacity, LoadedModel& loaded) {
  const auto positions = static_cast<std::uint32_t>(positions_max(capacity));
  loaded.context_max = std::min(capacity.context_max, positions);
  if (loaded.context_max == capacity.context_max) return;
  loaded.words.warnings.push_back(fmt::format(
      "the context is {} tokens instead of {}, because the KV memory holds no more; give more with "
      "--kv-cache-memory or --num-kv-blocks",
      loaded.context_max, capacity.context_max));
}

// Which of two answers a checkpoint gives that asks for rounded activations.
void note_activations(LoadedModel& loaded) {
  const std::string& asked = loaded.summary.asked_activations;
  if (asked.empty()) return;
  loaded.words.warnings.push_back(
      loaded.summary.has_asked_activations
          ? fmt::format("activations: as asked, {}; --activations float leaves it out", asked)
          : fmt::format("activations: float, though the checkpoint asks for {}; --activations "
                        "as-asked does it", asked));
}

Result<LocalOptions> local_options(const ModelArguments& arguments) {
  LocalOptions options;
  QUIRE_ASSIGN_OR_RETURN(options.kv_dtype, parse_kv_types(arguments.kv_cache_dtype));
  if (!arguments.kv_cache_memory.empty()) {
    QUIRE_ASSIGN_OR_RETURN(options.capacity.kv_bytes, parse_bytes(arguments.kv_cache_memory));
  }
  QUIRE_ASSIGN_OR_RETURN(options.weights, weight_scheme(arguments));
  options.capacity.rows_max = arguments.max_num_seqs;
  options.capacity.tokens_max = arguments.max_num_batched_tokens;
  options.capacity.context_max = arguments.max_model_len;
  options.capacity.blocks = arguments.num_kv_blocks;
  options.capacity.sinks = arguments.attention_sinks;
  options.capacity.window = arguments.sliding_window;
  return options;
}

EngineOptions engine_options(const ModelArguments& arguments, const LoadedModel& loaded,
                             const Capacity& capacity) {
  EngineOptions options;
  options.scheduler.rows_max = capacity.rows_max;
  options.scheduler.tokens_max = capacity.tokens_max;
  options.scheduler.context_max = loaded.context_max;
  options.scheduler.is_prefix_caching = arguments.is_prefix_caching;
  options.queue_max = arguments.max_queue;
  options.batching = arguments.batching;
  options.eos_ids = loaded.words.eos_ids;
  return options;
}

// One file for each way of packing a model; which file it was made from is checked by its stamp.
Result<std::string> packed_path(const ModelArguments& arguments,
                                const std::vector<AdapterChoice>& adapters,
                                const std::string& name, const std::string& file) {
  if (arguments.packed_cache.empty()) return std::string();
  std::filesystem::path folder = arguments.packed_cache;
  if (arguments.packed_cache == "store") {
    QUIRE_ASSIGN_OR_RETURN(const std::string store, store::store_folder());
    folder = std::filesystem::path(store) / "packed";
  }
  std::error_code problem;
  const std::string place = std::filesystem::weakly_canonical(file, problem).string();
  const std::string kind = fmt::format("{} {}{}", arguments.quantize, arguments.is_unpacked_f32,
                                       adapters_text(adapters));
  return (folder / fmt::format("{}-{:016x}.packed", store::escaped_name(name),
                               hash_bytes(place.data(), place.size(),
                                          hash_bytes(kind.data(), kind.size()))))
      .string();
}

ModelSummary summarize(const ModelFiles& files, const LocalOptions& options,
                       const Capacity& capacity, const Backend& backend,
                       std::uint32_t instances) {
  const KvGroup& kv = capacity.groups[0];
  ModelSummary summary;
  summary.architecture = files.facts().architecture;
  summary.parameters = files.facts().parameters;
  summary.weight_bytes = files.facts().weight_bytes;
  summary.instances = instances;
  summary.kv_tokens = std::uint64_t{kv.blocks - 1} * kv.block_tokens * instances;
  summary.kv_bytes = kv.bytes_per_block * kv.blocks * instances;
  summary.kv_types = kv_types_name(options.kv_dtype);
  summary.asked_activations = files.facts().asked_activations;
  summary.has_asked_activations =
      !summary.asked_activations.empty() && options.weights == WeightScheme::kAsAsked;
  if (files.facts().kind == ModelKind::kEncoder) {
    summary.vector_width = static_cast<std::uint32_t>(files.facts().pooled.width);
    summary.is_classifier = files.facts().pooled.labels > 0;
  }
  summary.rows_max = capacity.rows_max;
  summary.tokens_max = capacity.tokens_max;
  summary.isa = backend.isa();
  summary.isa_reason = forced_isa().empty() ? table_choice().reason : "named by QUIRE_FORCE_ISA";
  summary.threads = backend.threads();
  summary.processor = cpu_info().model;
  return summary;
}

}  // namespace

std::string default_name(const ModelArguments& arguments) {
  return is_random_model(arguments.model) ? arguments.model : model_name(arguments.model);
}

Result<OpenedFiles> open_files(const ModelArguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(const std::vector<AdapterChoice> further,
                         parse_adapters(arguments.adapters));
  OpenedFiles opened;
  if (is_random_model(arguments.model)) {
    if (!further.empty()) {
      return error(StatusCode::kInvalidArgument, "--adapter: weights that are random have none");
    }
    QUIRE_ASSIGN_OR_RETURN(opened.files, open_random_model(arguments.model, arguments.tokenizer,
                                                           arguments.threads));
    return opened;
  }
  QUIRE_ASSIGN_OR_RETURN(FoundModel found, find_model(arguments.model));
  opened.adapters = std::move(found.adapters);
  opened.adapters.insert(opened.adapters.end(), further.begin(), further.end());
  QUIRE_ASSIGN_OR_RETURN(opened.files,
                         open_model(found.path, arguments.tokenizer, opened.adapters));
  return opened;
}

Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const ModelFiles& files) {
  QUIRE_ASSIGN_OR_RETURN(const std::string json, files.tokenizer_json());
  return Tokenizer::from_json(json);
}

Result<PlannedModel> plan_model(const ModelArguments& arguments, std::shared_ptr<CpuDevice> device,
                                const MemoryLimit& limit) {
  PlannedModel planned;
  planned.arguments = arguments;
  QUIRE_ASSIGN_OR_RETURN(planned.options, local_options(arguments));
  QUIRE_ASSIGN_OR_RETURN(OpenedFiles opened, open_files(arguments));
  planned.files = std::move(opened.files);
  planned.adapters = std::move(opened.adapters);
  const ModelFiles& files = *planned.files;
  fit_texts(files.facts(), planned.options.capacity);
  if (device == nullptr) {
    QUIRE_ASSIGN_OR_RETURN(device, make_cpu_device(arguments.threads));
  }
  // Instances share its threads and take turns, as models do.
  CpuBackendOptions cpu = {.device = std::move(device),
                           .has_huge_pages = arguments.has_huge_pages};
  if (files.stamp() != 0) {
    QUIRE_ASSIGN_OR_RETURN(cpu.packed_path,
                           packed_path(arguments, planned.adapters, default_name(arguments),
                                       files.path()));
    cpu.packed_stamp = files.stamp();
  }
  std::error_code problem;
  const bool is_kept = std::filesystem::exists(cpu.packed_path, problem);
  for (std::uint32_t i = 0; i < arguments.instances; ++i) {
    QUIRE_ASSIGN_OR_RETURN(planned.backends.emplace_back(), make_cpu_backend(cpu));
    if (!is_kept) cpu.packed_path.clear();  // the first one writes it, the others pack
  }
  QUIRE_ASSIGN_OR_RETURN(planned.memory,
                         plan_memory(files, *planned.backends.front(), planned.options, limit,
                                     arguments.instances));
  QUIRE_RETURN_IF_ERROR(check_room(planned.memory, memory_total()));
  planned.options.capacity.blocks = planned.memory.kv_blocks;
  planned.is_apart = limit.models > 1;
  return planned;
}

namespace {

// Rows of tables are gathered at every step. Where other models live in the process, they
// come from memory of our own: reading a mapped file that somebody has cut short ends a process.
std::shared_ptr<const TableCopies> copy_tables(const ModelFiles& files) {
  auto copies = std::make_shared<TableCopies>();
  for (const TensorRule& rule : files.design().tensors.rules) {
    if (rule.role != Role::kTable) continue;
    const auto view = files.find(rule.canonical);
    if (!view.is_ok()) continue;  // optional
    copies->emplace(rule.canonical,
                    std::vector<std::byte>(view->data, view->data + view->bytes()));
  }
  return copies;
}

// One for each backend; the budget of a step is measured once, so that all are equal.
Result<std::vector<LocalExecutor*>> make_executors(
    PlannedModel& planned, const Design& design, const TensorFinder& find,
    std::vector<std::unique_ptr<Executor>>& executors) {
  std::vector<LocalExecutor*> made;
  LocalOptions options = planned.options;
  for (auto& backend : planned.backends) {
    QUIRE_ASSIGN_OR_RETURN(auto executor,
                           make_executor(std::move(backend), design, find, options));
    options.capacity.tokens_max = executor->capacity().tokens_max;
    made.push_back(executor.get());
    executors.push_back(std::move(executor));
  }
  return made;
}

}  // namespace

Result<LoadedModel> load_planned(PlannedModel planned) {
  const ModelArguments& arguments = planned.arguments;
  LoadedModel loaded;
  loaded.name = default_name(arguments);
  loaded.files = std::move(planned.files);
  loaded.adapters = std::move(planned.adapters);
  const Design& design = loaded.files->design();
  ProgressLine progress(fmt::format("Loading {}: tokenizer", loaded.name));
  QUIRE_ASSIGN_OR_RETURN(loaded.words, load_words(*loaded.files, arguments.chat_template));
  // What quantization made of a matrix is given back once it is packed, not when all are.
  std::vector<std::string> asked;
  planned.options.progress = [&](std::size_t done, std::size_t total) {
    for (const std::string& name : asked) loaded.files->let_go_matrix(name);
    asked.clear();
    progress.say(fmt::format("Loading {}: packing weights {} %", loaded.name, 100 * done / total));
  };
  planned.options.source_health = [files = loaded.files] { return files->health(); };
  if (planned.is_apart) loaded.tables = copy_tables(*loaded.files);
  const TensorFinder find = [&loaded, &asked](std::string_view name) {
    asked.emplace_back(name);
    Result<TensorView> view = loaded.files->find(name);
    if (loaded.tables == nullptr || !view.is_ok()) return view;
    const auto copy = loaded.tables->find(name);
    if (copy != loaded.tables->end()) view->data = copy->second.data();
    return view;
  };
  QUIRE_ASSIGN_OR_RETURN(const auto executors,
                         make_executors(planned, design, find, loaded.executors));
  LocalExecutor& first = *executors.front();
  loaded.isa = first.backend().isa();
  fit_context(first.capacity(), loaded);
  loaded.summary = summarize(*loaded.files, planned.options, first.capacity(), first.backend(),
                             arguments.instances);
  loaded.summary.context_max = loaded.context_max;
  note_activations(loaded);
  loaded.options = engine_options(arguments, loaded, first.capacity());
  for (const std::string& text : loaded.words.warnings) spdlog::warn("{}: {}", loaded.name, text);
  loaded.health = [executors] {
    for (const LocalExecutor* executor : executors) {
      QUIRE_RETURN_IF_ERROR(executor->health());
    }
    return ok_status();
  };
  loaded.files->drop_resident();  // what was packed is not read again
  return loaded;
}

Result<LoadedModel> load_model(const ModelArguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(PlannedModel planned, plan_model(arguments, nullptr, {}));
  return load_planned(std::move(planned));
}

}  // namespace quire
