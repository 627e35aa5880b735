// What a sampler asks of a row of logits: the largest, the sum of exponentials (compensated, lane
// by lane, in one fixed order), the next value above a threshold, and the random words of a draw.
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

void softmax(const float* x, int count, float* out) {
  const F peak = splat(max_value(x, count));
  for_each_vector(count, [&](int i, auto at) {
    at.write(out + i, exponential(at.read(x + i) - peak));
  });
  const F total = splat(sum_of(out, count, [&](F sum, F value) { return sum + value; }));
  for_each_vector(count, [&](int i, auto at) { at.write(out + i, at.read(out + i) / total); });
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

std::uint32_t philox_words(std::uint64_t seed, std::uint64_t position, std::uint64_t stream,
                           int groups, std::uint32_t* words) {
  std::uint32_t largest = 0;
  for (int g = 0; g < groups; ++g) {  // groups are lanes: the rounds are unrolled around them
    const auto own = static_cast<std::uint32_t>(stream) + static_cast<std::uint32_t>(g);
    std::uint32_t a = static_cast<std::uint32_t>(position);
    std::uint32_t b = static_cast<std::uint32_t>(position >> 32);
    std::uint32_t c = own;
    std::uint32_t d = static_cast<std::uint32_t>(stream >> 32);
    std::uint32_t key0 = static_cast<std::uint32_t>(seed);
    std::uint32_t key1 = static_cast<std::uint32_t>(seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {  // as base/philox.h
      const std::uint64_t p = std::uint64_t{0xD2511F53} * a, q = std::uint64_t{0xCD9E8D57} * c;
      a = static_cast<std::uint32_t>(q >> 32) ^ b ^ key0;
      b = static_cast<std::uint32_t>(q);
      c = static_cast<std::uint32_t>(p >> 32) ^ d ^ key1;
      d = static_cast<std::uint32_t>(p);
      key0 += 0x9E3779B9;
      key1 += 0xBB67AE85;
    }
    words[g] = a;
    words[groups + g] = b;
    words[2 * groups + g] = c;
    words[3 * groups + g] = d;
    const std::uint32_t ab = a > b ? a : b, cd = c > d ? c : d, all = ab > cd ? ab : cd;
    largest = all > largest ? all : largest;
  }
  return largest;
}
