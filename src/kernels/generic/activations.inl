// What happens to activations between products: quantization to int8 groups, rounding to 16 bits
// and rotary positions. One token (or head) per call.
// Included once per instruction set, after its `vec` definitions (see cpu/*.cc).

void quantize_int8(const float* x, int columns, ActivationBlock* out) {
  for (int group = 0; group < columns / 32; ++group, x += 32, ++out) {
    I peak = splat_int(0);  // as bits, so that a NaN is the largest of all
    for (int i = 0; i < 32; i += kLanes) peak = max_int(peak, abs_bits(load(x + i)));
    const std::int32_t bits = max_lane(peak);
    float largest;
    std::memcpy(&largest, &bits, sizeof largest);
    const bool is_tiny = largest < 1e-30f;  // the inverse would not be finite: all codes zero
    const float scale = is_tiny ? 0.0f : largest / kActivationPeak;
    const F inverse = splat(is_tiny ? 0.0f : kActivationPeak / largest);
    I sums[2] = {splat_int(0), splat_int(0)};
    const bool is_finite = bits < 0x7F800000;
    for (int i = 0; i < 32; i += kLanes) {
      const I codes = is_finite ? round_to_int(load(x + i) * inverse) : splat_int(0);
      store_codes(out->codes + i, codes);
      sums[i / 16] = add(sums[i / 16], codes);
    }
    const int first = sum_lanes(sums[0]);
    const int total = first + sum_lanes(sums[1]);
    // A zero sum must not hide a group that is not finite.
    out->scale = is_finite ? scale : std::numeric_limits<float>::quiet_NaN();
    out->scaled_sum = out->scale * static_cast<float>(total);
    out->offset_sum = -128 * total;
    out->offset_sum_first = -128 * first;
  }
}

void quantize_token(const float* x, int columns, float scale, ChannelToken* out) {
  I peak = splat_int(0);  // as bits, so that a NaN is the largest of all
  int i = 0;
  for (; i + kLanes <= columns; i += kLanes) peak = max_int(peak, abs_bits(load(x + i)));
  if (i < columns) peak = max_int(peak, abs_bits(load_partial(x + i, columns - i)));
  const std::int32_t bits = max_lane(peak);
  float largest;
  std::memcpy(&largest, &bits, sizeof largest);
  const bool is_finite = bits < 0x7F800000;
  // The inverse of a tiny scale would not be finite, and that of a NaN would reach the codes.
  const bool is_zero = !is_finite || (scale == 0 && largest < 1e-30f);
  const float inverse = is_zero ? 0.0f : scale == 0 ? 127 / largest : 1 / scale;
  I sum = splat_int(0);
  const auto put = [&](int at, F value) {
    const F code = min(max(value * splat(inverse), splat(-127)), splat(127));
    const I rounded = is_zero ? splat_int(0) : round_to_int(code);
    store_codes(out->codes() + at, rounded);
    sum = add(sum, rounded);
  };
  for (i = 0; i + kLanes <= columns; i += kLanes) put(i, load(x + i));
  if (i < columns) {
    put(i, load_partial(x + i, columns - i));
    i += kLanes;
  }
  const int padded = (columns + 63) / 64 * 64;
  std::memset(out->codes() + i, 0, static_cast<std::size_t>(padded - i));
  if (scale == 0) scale = is_zero ? 0.0f : largest / 127;
  out->scale = is_finite ? scale : std::numeric_limits<float>::quiet_NaN();
  out->negative_sum = -sum_lanes(sum);
}

template <void (*kStore)(std::uint16_t*, F)>
void narrow(const float* x, int count, std::uint16_t* out) {
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) kStore(out + i, load(x + i));
  if (i < count) {
    std::uint16_t rest[kLanes];
    kStore(rest, load_partial(x + i, count - i));
    std::memcpy(out + i, rest, static_cast<std::size_t>(count - i) * sizeof rest[0]);
  }
}

inline void rotate_pair(float& a, float& b, float cosine, float sine) {
  const float rotated = a * cosine - b * sine;
  b = a * sine + b * cosine;
  a = rotated;
}

void rope(float* x, const float* cosines, const float* sines, int dim, bool adjacent) {
  const int half = dim / 2;
  if (adjacent) {
    for (int i = 0; i < half; ++i) rotate_pair(x[2 * i], x[2 * i + 1], cosines[i], sines[i]);
  } else {
    for (int i = 0; i < half; ++i) rotate_pair(x[i], x[i + half], cosines[i], sines[i]);
  }
}
