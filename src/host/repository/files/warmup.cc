#include "host/repository/files/warmup.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/file.h"
#include "core/events.h"

namespace quire {
namespace {

constexpr std::uint64_t kFirstId = std::uint64_t{1} << 63;  // Service counts from the other end
constexpr std::chrono::minutes kPatience{10};               // with one request
constexpr std::size_t kPromptBytesMax = std::size_t{1} << 20;
constexpr int kAnswerTokens = 4;

// Triton's raw strings have their length before them, in four bytes, the lowest first.
std::string without_length(std::string bytes) {
  std::uint32_t length = 0;
  if (bytes.size() < sizeof(length)) return bytes;
  for (std::size_t i = 0; i < sizeof(length); ++i) {
    length |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  if (bytes.size() == sizeof(length) + length) bytes.erase(0, sizeof(length));
  return bytes;
}

}  // namespace

struct Warmup::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t next = kFirstId;
  bool is_answered = false;
  Status outcome;
};

Warmup::Warmup() : state_(std::make_shared<State>()) {}

ModelRecipe Warmup::wrap(ModelRecipe recipe) const {
  const auto open = [state = state_, inner = std::move(recipe.open)]() -> Result<OpenedModel> {
    QUIRE_ASSIGN_OR_RETURN(OpenedModel opened, inner());
    opened.load = [state, load = std::move(opened.load)](EventSink sink) {
      return load([state, sink = std::move(sink)](StepEvents step) {
        std::erase_if(step.events, [&](const TokenEvent& event) {
          if (event.request.value < kFirstId) return false;
          if (!event.is_last) return true;
          const std::lock_guard lock(state->mutex);
          const bool is_good = event.finish == FinishReason::kStop ||
                               event.finish == FinishReason::kLength ||
                               event.finish == FinishReason::kRepetition;
          state->is_answered = true;
          state->outcome = is_good ? ok_status()
                                   : error(StatusCode::kInternal, "the warm-up ended with '{}' {}",
                                           finish_reason_name(event.finish), event.message);
          state->changed.notify_all();
          return true;
        });
        sink(std::move(step));
      });
    };
    return opened;
  };
  return {std::move(recipe.names), open};
}

Status Warmup::run(const HostedModel& model, const std::vector<ModelWarmup>& warmups,
                   const std::string& folder) const {
  for (const ModelWarmup& warmup : warmups) {
    std::vector<TokenId> prompt;
    if (!warmup.file.empty()) {
      if (warmup.file.find('/') != std::string::npos) {
        return error(StatusCode::kInvalidArgument, "'input_data_file' '{}' is no name of a file",
                     warmup.file);
      }
      QUIRE_ASSIGN_OR_RETURN(const std::string text,
                             read_file(folder + "/warmup/" + warmup.file, kPromptBytesMax));
      QUIRE_ASSIGN_OR_RETURN(prompt, model.tokenizer->encode(without_length(text), {}));
    }
    const std::uint32_t room = std::max<std::uint32_t>(model.info.context_max, kAnswerTokens + 2);
    const std::size_t size = std::min<std::size_t>(warmup.tokens, room - kAnswerTokens - 1);
    for (std::size_t i = 0; prompt.empty() && i < size; ++i) {
      prompt.push_back(static_cast<TokenId>(i % std::max<std::uint32_t>(model.info.vocab, 1)));
    }
    // Every instance is warmed as often as it says.
    const std::size_t instances = model.engine->instances();
    for (std::size_t i = 0; i < warmup.count * instances; ++i) {
      Request request;
      request.params.tokens_max = model.info.generates ? kAnswerTokens : 0;
      request.params.ignore_eos = true;
      request.params.temperature = 0;
      request.is_pooled = !model.info.generates;
      request.prompt = model.info.has_encoder ? model.info.decoder_start : prompt;
      if (model.info.has_encoder) request.encoder_input = prompt;
      std::unique_lock lock(state_->mutex);
      request.id = RequestId{state_->next++};
      state_->is_answered = false;
      lock.unlock();
      QUIRE_RETURN_IF_ERROR(model.engine->submit_at_once(std::move(request), i % instances));
      lock.lock();
      if (!state_->changed.wait_for(lock, kPatience, [&] { return state_->is_answered; })) {
        return error(StatusCode::kInternal, "the warm-up was not answered in {} minutes",
                     kPatience.count());
      }
      QUIRE_RETURN_IF_ERROR(state_->outcome);
    }
  }
  return ok_status();
}

ModelRecipe with_warnings(ModelRecipe recipe, const std::vector<std::string>& warnings) {
  const auto open = [warnings, inner = std::move(recipe.open)]() -> Result<OpenedModel> {
    QUIRE_ASSIGN_OR_RETURN(OpenedModel opened, inner());
    opened.load = [warnings, load = std::move(opened.load)](
                      EventSink sink) -> Result<std::unique_ptr<HostedModel>> {
      QUIRE_ASSIGN_OR_RETURN(std::unique_ptr<HostedModel> model, load(std::move(sink)));
      std::vector<std::string>& told = model->info.warnings;
      told.insert(told.end(), warnings.begin(), warnings.end());
      return model;
    };
    return opened;
  };
  return {std::move(recipe.names), open};
}

}  // namespace quire
