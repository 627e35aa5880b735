// What files say of how a text becomes a vector: modules.json of sentence-transformers (see
// formats/config/sentence_modules.h), pooling_type and dense tensors of GGUF, and the head of a
// model that classifies, a ranker among them. Errors go to the fields.
// Pure functions; any thread. Called by the readers of model/arch.
#pragma once

#include <string>
#include <vector>

#include "formats/config/fields.h"
#include "model/encoder/pooling.h"

namespace quire {

// `architectures` of config.json names a ...ForSequenceClassification, or GGUF pools by rank.
bool is_classifier(const ConfigFields& fields);
// The file says that it was made to pool: it is a classifier, a ...Model without a head, it has
// modules.json, or a pooling_type.
bool is_made_to_pool(const ConfigFields& fields);

// Of an embedding model; `fallback` where the files say nothing.
PooledConfig read_pooled(const ConfigFields& fields, Pool fallback);

// How a classifier's head is called and what it computes: dense, activation, norm, then labels.
struct ClassifierHead {
  Pool pool = Pool::kFirst;
  std::string dense_hf;  // empty: none
  Activation activation = Activation::kTanh;
  bool has_dense_bias = true;
  std::string norm_hf;   // behind the activation; empty: none
  std::string out_hf = "classifier";
  bool has_out_bias = true;
};

// Its labels are those of id2label, or of the tensor in GGUF. `width`: of the states.
PooledConfig read_classifier(const ConfigFields& fields, const ClassifierHead& head, int width);

}  // namespace quire
