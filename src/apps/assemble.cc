#include "apps/assemble.h"

#include <utility>

#include "apps/load.h"
#include "apps/version.h"
#include "base/clock.h"
#include "base/hash.h"

namespace quire {
namespace {

// Of all that answers depend on, and of nothing that a mere restart changes.
std::string fingerprint_of(const LoadedModel& model, const ModelArguments& arguments) {
  std::string identity = fmt::format(
      "{} {} {:x} {} {} {} {}", version_line(), model.name, model.files->stamp(), model.isa,
      arguments.kv_cache_dtype, arguments.quantize, arguments.is_unpacked_f32);
  if (arguments.attention_sinks > 0) {
    identity += fmt::format(" {}+{}", arguments.attention_sinks, arguments.sliding_window);
  }
  return fmt::format("fp_{:016x}", hash_bytes(identity.data(), identity.size()));
}

// What an executor computes with: it is gone when the last copy is.
std::shared_ptr<const void> mapped_files(LoadedModel& model) {
  return std::make_shared<const std::pair<decltype(model.files), decltype(model.tables)>>(
      std::move(model.files), std::move(model.tables));
}

// Where the files say nothing of its length, a vector is scaled to one, as other servers do.
PooledInfo pooled_info(const ModelFacts& facts) {
  PooledInfo info;
  if (!facts.can_pool) return info;
  info.width = static_cast<std::uint32_t>(facts.pooled.width);
  info.labels = static_cast<std::uint32_t>(facts.pooled.labels);
  info.is_normalised = facts.pooled.is_normalised;
  info.wants_length_one =
      info.labels == 0 && (facts.pooled.is_normalised || !facts.pooled.is_settled);
  info.has_segments = facts.segments > 1;
  info.words = facts.words.pooled;
  return info;
}

ModelInfo model_info(const LoadedModel& model, const ModelArguments& arguments) {
  ModelInfo info;
  info.context_max = model.context_max;
  info.vocab = model.executor->capacity().vocab;
  info.words = model.words.chat;
  info.eos_ids = model.words.eos_ids;
  info.generates = model.files->facts().kind != ModelKind::kEncoder;
  info.has_encoder = model.files->facts().kind == ModelKind::kEncoderDecoder;
  info.decoder_start = model.files->facts().words.decoder_start;
  info.chats = model.words.chat_template != nullptr;
  info.pooled = pooled_info(model.files->facts());
  info.pooled.reads_pairs = model.words.pair_template != nullptr;
  info.chat_problem = model.words.chat_problem;
  info.warnings = model.words.warnings;
  info.sampling = model.files->facts().words.generation;
  info.created = SteadyClock::unix_seconds();
  info.isa = model.isa;
  info.fingerprint = fingerprint_of(model, arguments);
  return info;
}

// Who reads a text only, or reads it apart from what it answers, is no partner of a chat.
Status check_talks(const ModelFacts& facts, const std::string& name) {
  if (facts.kind == ModelKind::kDecoder) return ok_status();
  return error(StatusCode::kUnsupported, "{} {}", name,
               facts.kind == ModelKind::kEncoder
                   ? "makes vectors of texts and says nothing: 'quire serve' answers "
                     "/v1/embeddings, /rerank, /score and /classify with such a model"
                   : "reads with an encoder what it answers: 'quire serve' answers /v1/completions "
                     "with such a model");
}

Result<std::unique_ptr<HostedModel>> load_hosted(PlannedModel planned, const std::string& name,
                                                 const LoadReport& report, EventSink sink) {
  const Nanos start = SteadyClock::now();
  const ModelArguments arguments = planned.arguments;
  QUIRE_ASSIGN_OR_RETURN(LoadedModel loaded, load_planned(std::move(planned)));
  report({name, loaded.words.chat_template != nullptr, loaded.summary},
         to_seconds(SteadyClock::now() - start));
  auto model = std::make_unique<HostedModel>();
  model->tokenizer = loaded.words.tokenizer;
  model->chat_template = loaded.words.chat_template;
  model->pair_template = loaded.words.pair_template;
  model->info = model_info(loaded, arguments);
  model->files = mapped_files(loaded);
  model->health = std::move(loaded.health);
  model->engine = std::make_unique<Engine>(loaded.options, std::move(loaded.executor),
                                           loaded.words.tokenizer, std::move(sink));
  return model;
}

}  // namespace

ModelRecipe make_recipe(const NamedModel& model, std::shared_ptr<CpuDevice> device,
                        const MemoryLimit& limit, LoadReport report) {
  const auto open = [model, device, limit, report]() -> Result<OpenedModel> {
    QUIRE_ASSIGN_OR_RETURN(PlannedModel plan, plan_model(model.arguments, device, limit));
    const std::uint64_t bytes = plan.memory.bytes();
    // Shared because a std::function must be able to copy what it holds; it is run once.
    const auto planned = std::make_shared<PlannedModel>(std::move(plan));
    return OpenedModel{bytes, [planned, name = model.names.front(), report](EventSink sink) {
                         return load_hosted(std::move(*planned), name, report, std::move(sink));
                       }};
  };
  return {model.names, open};
}

Result<ChatPartner> load_chat_partner(const ModelArguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(LoadedModel loaded, load_model(arguments));
  QUIRE_RETURN_IF_ERROR(check_talks(loaded.files->facts(), loaded.name));
  ChatPartner partner;
  partner.facts = {.name = loaded.name,
                   .page = model_page({.name = loaded.name, .summary = loaded.summary}),
                   .chat_template = loaded.files->facts().words.chat_template,
                   .chat_problem = loaded.words.chat_problem,
                   .context_max = loaded.context_max};
  partner.tokenizer = std::move(loaded.words.tokenizer);
  partner.chat_template = std::move(loaded.words.chat_template);
  partner.words = std::move(loaded.words.chat);
  partner.files = mapped_files(loaded);
  partner.options = std::move(loaded.options);
  partner.executor = std::move(loaded.executor);
  return partner;
}

}  // namespace quire
