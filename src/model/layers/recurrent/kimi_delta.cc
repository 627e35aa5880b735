#include "model/layers/recurrent/kimi_delta.h"

#include <algorithm>

#include "base/check.h"

namespace quire {

int KimiDeltaShape::scan_begin() const { return ((width - 1) * channels() + 15) / 16 * 16; }
int KimiDeltaShape::state_floats() const {
  return scan_begin() + heads * scan_state_floats(head_dim, head_dim);
}

KimiDeltaWorkspace KimiDeltaWorkspace::make(Backend& backend, const ModelOptions& options,
                                            const KimiDeltaShape& shape) {
  const auto of_tokens = [&](int columns) {
    return backend.buffer(Rows::kTokens, options.tokens_max, columns);
  };
  KimiDeltaWorkspace k;
  k.x = of_tokens(shape.channels());
  k.convolved = of_tokens(shape.channels());
  k.decay_in = of_tokens(shape.head_dim);
  k.gate_in = of_tokens(shape.head_dim);
  k.decay = of_tokens(shape.values());
  k.gate = of_tokens(shape.values());
  k.beta = of_tokens(shape.heads);
  k.scanned = of_tokens(shape.values());
  k.normed = of_tokens(shape.values());
  k.gated = of_tokens(shape.values());
  return k;
}

void set_shape(KimiDeltaLayer& layer, const KimiDeltaShape& shape, CacheSlot cache) {
  QUIRE_CHECK(shape.heads > 0 && shape.head_dim > 0 && shape.width > 1,
              "{} heads of {}, a convolution of {}", shape.heads, shape.head_dim, shape.width);
  layer.convolution.width = shape.width;
  layer.convolution.cache = cache;
  Recurrence& recurrence = layer.recurrence;
  recurrence.kind = Recurrence::Kind::kDeltaRows;
  recurrence.k_heads = recurrence.v_heads = shape.heads;
  recurrence.k_dim = recurrence.v_dim = shape.head_dim;
  recurrence.cache = cache;
  recurrence.state_begin = shape.scan_begin();
  layer.out_norm.heads = shape.heads;
}

namespace {

// Three convolutions side by side are one.
Status load_convolution(WeightLoader& loader, const std::string& prefix, Backend& backend,
                        Convolution& convolution) {
  const auto width = static_cast<std::size_t>(convolution.width);
  std::vector<float> all;
  std::size_t place = 0;
  for (const char* name : {"kda_q_conv", "kda_k_conv", "kda_v_conv"}) {
    QUIRE_ASSIGN_OR_RETURN(const std::vector<float> part, loader.values(prefix + name));
    const std::size_t columns = part.size() / width, total = 3 * columns;
    all.resize(width * total);
    for (std::size_t row = 0; row < width; ++row) {
      std::copy_n(part.begin() + static_cast<std::ptrdiff_t>(row * columns), columns,
                  all.begin() + static_cast<std::ptrdiff_t>(row * total + place));
    }
    place += columns;
  }
  convolution.weight = backend.vector(all);
  return ok_status();
}

// A head's rate is that of all its rows.
Status load_rates(WeightLoader& loader, const std::string& name, Backend& backend,
                  Recurrence& recurrence) {
  QUIRE_ASSIGN_OR_RETURN(const std::vector<float> heads, loader.values(name));
  std::vector<float> rows;
  for (const float rate : heads) {
    rows.insert(rows.end(), static_cast<std::size_t>(recurrence.k_dim), rate);
  }
  recurrence.rates = backend.vector(rows);
  return ok_status();
}

}  // namespace

Status load_kimi_delta(WeightLoader& loader, const std::string& prefix, Backend& backend,
                       KimiDeltaLayer& layer) {
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "kda_norm", layer.norm));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "kda_out_norm", layer.out_norm));
  QUIRE_ASSIGN_OR_RETURN(layer.q, loader.matrix(prefix + "kda_q"));
  QUIRE_ASSIGN_OR_RETURN(layer.k, loader.matrix(prefix + "kda_k"));
  QUIRE_ASSIGN_OR_RETURN(layer.v, loader.matrix(prefix + "kda_v"));
  QUIRE_ASSIGN_OR_RETURN(layer.decay_in, loader.matrix(prefix + "kda_decay_in"));
  QUIRE_ASSIGN_OR_RETURN(layer.decay, loader.matrix(prefix + "kda_decay"));
  QUIRE_ASSIGN_OR_RETURN(layer.gate_in, loader.matrix(prefix + "kda_gate_in"));
  QUIRE_ASSIGN_OR_RETURN(layer.gate, loader.matrix(prefix + "kda_gate"));
  QUIRE_ASSIGN_OR_RETURN(layer.beta, loader.matrix(prefix + "kda_beta"));
  QUIRE_RETURN_IF_ERROR(load_convolution(loader, prefix, backend, layer.convolution));
  QUIRE_RETURN_IF_ERROR(load_rates(loader, prefix + "kda_rates", backend, layer.recurrence));
  QUIRE_ASSIGN_OR_RETURN(layer.recurrence.dt_bias, loader.vector(prefix + "kda_decay_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.out, loader.matrix(prefix + "kda_out"));
  return ok_status();
}

void run_kimi_delta(const KimiDeltaLayer& layer, Program& p, const Workspace& w,
                    const KimiDeltaWorkspace& k) {
  const int values = layer.q.rows;
  p.norm(w.residual, layer.norm, w.normed);
  p.linear(w.normed, {{.weight = &layer.q, .out = &k.x},
                      {.weight = &layer.k, .out = &k.x, .column = values},
                      {.weight = &layer.v, .out = &k.x, .column = 2 * values},
                      {.weight = &layer.decay_in, .out = &k.decay_in},
                      {.weight = &layer.gate_in, .out = &k.gate_in},
                      {.weight = &layer.beta, .out = &k.beta}});
  p.linear(k.decay_in, {{&layer.decay, &k.decay}});
  p.linear(k.gate_in, {{&layer.gate, &k.gate}});
  p.add(ConvolveOp{&k.x, &layer.convolution, &k.convolved});
  p.add(ScanOp{&k.convolved, &k.decay, &k.beta, &layer.recurrence, &k.scanned});
  p.norm(k.scanned, layer.out_norm, k.normed);
  p.gate(Activation::kSigmoid, k.gate, k.normed, k.gated);
  add_branch(p, k.gated, layer.out, layer.out_bias, layer.branch, w);
}

}  // namespace quire
