// FarAngles: rotary angles of positions behind a model's tables, for texts longer than the context
// that it was trained for (a window with sinks). The angle of position p is that of p % rows, which
// the table has, turned by that of p / rows whole tables, which is kept here: one row for each
// length of the table that a text has reached. A product of two rotations, in one order: the bits
// depend on the position alone.
// `reach` on the driving thread between dispatches; `of` on every worker.
#pragma once

#include <map>
#include <vector>

#include "backend/program.h"

namespace quire {

struct Angles {
  const float* cosines;  // [dims / 2]
  const float* sines;
};

class FarAngles {
 public:
  // Makes the angles of all positions up to this one known. Nothing to do within the tables.
  // REQUIRES: the rope turns, and knows its frequencies if the position is behind its tables.
  void reach(const Rope& rope, int position);

  // REQUIRES: the position was reached.  room: [dims], where angles behind the tables are put.
  Angles of(const Rope& rope, int position, float* room) const;

 private:
  struct Whole {
    std::vector<double> frequencies;
    std::vector<float> cosines, sines;  // [whole tables, dims / 2]
  };
  std::map<const float*, Whole> turns_;  // by the table's cosines
};

// Rows of a rope's tables.
inline int rope_rows(const Rope& rope) { return rope.cosines.count / (rope.dims / 2); }

}  // namespace quire
