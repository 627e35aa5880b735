// What may happen to the scores of a tile before the softmax: a soft cap (Gemma 2), a slope over
// the distance (Press et al., "Train Short, Test Long", 2021: ALiBi) and a bias per distance (T5).
// The softmax never looks at scores outside of the query's range; biases there are not read.
// Included once per instruction set, after softmax.inl (see cpu/*.cc).

inline int query_position(const AttentionTask& task, int query) {
  return (task.query_positions != nullptr ? task.query_positions : task.positions)[query];
}

inline bool has_shaped_scores(const AttentionTask& task) {
  return task.softcap != 0 || task.slopes != nullptr || task.biases != nullptr;
}

void shape_scores(const AttentionTask& task, int query, Range range, int tile_position,
                  float* scores) {
  if (range.is_empty()) return;
  const int distance = tile_position - query_position(task, query);  // of the tile's first token
  if (task.softcap != 0) soft_cap(task.softcap, scores, kTileTokens, scores);
  if (task.slopes != nullptr) {
    const F slope = splat(task.slopes[query]);
    for (int i = 0; i < kTileTokens; i += kLanes) {
      const F at = lane_numbers() + splat(static_cast<float>(distance + i));
      store(scores + i, fma(at, slope, load(scores + i)));
    }
  }
  if (task.biases != nullptr) {
    const float* bias = task.biases[query] + distance;
    for (int i = range.low; i < range.high; ++i) scores[i] += bias[i];
  }
}
