// Softmax states: emptied, folded from split to split (always in order of the splits, from an empty
// state: what a query sees decides, not who computes), and divided into the result.
// Included once per instruction set, before the other parts of attention (see cpu/*.cc).

void attention_clear(const AttentionState& state, int queries, int v_dim) {
  const int values = queries * attention_padded_dim(v_dim);
  for (int i = 0; i < values; i += kLanes) store(state.values + i, splat(0));
  for (int i = 0; i < queries; ++i) {
    state.peaks[i] = -std::numeric_limits<float>::infinity();
    state.sums[i] = 0;
  }
}

// The factors of up to kLanes queries come from two vector exps.
inline void fold_some(const AttentionState& total, const AttentionState& next, int first, int count,
                      int padded) {
  const F was = load_partial(total.peaks + first, count);
  const F is = load_partial(next.peaks + first, count);
  const F peak = select_less(was, is, is, was);
  alignas(64) float before[kLanes], after[kLanes], peaks[kLanes];
  store(before, exponential(was - peak));
  store(after, exponential(is - peak));
  store(peaks, peak);
  for (int i = 0; i < count; ++i) {
    const int query = first + i;
    float* to = total.values + static_cast<std::ptrdiff_t>(query) * padded;
    const float* from = next.values + static_cast<std::ptrdiff_t>(query) * padded;
    if (next.sums[query] == 0) continue;  // the query sees nothing of this split
    if (total.sums[query] == 0) {         // the first that it sees
      for (int d = 0; d < padded; d += kLanes) store(to + d, load(from + d));
      total.peaks[query] = next.peaks[query];
      total.sums[query] = next.sums[query];
      continue;
    }
    const F keep = splat(before[i]), take = splat(after[i]);
    for (int d = 0; d < padded; d += kLanes) {
      store(to + d, fma(load(from + d), take, load(to + d) * keep));
    }
    total.peaks[query] = peaks[i];
    total.sums[query] = total.sums[query] * before[i] + next.sums[query] * after[i];
  }
}

void attention_fold(const AttentionState& total, const AttentionState& next, int queries,
                    int v_dim) {
  const int padded = attention_padded_dim(v_dim);
  for (int first = 0; first < queries; first += kLanes) {
    const int rest = queries - first;
    fold_some(total, next, first, rest < kLanes ? rest : kLanes, padded);
  }
}

// A sink is one more score that has no value: it joins the sum of weights, under the larger peak.
inline void add_sink(float sink, float peak, float sum, float& factor, float& total) {
  const float top = sink > peak ? sink : peak;
  if (top == -std::numeric_limits<float>::infinity()) return;  // nothing was seen, and no sink
  alignas(64) float shifted[kLanes] = {peak - top, sink - top};
  store(shifted, exponential(load(shifted)));
  factor = shifted[0];
  total = sum * shifted[0] + shifted[1];
}

void attention_finish(const AttentionState& state, const float* sinks, int queries, int v_dim,
                      float* out) {
  const int padded = attention_padded_dim(v_dim);
  for (int query = 0; query < queries; ++query, out += v_dim) {
    const float* values = state.values + static_cast<std::ptrdiff_t>(query) * padded;
    float sum = state.sums[query], kept = 1;
    if (sinks != nullptr) add_sink(sinks[query], state.peaks[query], sum, kept, sum);
    const F total = splat(sum), factor = splat(kept);
    int d = 0;
    for (; d + kLanes <= v_dim; d += kLanes) store(out + d, load(values + d) * factor / total);
    if (d < v_dim) {
      store_partial(out + d, load_partial(values + d, v_dim - d) * factor / total, v_dim - d);
    }
  }
}
