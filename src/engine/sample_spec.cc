#include "engine/sample_spec.h"

#include <algorithm>

#include "base/check.h"

namespace quire {
namespace {

// Prompt and generated tokens, and for a row that verifies drafts those too.
std::span<const TokenId> text_of_row(const StepPlan& plan, const StepRow& row, const Sequence& seq,
                                     SpecStorage& storage) {
  const std::uint32_t end = row.first_position + row.tokens.count;
  if (end <= seq.known()) return seq.tokens;
  std::vector<TokenId>& text = storage.emplace_back(seq.tokens);
  const auto fed = std::span(plan.tokens).subspan(row.tokens.begin, row.tokens.count);
  QUIRE_CHECK(end - seq.known() <= row.drafts, "sequence {}: a row to {} of {} tokens, {} drafts",
              seq.id.value, end, seq.known(), row.drafts);
  const auto drafts = fed.last(end - seq.known());
  text.insert(text.end(), drafts.begin(), drafts.end());
  return text;
}

std::span<const TokenId> stop_tokens(const SamplingParams& params,
                                     const std::vector<TokenId>& eos_ids, SpecStorage& storage) {
  if (params.stop_ids.empty()) return eos_ids;
  std::vector<TokenId>& banned = storage.emplace_back(eos_ids);
  banned.insert(banned.end(), params.stop_ids.begin(), params.stop_ids.end());
  std::sort(banned.begin(), banned.end());
  banned.erase(std::unique(banned.begin(), banned.end()), banned.end());
  return banned;
}

// The last tokens of bad sequences whose other tokens stand at the end of what is generated.
void add_bad_ends(const SamplingParams& params, std::span<const TokenId> generated,
                  SampleRow& sample, SpecStorage& storage) {
  std::vector<TokenId> ends;
  for (const std::vector<TokenId>& bad : params.bad_sequences) {
    const std::size_t before = bad.size() - 1;
    const bool is_near = generated.size() >= before &&
                         std::equal(bad.begin(), bad.end() - 1, generated.end() - before);
    if (is_near) ends.push_back(bad.back());
  }
  if (ends.empty()) return;
  ends.insert(ends.end(), sample.banned.begin(), sample.banned.end());
  sample.banned = storage.emplace_back(std::move(ends));
}

}  // namespace

SampleSpec build_sample_spec(const StepPlan& plan, const Scheduler& scheduler,
                             const std::vector<TokenId>& eos_ids, SpecStorage& storage) {
  SampleSpec spec;
  spec.rows.reserve(plan.logits_rows());
  for (const StepRow& row : plan.rows) {
    if (row.want_last == 0) continue;
    const Sequence* seq = scheduler.find(row.seq);
    if (seq == nullptr || seq->has_ended()) {
      spec.rows.insert(spec.rows.end(), row.want_last, SampleRow{.is_discarded = true});
      continue;
    }
    const Request& request = *seq->request;
    const auto text = text_of_row(plan, row, *seq, storage);
    QUIRE_CHECK(row.first_position + row.tokens.count <= text.size() &&
                    row.want_last <= row.tokens.count,
                "sequence {}: {} of {} tokens wanted, to {} of {}", row.seq.value, row.want_last,
                row.tokens.count, row.first_position + row.tokens.count, text.size());
    for (std::uint32_t index = 0; index < row.want_last; ++index) {
      SampleRow& sample = spec.rows.emplace_back();
      sample.position = row.first_position + row.tokens.count - row.want_last + index + 1;
      sample.params = &request.params;
      sample.history = text.first(sample.position);
      sample.prompt_count = std::min(seq->prompt_count, sample.position);
      sample.stream = static_cast<std::uint64_t>(request.branch_first + seq->branch);
      if (sample.position < seq->prompt_count) {
        sample.target = seq->tokens[sample.position];
        sample.logprobs = request.params.prompt_logprobs;
        continue;
      }
      sample.logprobs = request.params.logprobs;
      const std::uint32_t generated = sample.position - seq->prompt_count;
      if (static_cast<int>(generated) < request.params.tokens_min) {
        sample.banned = stop_tokens(request.params, eos_ids, storage);
      }
      sample.mask = request.params.allowed;
      if (!request.params.bad_sequences.empty()) {
        add_bad_ends(request.params, sample.history.subspan(seq->prompt_count), sample, storage);
      }
    }
  }
  return spec;
}

}  // namespace quire
