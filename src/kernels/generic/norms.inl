// Norms of one row (a token, a head or a group of channels). Sums are 32 side by side, whatever the
// number of lanes. The statistics are those of the values as they are given, in float32.
// Included once per instruction set, after gates.inl (see cpu/*.cc).

void rmsnorm(const float* x, const float* weight, float eps, int count, float* out) {
  F sums[kSumVectors];
  for (F& sum : sums) sum = splat(0);
  for (int begin = 0; begin < count; begin += kSideBySide) {
    for (int v = 0; v < kSumVectors; ++v) {
      const int i = begin + v * kLanes, rest = count - i;
      if (rest <= 0) break;
      const F value = rest < kLanes ? load_partial(x + i, rest) : load(x + i);
      sums[v] = fma(value, value, sums[v]);
    }
  }
  int i = 0;
  const float mean = sum_side_by_side(sums) / static_cast<float>(count);
  const F scale = splat(1.0f) / square_root(splat(mean + eps));
  for (; i + kLanes <= count; i += kLanes) {
    store(out + i, load(x + i) * scale * load(weight + i));
  }
  if (i < count) {
    const int rest = count - i;
    const F y = load_partial(x + i, rest) * scale * load_partial(weight + i, rest);
    store_partial(out + i, y, rest);
  }
}

// Adds f(vector) of all elements, a multiple of kLanes apart; lanes behind the end count nothing.
template <typename Function>
inline float sum_of(const float* x, int count, const Function& add_to) {
  F sums[kSumVectors];
  for (F& sum : sums) sum = splat(0);
  for (int begin = 0; begin < count; begin += kSideBySide) {
    for (int v = 0; v < kSumVectors; ++v) {
      const int i = begin + v * kLanes, rest = count - i;
      if (rest <= 0) break;
      if (rest >= kLanes) {
        sums[v] = add_to(sums[v], load(x + i));
      } else {
        const F sum = add_to(sums[v], load_partial(x + i, rest));
        sums[v] = select_less(lane_numbers(), splat(static_cast<float>(rest)), sum, sums[v]);
      }
    }
  }
  return sum_side_by_side(sums);
}

void layernorm(const float* x, const float* weight, const float* bias, float eps, int count,
               float* out) {
  const auto n = static_cast<float>(count);
  const F mean = splat(sum_of(x, count, [&](F sum, F value) { return sum + value; }) / n);
  const float variance = sum_of(x, count, [&](F sum, F value) {
    const F distance = value - mean;
    return fma(distance, distance, sum);
  }) / n;
  const F scale = splat(1.0f) / square_root(splat(variance + eps));
  for_each_vector(count, [&](int i, auto at) {
    F y = (at.read(x + i) - mean) * scale;
    if (weight != nullptr) y = y * at.read(weight + i);
    if (bias != nullptr) y = y + at.read(bias + i);
    at.write(out + i, y);
  });
}

void l2norm(const float* x, float eps, float scale, int count, float* out) {
  const float sum = sum_of(x, count, [&](F sum, F value) { return fma(value, value, sum); });
  const F factor = splat(scale) / square_root(splat(sum + eps));
  for_each_vector(count, [&](int i, auto at) { at.write(out + i, at.read(x + i) * factor); });
}

void rmsnorm_gated(const float* x, const float* gate, const float* weight, float eps, int count,
                   bool is_gate_first, float* out) {
  if (is_gate_first) {
    silu_mul(gate, x, count, out);
    rmsnorm(out, weight, eps, count, out);
  } else {
    rmsnorm(x, weight, eps, count, out);
    silu_mul(gate, out, count, out);
  }
}
