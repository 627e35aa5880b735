#include "formats/quantize/scale_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <cstring>

#include "base/check.h"

namespace quire {
namespace {

constexpr std::size_t kValuesMax = 64;
constexpr std::size_t kLanes = 4;

// Sums side by side: the same in every build, whatever the compiler makes of it.
using Four = float __attribute__((vector_size(kLanes * sizeof(float))));

Four four_at(const std::array<float, kValuesMax>& values, std::size_t at) {
  Four four;
  std::memcpy(&four, values.data() + at, sizeof four);
  return four;
}

double sum_of(const Four& four) {
  return (double{four[0]} + four[1]) + (double{four[2]} + four[3]);
}

// Values, how much the error of each counts, and what stays the same whatever the codes are.
struct Weighed {
  std::array<float, kValuesMax> x, weight;  // zeros behind the last
  std::size_t count;                        // whole lanes
  double one = 0, wx = 0, wxx = 0;

  explicit Weighed(std::span<const float> values) {
    QUIRE_CHECK(!values.empty() && values.size() <= kValuesMax, "{} values", values.size());
    count = (values.size() + kLanes - 1) / kLanes * kLanes;
    x.fill(0);
    weight.fill(0);
    double squares = 0;
    for (const float value : values) squares += double{value} * value;
    const auto typical =
        static_cast<float>(std::sqrt(squares / static_cast<double>(values.size())));
    for (std::size_t i = 0; i < values.size(); ++i) {
      x[i] = values[i];
      weight[i] = typical + std::fabs(values[i]);
      one += weight[i];
      wx += double{weight[i]} * x[i];
      wxx += double{weight[i]} * x[i] * x[i];
    }
  }
};

// Weighted sums of codes q: with those of Weighed all that the best scale and its error depend on.
struct Sums {
  double q = 0, qq = 0, qx = 0;
};

// `round` makes a code of a value, as a float.
template <typename Round>
Sums sums_of(const Weighed& values, Round round) {
  std::array<float, kValuesMax> codes;
  for (std::size_t i = 0; i < values.count; ++i) codes[i] = round(values.x[i]);
  Four q{}, qq{}, qx{};
  for (std::size_t i = 0; i < values.count; i += kLanes) {
    const Four code = four_at(codes, i);
    const Four weighed = four_at(values.weight, i) * code;
    q += weighed;
    qq += weighed * code;
    qx += weighed * four_at(values.x, i);
  }
  return {sum_of(q), sum_of(qq), sum_of(qx)};
}

float whole(float value) {
  constexpr float kShift = 12582912.0f;  // as in nearest()
  return (value + kShift) - kShift;
}

// The best of x = scale * q - minimum, the minimum not below zero.
ScaleAndMinimum solve(const Weighed& values, const Sums& sums) {
  const double determinant = values.one * sums.qq - sums.q * sums.q;
  if (determinant > 0) {
    const double scale = (values.one * sums.qx - values.wx * sums.q) / determinant;
    const double minimum = (sums.q * sums.qx - sums.qq * values.wx) / determinant;
    if (minimum >= 0 && scale > 0) {
      return {static_cast<float>(scale), static_cast<float>(minimum)};
    }
  }
  const double scale = sums.qq > 0 ? std::max(sums.qx / sums.qq, 0.0) : 0.0;
  return {static_cast<float>(scale), 0};
}

double error_of(const Weighed& values, const Sums& sums, const ScaleAndMinimum& fit) {
  const double scale = fit.scale, minimum = fit.minimum;
  return values.wxx + scale * scale * sums.qq + minimum * minimum * values.one -
         2 * scale * sums.qx + 2 * minimum * values.wx - 2 * scale * minimum * sums.q;
}

float extreme_of(std::span<const float> values) {
  return *std::max_element(values.begin(), values.end(),
                           [](float a, float b) { return std::fabs(a) < std::fabs(b); });
}

// Keeps the scale that takes most from the error.
class BestScale {
 public:
  explicit BestScale(float scale) : scale_(scale) {}
  void offer(const Sums& sums) {
    if (sums.qq <= 0) return;
    const double gain = sums.qx * sums.qx / sums.qq;
    if (gain <= gain_) return;
    gain_ = gain;
    scale_ = static_cast<float>(sums.qx / sums.qq);
  }
  float scale() const { return scale_; }

 private:
  float scale_;
  double gain_ = 0;
};

}  // namespace

ScaleAndMinimum fit_scale_and_minimum(std::span<const float> values, int code_max) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const float low = std::min(*least, 0.0f), range = *most - low;
  if (range <= 0) return {0, -low};
  const Weighed weighed(values);
  const auto highest = static_cast<float>(code_max);
  ScaleAndMinimum best{range / highest, -low};
  double least_error = std::numeric_limits<double>::infinity();
  for (int step = -10; step <= 10; ++step) {  // tenths of a code more or less over the range
    const float per_value = (highest + 0.1f * static_cast<float>(step)) / range;
    if (!std::isfinite(per_value)) break;
    const Sums sums = sums_of(weighed, [&](float x) {
      return std::min(whole(per_value * (x - low)), highest);
    });
    const ScaleAndMinimum fit = solve(weighed, sums);
    const double error = error_of(weighed, sums, fit);
    if (!(error < least_error)) continue;
    least_error = error;
    best = fit;
  }
  return best;
}

float fit_scale(std::span<const float> values, int limit) {
  const float extreme = extreme_of(values);
  if (extreme == 0) return 0;
  const Weighed weighed(values);
  const auto lowest = static_cast<float>(-limit), highest = static_cast<float>(limit - 1);
  BestScale best(extreme / lowest);
  for (int step = -9; step <= 9; ++step) {
    const float per_value = (lowest + 0.1f * static_cast<float>(step)) / extreme;
    if (!std::isfinite(per_value)) break;
    best.offer(sums_of(weighed, [&](float x) {
      return std::min(std::max(whole(per_value * x), lowest), highest);
    }));
  }
  return best.scale();
}

int nearest_in_table(float value, std::span<const std::int8_t, 16> table) {
  int code = 0;  // as many as there are middles below the value
  for (std::size_t i = 0; i < 15; ++i) {
    code += value > 0.5f * static_cast<float>(table[i] + table[i + 1]);
  }
  return code;
}

float fit_scale_of_table(std::span<const float> values, std::span<const std::int8_t, 16> table) {
  const float extreme = extreme_of(values);
  if (extreme == 0) return 0;
  const Weighed weighed(values);
  const auto lowest = static_cast<float>(table[0]);
  BestScale best(extreme / lowest);
  for (int step = -7; step <= 7; ++step) {
    const float per_value = (lowest + static_cast<float>(step)) / extreme;
    if (!std::isfinite(per_value)) break;
    best.offer(sums_of(weighed, [&](float x) {
      const int code = nearest_in_table(per_value * x, table);
      return static_cast<float>(table[static_cast<std::size_t>(code)]);
    }));
  }
  return best.scale();
}

}  // namespace quire
