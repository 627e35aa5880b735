// Vectors: the pooled rows of one call as they come, and what is made of them: length one, a cut to
// the first columns, probabilities of labels, a score of a pair, the cosine of two.
// PooledVectors: one call; I/O thread. The rest is pure. Used by dialects.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/events.h"
#include "host/hosted_model.h"

namespace quire {

class PooledVectors {
 public:
  explicit PooledVectors(std::size_t requests) : vectors_(requests) {}

  void take(std::size_t request, const TokenEvent& event);
  std::size_t count() const { return vectors_.size(); }
  std::vector<float>& operator[](std::size_t request) { return vectors_[request]; }
  std::uint64_t tokens() const { return tokens_; }  // that were read

 private:
  std::vector<std::vector<float>> vectors_;  // [requests][width]
  std::uint64_t tokens_ = 0;
};

// To length one; zeros stay.
void normalise(std::vector<float>& vector);

// Two vectors of one width. Zeros are like nothing.
float cosine(std::span<const float> a, std::span<const float> b);

// What a classifier's scores mean: a share for each label, or, where labels do not exclude each
// other or there is one, the chance of each.
void make_probabilities(const PooledInfo& info, std::vector<float>& scores);

// Of a ranker: a chance, unless its files ask for the score as it is.
float pair_score(const PooledInfo& info, float score);

}  // namespace quire
