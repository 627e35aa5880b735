#include "backend/cpu/far_angles.h"

#include <cmath>

#include "base/check.h"

namespace quire {

void FarAngles::reach(const Rope& rope, int position) {
  const int rows = rope_rows(rope);
  if (position < rows) return;
  const auto half = static_cast<std::size_t>(rope.dims / 2);
  QUIRE_CHECK(rope.frequencies.size() == half, "position {} is behind {} angles, {} frequencies",
              position, rows, rope.frequencies.size());
  Whole& whole = turns_[rope.cosines.values.get()];
  if (whole.frequencies != rope.frequencies) whole = {rope.frequencies, {}, {}};
  const auto wanted = static_cast<std::size_t>(position / rows) + 1;
  for (std::size_t row = whole.cosines.size() / half; row < wanted; ++row) {
    const double from = static_cast<double>(row) * rows;
    for (const double frequency : rope.frequencies) {
      whole.cosines.push_back(static_cast<float>(std::cos(from * frequency)));
      whole.sines.push_back(static_cast<float>(std::sin(from * frequency)));
    }
  }
}

Angles FarAngles::of(const Rope& rope, int position, float* room) const {
  const int rows = rope_rows(rope), half = rope.dims / 2;
  const std::ptrdiff_t near = static_cast<std::ptrdiff_t>(position % rows) * half;
  const float* cosines = rope.cosines.values.get() + near;
  const float* sines = rope.sines.values.get() + near;
  if (position < rows) return {cosines, sines};
  const auto turns = turns_.find(rope.cosines.values.get());
  const auto far = static_cast<std::size_t>(position / rows) * static_cast<std::size_t>(half);
  QUIRE_CHECK(turns != turns_.end() && far < turns->second.cosines.size(),
              "position {} was not reached, {} angles", position, rows);
  const float* far_cosines = turns->second.cosines.data() + far;
  const float* far_sines = turns->second.sines.data() + far;
  for (int i = 0; i < half; ++i) {
    room[i] = cosines[i] * far_cosines[i] - sines[i] * far_sines[i];
    room[half + i] = sines[i] * far_cosines[i] + cosines[i] * far_sines[i];
  }
  return {room, room + half};
}

}  // namespace quire
