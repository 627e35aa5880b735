#include "apps/assemble.h"

#include <utility>

#include "apps/dressing.h"
#include "apps/load.h"
#include "apps/model_card.h"
#include "apps/model_path.h"
#include "apps/random_files.h"
#include "apps/version.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "engine/constraints/grammar_constraint.h"
#include "serve/answer/parts.h"
#include "serve/intake/tools/answer_grammar.h"
#include "serve/intake/tools/answer_shape.h"
#include "text/grammar/grammar.h"

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
  if (arguments.activations != "float") identity += " " + arguments.activations;
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
  info.vocab = model.executors.front()->capacity().vocab;
  info.words = model.words.chat;
  info.eos_ids = model.words.eos_ids;
  info.generates = model.files->facts().kind != ModelKind::kEncoder;
  info.has_encoder = model.files->facts().kind == ModelKind::kEncoderDecoder;
  info.decoder_start = model.files->facts().words.decoder_start;
  info.chats = model.words.chat_template != nullptr;
  info.pooled = pooled_info(model.files->facts());
  info.pooled.reads_pairs = model.words.pair_template != nullptr;
  info.call_format = arguments.tool_call_parser;
  info.thought_format = arguments.reasoning_parser;
  if (const Result<Json> kwargs = parse_json(arguments.template_kwargs);
      kwargs.is_ok() && kwargs->is_object()) {
    info.template_kwargs = kwargs->members();
  }
  info.chat_problem = model.words.chat_problem;
  info.kv_groups = model.executors.front()->capacity().groups;
  info.instances = arguments.instances;
  info.warnings = model.words.warnings;
  info.sampling = model.files->facts().words.generation;
  info.created = SteadyClock::unix_seconds();
  info.isa = model.isa;
  info.card = card_of(*model.files, model.adapters);
  info.fingerprint = fingerprint_of(model, arguments);
  return info;
}

}  // namespace

Result<store::ModelDress> dress_of(const ModelArguments& arguments) {
  if (is_random_model(arguments.model)) return store::ModelDress();
  QUIRE_ASSIGN_OR_RETURN(FoundModel found, find_model(arguments.model));
  return std::move(found.dress);
}

Result<ModelLook> look_at(const ModelArguments& arguments) {
  QUIRE_ASSIGN_OR_RETURN(const OpenedFiles opened, open_files(arguments));
  const ModelFacts& facts = opened.files->facts();
  ModelLook look;
  look.info.context_max = static_cast<std::uint32_t>(std::max(facts.context_max, 0));
  const auto texts_max = static_cast<std::uint32_t>(facts.words.pooled.tokens_max);
  if (arguments.max_model_len == 0 && facts.can_pool && texts_max > 0) {  // as it will be loaded
    look.info.context_max = std::min(look.info.context_max, texts_max);
  }
  if (arguments.max_model_len > 0) {
    look.info.context_max = std::min(look.info.context_max, arguments.max_model_len);
  }
  look.info.generates = facts.kind != ModelKind::kEncoder;
  look.info.has_encoder = facts.kind == ModelKind::kEncoderDecoder;
  look.info.chats = look.info.generates && !facts.words.chat_template.empty();
  look.info.pooled = pooled_info(facts);
  look.info.card = card_of(*opened.files, opened.adapters);
  look.chat_template = facts.words.chat_template;
  return look;
}

namespace {

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

// As its Modelfile says, where it has one. A template that the operator names comes first.
Status dress(const ModelArguments& arguments, HostedModel& model) {
  QUIRE_ASSIGN_OR_RETURN(store::ModelDress dress, dress_of(arguments));
  if (!arguments.chat_template.empty()) dress.chat_template.clear();
  return put_on(dress, model);
}

Result<std::unique_ptr<HostedModel>> load_hosted(PlannedModel planned, const std::string& name,
                                                 const LoadListener& report, EventSink sink) {
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
  if (model->info.generates) {
    model->grammars = grammars_of(loaded.words.tokenizer, model->info.eos_ids);
  }
  QUIRE_RETURN_IF_ERROR(dress(arguments, *model));
  model->files = mapped_files(loaded);
  model->health = std::move(loaded.health);
  model->engine = std::make_unique<Engine>(loaded.options, std::move(loaded.executors),
                                           loaded.words.tokenizer, std::move(sink));
  return model;
}

// Thoughts and answer of a model in the terminal, cut as the server cuts them.
class CutAnswer final : public AnswerPieces {
 public:
  explicit CutAnswer(PartStreamOptions options) : parts_(std::move(options)) {}

