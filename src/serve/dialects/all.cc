#include "serve/dialects/all.h"

#include "serve/dialects/anthropic/anthropic.h"
#include "serve/dialects/kserve/kserve.h"
#include "serve/dialects/ollama/ollama.h"
#include "serve/dialects/openai/openai.h"
#include "serve/dialects/quire/quire.h"
#include "serve/dialects/tgi/tgi.h"
#include "serve/dialects/vllm/vllm.h"

namespace quire {
namespace {

const Dialect* const kAll[] = {
    &kOpenAiDialect,
    &kAnthropicDialect,
    &kVllmDialect,
    &kKserveDialect,
    &kTgiDialect,
    &kOllamaDialect,
    &kQuireDialect,
};

}  // namespace

std::span<const Dialect* const> all_dialects() { return kAll; }

}  // namespace quire
