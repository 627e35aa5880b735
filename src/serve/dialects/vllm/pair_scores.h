// Pairs of texts and their scores: a ranker reads each pair as one sequence; an embedding model
// reads each text once, and a pair's score is the cosine of its two vectors. What rerank and score
// share. The reading: pure; worker threads. Used by rerank and score.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "serve/dialects/openai/pooled/pooled_request.h"

namespace quire {

// A list of texts and what errors call each: "documents[3]".
struct NamedTexts {
  std::string field;
  std::vector<std::string_view> texts;
  bool is_list = false;

  std::string name(std::size_t i) const;
};

// A text, or a list of texts or objects {"text": ...}. Mistakes go to `fields`.
NamedTexts read_texts(Fields& fields, const char* name);

struct PairedCall {
  struct Pair {
    std::size_t first = 0, second = 0;  // requests; equal for a ranker
  };
  Call call;  // without a writer
  std::vector<Pair> pairs;
};

// Each of `firsts` with the `seconds` of its place, or one of them with all.
Parsed<PairedCall> pair_up(const DialectContext& context, const PooledTexts& texts,
                           const NamedTexts& firsts, const NamedTexts& seconds);

// Whether a score is what the model's files would have it be, or as the model gives it.
bool read_activation(Fields& fields);

std::vector<float> scores_of(const PooledInfo& info, PooledVectors& vectors,
                             const std::vector<PairedCall::Pair>& pairs, bool is_activated);

}  // namespace quire
