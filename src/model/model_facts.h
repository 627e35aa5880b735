// ModelFacts: all that the house outside model/arch knows of a model: what it is called, how large
// it is, what it remembers per position and layer, how its text begins and ends. An architecture
// makes them from its own configuration; the registry adds what the files say beside it.
// Plain value; any thread. Used by runtime, lab, apps, and through them by serve.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "formats/words/words.h"

namespace quire {

enum class ModelKind { kDecoder, kEncoder, kEncoderDecoder };

// What some of the layers remember of a sequence, in one store: keys and values of positions, or
// one state.
struct GroupFacts {
  std::string name;         // "all", "window", "state"
  std::vector<int> layers;  // of the model, in order
  bool holds_state = false;
  bool is_encoder_long = false;  // as long as the encoder's input, not the text
  int heads = 0;                 // query heads: what one pair of positions costs
  int kv_heads = 0;
  int k_width = 0;               // of one head
  int v_width = 0;               // of one head; 0: values are the first columns of the keys
  int window = 0;                // a position sees so many before it, itself included; 0: all
  int sinks = 0;                 // the first positions, seen beside the window
  std::uint64_t state_bytes = 0;  // of one layer, where it holds a state
};

// Keys and values of heads of one size, of layers [first, first + layers).
inline GroupFacts plain_group(int layers, int heads, int kv_heads, int head_dim, int first = 0) {
  GroupFacts group;
  group.name = "all";
  for (int i = 0; i < layers; ++i) group.layers.push_back(first + i);
  group.heads = heads;
  group.kv_heads = kv_heads;
  group.k_width = group.v_width = head_dim;
  return group;
}

// The vector that a text becomes.
struct PooledFacts {
  int width = 0;
  int labels = 0;               // of a classifier: it is their scores; 0: it is an embedding
  bool is_normalised = false;   // its length is one
  bool is_settled = false;      // the files say whether it is
};

struct ModelFacts {
  std::string architecture;  // as the registry calls it
  std::string name;          // as the file calls itself; may be empty
  ModelKind kind = ModelKind::kDecoder;
  int layers = 0;
  int width = 0;        // of the residual stream
  int vocab = 0;
  int context_max = 0;  // positions it was trained for
  std::string bound_to_context;  // what has no meaning behind it ("learned positions"); empty: none
  std::vector<GroupFacts> groups;
  bool has_tied_head = false;  // logits use the embedding matrix
  bool can_pool = false;       // a text becomes one vector
  PooledFacts pooled;          // what that vector is
  int segments = 1;            // 2: it can read a pair of texts
  std::string asked_activations;  // what its quantization asks of them, a setting; empty: nothing
  int experts = 0;             // of a layer; 0: none
  int experts_active = 0;      // that a token goes through, shared ones apart
  Words words;

  // What `quire show` says beside this: "rope", "theta 10000, half-split pairs".
  std::vector<std::pair<std::string, std::string>> notes;

  std::uint64_t parameters = 0;    // of all tensors, a tied head counted once
  std::uint64_t weight_bytes = 0;  // of all tensors in the file
  std::string weight_types;        // "Q4_1 211, F32 61": tensors of each type, most first
};

}  // namespace quire
