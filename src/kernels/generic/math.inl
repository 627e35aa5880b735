// exp and what is made of it as polynomials over `vec`: no library calls, the same bits in every
// build. NaN stays NaN in all of them.
// exponential: relative error below 3e-7 on [-87.3, 88.3]; 0 below, infinity above.
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

inline F sigmoid(F x) { return splat(1.0f) / (splat(1.0f) + exponential(splat(0.0f) - x)); }

inline F magnitude(F x) { return max(splat(0.0f) - x, x); }

template <int kCount>
inline F polynomial(F x, const float (&coefficients)[kCount]) {  // the highest power first
  F y = splat(coefficients[0]);
#pragma GCC unroll 8
  for (int i = 1; i < kCount; ++i) y = fma(y, x, splat(coefficients[i]));
  return y;
}

// Near zero an odd polynomial, so that small values keep their precision; else by way of exp(2x).
inline F hyperbolic_tangent(F x) {
  static constexpr float kOdd[] = {-6.062241614e-3f, 2.097502235e-2f, -5.384669782e-2f,
                                   1.333274646e-1f, -3.333332878e-1f};
  const F square = x * x, size = magnitude(x);
  const F near = fma(x * square, polynomial(square, kOdd), x);
  const F far = splat(1.0f) - splat(2.0f) / (exponential(size + size) + splat(1.0f));
  const F signed_far = select_less(x, splat(0.0f), splat(0.0f) - far, far);
  return select_less(size, splat(0.625f), near, signed_far);
}

// An odd polynomial up to 1; beyond, 1 - exp(-p) where p approximates -log(erfc), up to 4.
inline F error_function(F x) {
  static constexpr float kOdd[] = {7.889123183e-5f,   -8.020842374e-4f, 5.189535462e-3f,
                                   -2.685444466e-2f,  1.128360018e-1f,  -3.761262714e-1f,
                                   1.128379166f};
  static constexpr float kTail[] = {-1.855739339e-4f, 2.939606564e-3f, -2.180531539e-2f,
                                    1.030373627e-1f,  6.382256841e-1f, 1.127040032f,
                                    3.537204703e-4f};
  const F size = magnitude(x);
  const F near = x * polynomial(x * x, kOdd);
  const F tail = polynomial(min(splat(4.0f), size), kTail);
  const F far = splat(1.0f) - exponential(splat(0.0f) - tail);
  const F signed_far = select_less(x, splat(0.0f), splat(0.0f) - far, far);
  return select_less(size, splat(1.0f), near, signed_far);
}

// log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)), and log1p(u) = 2 atanh(u / (2 + u)).
inline F softplus(F x) {
  static constexpr float kOdd[] = {2.819154718e-1f, 2.795766580e-1f, 4.002511432e-1f,
                                   6.666631014e-1f, 2.000000008f};
  const F u = exponential(splat(0.0f) - magnitude(x));
  const F s = u / (splat(2.0f) + u);
  return fma(s, polynomial(s * s, kOdd), max(splat(0.0f), x));
}

// 0.5 x (1 + tanh(y)) = x / (1 + exp(-2y)) with y = sqrt(2 / pi) (x + 0.044715 x^3)
inline F gelu_tanh(F x) {
  const F y = x * fma(x * x, splat(-0.0713548163f), splat(-1.59576912f));
  return x / (splat(1.0f) + exponential(y));
}

inline F gelu(F x) {
  const F half = x * splat(0.5f);
  return fma(half, error_function(x * splat(0.707106781f)), half);
}

inline F relu(F x) { return max(splat(0.0f), x); }
inline F relu_squared(F x) { return relu(x) * relu(x); }