  std::vector<AnswerPiece> take(const TokenEvent& event) override {
    std::vector<PartDelta> parts;
    parts_.take(event, parts);
    std::vector<AnswerPiece> pieces;
    for (PartDelta& part : parts) {
      pieces.push_back({part.kind == PartKind::kReasoning, std::move(part.text)});
    }
    return pieces;
  }

 private:
  PartStream parts_;
};

void set_thoughts(const LoadedModel& loaded, ChatPartner& partner) {
  const auto& chat_template = loaded.words.chat_template;
  if (chat_template == nullptr) return;
  const ThoughtFormat* thoughts = format_of_template(chat_template->source()).thoughts;
  if (thoughts == nullptr) return;
  for (const ThoughtSwitch& it : thoughts->switches) {
    if (it.kind != SwitchKind::kOnOff || !chat_template->has_variable(it.variable)) continue;
    partner.not_thinking.emplace_back(std::string(it.variable), false);
  }
  partner.pieces = [thoughts, words = loaded.words.tokenizer](std::span<const TokenId> prompt,
                                                              SamplingParams& params) {
    const AnswerFormat format = {.calls = nullptr, .thoughts = thoughts};
    if (params.skip_special_tokens) params.shown_tokens = mark_tokens(format, *words);
    return std::make_unique<CutAnswer>(
        PartStreamOptions{
            .format = format,
            .begins_in_thought = ends_in_thought(format, end_of_prompt(*words, prompt)),
            .reads_calls = false});
  };
}

// Behind the thought, where the model has one.
Status set_grammar(const LoadedModel& loaded, const GrammarSource& source, ChatPartner& partner) {
  const std::shared_ptr<const Tokenizer> words = loaded.words.tokenizer;
  const std::vector<TokenId> eos = loaded.words.eos_ids;
  QUIRE_ASSIGN_OR_RETURN(const auto factory, GrammarFactory::create(words, eos));
  QUIRE_ASSIGN_OR_RETURN(auto grammar, factory->compile(source));
  const auto constraint = std::make_shared<GrammarConstraint>(std::move(grammar));
  const auto& chat_template = loaded.words.chat_template;
  const ThoughtFormat* thoughts =
      chat_template == nullptr ? nullptr : format_of_template(chat_template->source()).thoughts;
  partner.constraint = [words, eos, constraint, thoughts](std::span<const TokenId> prompt)
      -> std::shared_ptr<const Constraint> {
    if (thoughts == nullptr) return constraint;
    const AnswerFormat format = {.calls = nullptr, .thoughts = thoughts};
    return behind_thought(
        {.tokenizer = words, .eos_ids = eos, .thoughts = thoughts,
         .begins_in_thought = ends_in_thought(format, end_of_prompt(*words, prompt))},
        constraint);
  };
  return ok_status();
}

}  // namespace

ModelRecipe make_recipe(const NamedModel& model, std::shared_ptr<CpuDevice> device,
                        const MemoryLimit& limit, LoadListener report) {
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

Result<ChatPartner> load_chat_partner(const ModelArguments& arguments,
                                      const store::ModelDress& dress,
                                      const std::optional<GrammarSource>& grammar) {
  QUIRE_ASSIGN_OR_RETURN(LoadedModel loaded, load_model(arguments));
  QUIRE_RETURN_IF_ERROR(check_talks(loaded.files->facts(), loaded.name));
  if (arguments.chat_template.empty()) QUIRE_RETURN_IF_ERROR(put_on(dress, loaded.words));
  const auto& worn = loaded.words.chat_template;
  ChatPartner partner;
  partner.facts = {.name = loaded.name,
                   .page = model_page({.name = loaded.name, .summary = loaded.summary}),
                   .chat_template = worn ? worn->source()
                                         : loaded.files->facts().words.chat_template,
                   .chat_problem = loaded.words.chat_problem,
                   .context_max = loaded.context_max};
  set_thoughts(loaded, partner);
  if (grammar) QUIRE_RETURN_IF_ERROR(set_grammar(loaded, *grammar, partner));
  partner.tokenizer = std::move(loaded.words.tokenizer);
  partner.chat_template = std::move(loaded.words.chat_template);
  partner.words = std::move(loaded.words.chat);
  partner.files = mapped_files(loaded);
  partner.options = std::move(loaded.options);
  partner.executor = std::move(loaded.executors.front());
  return partner;
}

}  // namespace quire
