// exp and SiLU as polynomials over `vec`: no library calls, the same bits in every build.
// exponential: relative error below 3e-7 on [-87.3, 88.3]; 0 below, infinity above, NaN stays NaN.
// Included once per instruction set, after its `vec` definitions (see cpu/*.cc).

inline F exponential(F x) {
  const F lowest = splat(-87.33654f), highest = splat(88.3762626647949f);
  // The clamped operand goes second: a NaN there survives max and min.
  const F clamped = min(highest, max(lowest, x));
  const I n = round_to_int(clamped * splat(1.44269504088896341f));
  const F nf = to_float(n);
  F r = fma(nf, splat(-0.693359375f), clamped);  // exact: few bits in the constant
  r = fma(nf, splat(2.12194440e-4f), r);
  F p = splat(1.9875691500e-4f);
  p = fma(p, r, splat(1.3981999507e-3f));
  p = fma(p, r, splat(8.3334519073e-3f));
  p = fma(p, r, splat(4.1665795894e-2f));
  p = fma(p, r, splat(1.6666665459e-1f));
  p = fma(p, r, splat(5.0000001201e-1f));
  p = fma(p, r * r, r + splat(1.0f));
  const F power = as_float(shift_left<23>(add(n, splat_int(127))));
  F y = p * power;
  y = select_less(x, lowest, splat(0.0f), y);
  return select_less(highest, x, splat(std::numeric_limits<float>::infinity()), y);
}

inline F silu(F x) { return x / (splat(1.0f) + exponential(splat(0.0f) - x)); }

void silu_mul(const float* gate, const float* up, int count, float* out) {
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) store(out + i, silu(load(gate + i)) * load(up + i));
  if (i < count) {
    const int rest = count - i;
    store_partial(out + i, silu(load_partial(gate + i, rest)) * load_partial(up + i, rest), rest);
  }
}
