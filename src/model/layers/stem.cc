#include "model/layers/stem.h"

#include "base/check.h"
#include "tensor/float_bits.h"

namespace quire {

float rounded_as(DType dtype, float value) {
  if (dtype == DType::kBF16) return bf16_to_float(float_to_bf16(value));
  if (dtype == DType::kF16) return half_to_float(float_to_half(value));
  return value;
}

Status Stem::load(WeightLoader& loader) {
  const bool is_tied = !loader.has("head");
  QUIRE_ASSIGN_OR_RETURN(embedding, is_tied ? loader.matrix("embed") : loader.table("embed"));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, "embed_norm", embedding_norm));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, "final_norm", final_norm));
  QUIRE_ASSIGN_OR_RETURN(head_bias, loader.optional_vector("head_bias"));
  if (loader.has("embed_in")) {
    QUIRE_ASSIGN_OR_RETURN(in, loader.matrix("embed_in"));
    QUIRE_ASSIGN_OR_RETURN(out, loader.matrix("embed_out"));
  }
  if (is_tied) {
    head = embedding;
    return ok_status();
  }
  untouched_bytes = embedding.bytes;
  QUIRE_ASSIGN_OR_RETURN(head, loader.matrix("head"));
  QUIRE_CHECK(head.columns == embedding.columns, "a head of {} columns over a table of {}",
              head.columns, embedding.columns);
  return ok_status();
}

void Stem::begin(Program& p, const Workspace& w) const {
  p.gather(embedding, in ? gathered : w.residual, embedding_scale);
  if (in) p.linear(gathered, {{&in, &w.residual}});
  if (embedding_norm) p.norm(w.residual, embedding_norm, w.residual);
}

void Stem::end(Program& p, const Workspace& w) const {
  p.norm(w.residual, final_norm, w.last);
  if (out) p.linear(w.last, {{&out, &led_back}});
  p.linear(out ? led_back : w.last, {{&head, &w.logits, &head_bias}});
  if (logit_scale != 1 || logit_cap > 0) p.add(CapOp{&w.logits, logit_scale, logit_cap});
}

}  // namespace quire
