#include "model/layers/config_checks.h"

#include "formats/config/config_ranges.h"

namespace quire {

void check_heads(const ConfigFields& fields, int heads, int kv_heads, int head_dim) {
  if (heads % kv_heads != 0) {
    fields.fail(error(StatusCode::kCorrupt, "{} query heads cannot share {} key-value heads", heads,
                      kv_heads));
  }
  if (head_dim % 2 != 0) {
    fields.fail(error(StatusCode::kCorrupt, "head_dim: {} is odd", head_dim));
  }
  if (heads * head_dim > kHeadsWidthMax) {
    fields.fail(error(StatusCode::kCorrupt, "{} heads of {} values: at most {} are supported",
                      heads, head_dim, kHeadsWidthMax));
  }
}

}  // namespace quire
