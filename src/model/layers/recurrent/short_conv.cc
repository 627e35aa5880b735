#include "model/layers/recurrent/short_conv.h"

#include "base/check.h"

namespace quire {

int ShortConvShape::state_floats() const { return ((width - 1) * channels + 15) / 16 * 16; }

ShortConvWorkspace ShortConvWorkspace::make(Backend& backend, const ModelOptions& options,
                                            const ShortConvShape& shape) {
  const auto of_tokens = [&] {
    return backend.buffer(Rows::kTokens, options.tokens_max, shape.channels);
  };
  ShortConvWorkspace s;
  s.before = of_tokens();
  s.after = of_tokens();
  s.x = of_tokens();
  s.product = of_tokens();
  s.convolved = of_tokens();
  s.gated = of_tokens();
  return s;
}

void set_shape(ShortConvLayer& layer, const ShortConvShape& shape, CacheSlot cache) {
  QUIRE_CHECK(shape.channels > 0 && shape.width > 1, "a convolution of {} over {} channels",
              shape.width, shape.channels);
  layer.convolution.width = shape.width;
  layer.convolution.is_silu = false;
  layer.convolution.cache = cache;
}

Status load_short_conv(WeightLoader& loader, const std::string& prefix, ShortConvLayer& layer) {
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "conv_norm", layer.norm));
  QUIRE_ASSIGN_OR_RETURN(layer.before, loader.matrix(prefix + "conv_before"));
  QUIRE_ASSIGN_OR_RETURN(layer.after, loader.matrix(prefix + "conv_after"));
  QUIRE_ASSIGN_OR_RETURN(layer.x, loader.matrix(prefix + "conv_x"));
  QUIRE_ASSIGN_OR_RETURN(layer.convolution.weight, loader.vector(prefix + "conv"));
  QUIRE_ASSIGN_OR_RETURN(layer.convolution.bias, loader.optional_vector(prefix + "conv_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.out, loader.matrix(prefix + "conv_out"));
  QUIRE_ASSIGN_OR_RETURN(layer.before_bias, loader.optional_vector(prefix + "conv_before_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.after_bias, loader.optional_vector(prefix + "conv_after_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.x_bias, loader.optional_vector(prefix + "conv_x_bias"));
  QUIRE_ASSIGN_OR_RETURN(layer.out_bias, loader.optional_vector(prefix + "conv_out_bias"));
  return ok_status();
}

void run_short_conv(const ShortConvLayer& layer, Program& p, const Workspace& w,
                    const ShortConvWorkspace& s) {
  p.norm(w.residual, layer.norm, w.normed);
  p.linear(w.normed, {{&layer.before, &s.before, &layer.before_bias},
                      {&layer.after, &s.after, &layer.after_bias},
                      {&layer.x, &s.x, &layer.x_bias}});
  p.gate(Activation::kNone, s.before, s.x, s.product);
  p.add(ConvolveOp{&s.product, &layer.convolution, &s.convolved});
  p.gate(Activation::kNone, s.after, s.convolved, s.gated);
  add_branch(p, s.gated, layer.out, layer.out_bias, layer.branch, w);
}

}  // namespace quire
