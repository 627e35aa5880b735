#include "serve/dialects/all.h"

#include "serve/dialects/openai/openai.h"
#include "serve/dialects/quire/quire.h"
#include "serve/dialects/vllm/vllm.h"

namespace quire {
namespace {

const Dialect* const kAll[] = {
    &kOpenAiDialect,
    &kVllmDialect,
    &kQuireDialect,
};

}  // namespace

std::span<const Dialect* const> all_dialects() { return kAll; }

}  // namespace quire
