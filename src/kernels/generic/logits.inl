// What a sampler asks of a row of logits: the largest, the sum of exponentials (compensated, lane
// by lane, in one fixed order), and the next value above a threshold.
// Included once per instruction set, after its `vec` definitions (see cpu/*.cc).

float max_value(const float* x, int count) {
  F peak = splat(-std::numeric_limits<float>::infinity());
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) peak = max(load(x + i), peak);
  float largest = max_lane(peak);
  for (; i < count; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

double sum_exp(const float* x, int count, float max) {
  F sum = splat(0), lost = splat(0);
  const F shift = splat(max);
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const F next = exponential(load(x + i) - shift) - lost;  // Kahan's sum
    const F grown = sum + next;
    lost = (grown - sum) - next;
    sum = grown;
  }
  alignas(64) float lane[kLanes];
  double total = 0;
  store(lane, sum);
  for (float part : lane) total += static_cast<double>(part);
  store(lane, lost);
  for (float part : lane) total -= static_cast<double>(part);
  if (i < count) {
    store(lane, exponential(load_partial(x + i, count - i) - shift));
    for (int rest = 0; rest < count - i; ++rest) total += static_cast<double>(lane[rest]);
  }
  return total;
}

int first_above(const float* x, int begin, int count, float threshold) {
  const F limit = splat(threshold);
  int i = begin;
  for (; i + kLanes <= count; i += kLanes) {
    const int bits = bits_above(load(x + i), limit);
    if (bits != 0) return i + __builtin_ctz(static_cast<unsigned>(bits));
  }
  while (i < count && !(x[i] > threshold)) ++i;
  return i;
}
