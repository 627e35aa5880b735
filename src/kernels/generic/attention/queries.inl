// The queries of a task as int8 codes with one scale each, made once per split: what meets keys
// that are codes. Their sums undo offsets of the keys: of the whole head, and of every 32 values.
// Included once per instruction set, after softmax.inl (see cpu/*.cc).

// The largest |x| as bits, so that a NaN is the largest of all.
inline std::int32_t largest_bits(const float* x, int count) {
  I peak = splat_int(0);
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) peak = max_int(peak, abs_bits(load(x + i)));
  if (i < count) peak = max_int(peak, abs_bits(load_partial(x + i, count - i)));
  return max_lane(peak);
}

float quantize_head(const float* x, int count, std::int8_t* codes);

// Nothing where the keys are floats.
struct QueryCodes {
  std::int8_t* codes = nullptr;  // [queries, padded], zeros behind each
  float* scales = nullptr;       // [queries]
  std::int32_t* sums = nullptr;  // [queries] of codes; of keys of 4 bits [queries, groups]

  // REQUIRES: groups divides padded, which is k_dim or more.
  void make(const AttentionTask& task, int padded, int groups) {
    codes = reinterpret_cast<std::int8_t*>(task.scratch);
    scales = task.scratch + task.queries * padded / 4;
    sums = reinterpret_cast<std::int32_t*>(scales + task.queries);
    for (int query = 0; query < task.queries; ++query) {
      std::int8_t* to = codes + query * padded;
      const float* from = task.q + static_cast<std::ptrdiff_t>(query) * task.k_dim;
      scales[query] = quantize_head(from, task.k_dim, to);
      for (int d = task.k_dim; d < padded; ++d) to[d] = 0;
      for (int group = 0; group < groups; ++group) {
        const int width = padded / groups;
        int sum = 0;
        for (int d = group * width; d < (group + 1) * width; ++d) sum += to[d];
        sums[query * groups + group] = sum;
      }
    }
  }
};
