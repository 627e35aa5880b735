// Workspace: every buffer of a decoder's step, named, sized once for the largest step; and how a
// block joins the residual stream. Owned by
// a model; used by its layers, one step at a time.
#pragma once

#include "backend/backend.h"
#include "model/model.h"
#include "model/weights.h"

namespace quire {

// Columns of each buffer; 0: the architecture has no use for it.
struct WorkspaceShape {
  int d_model = 0;
  int q = 0;            // heads * k_dim
  int k = 0, v = 0;     // kv_heads * k_dim, kv_heads * v_dim
  int attended = 0;     // heads * v_dim
  bool has_output_gate = false;
  bool has_branch = false;  // an output is normed or scaled before it is added
  int ffn = 0;
  int key_places = 0, query_places = 0;  // heads * places: of disentangled attention
  int vocab = 0;
};

struct Workspace {
  Buffer residual;  // [tokens, d_model]
  Buffer normed;    // [tokens, d_model], read by q k v and by gate up
  Buffer branch;    // [tokens, d_model], an output on its way to the residual stream
  Buffer q;         // [tokens, heads * k_dim]
  Buffer k, v;      // [tokens, kv_heads * ..]
  Buffer attended;  // [tokens, heads * v_dim], read by o
  Buffer output_gate, gated_output;  // [tokens, heads * v_dim]
  Buffer key_places, query_places;   // [tokens, heads * places]
  Buffer gate, up;  // [tokens, ffn]
  Buffer gated;     // [tokens, ffn], read by down
  Buffer last;      // [wanted, d_model], read by the head
  Buffer logits;    // [wanted, vocab]

  static Workspace make(Backend& backend, const ModelOptions& options, const WorkspaceShape& shape);
};

// What is done to a block's output before it is added to the residual stream.
struct Branch {
  Norm norm;
  float scale = 1;

  bool is_plain() const { return !norm && scale == 1; }
};

// The norm of a canonical name, and its "_bias", where the rules have them; else `norm` becomes
// none. Its kind and eps are set before.
Status load_norm(WeightLoader& loader, const std::string& name, Norm& norm);

// residual += branch(weight x + bias)
void add_branch(Program& program, const Buffer& x, const Weight& weight, const Vector& bias,
                const Branch& branch, const Workspace& w);

}  // namespace quire
