// Disentangled attention (He et al., "DeBERTa", 2021): beside a key's content a query sees how far
// it is, and a key how far the query is. Both are products with a table of places that all layers
// share: for each head a matrix [places, head_dim] of keys of places, which queries are multiplied
// with, and one of queries of places for keys. They come of the table, once, when the model is
// loaded; the backend picks the place of each distance (Attend::places).
// Plain values and a loader on the thread that builds. Used by encoder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/layers/attention.h"
#include "model/model.h"

namespace quire {

struct Disentangled {
  int span = 0;          // half of the table's rows; 0: no such attention
  int buckets = 0;       // distances beyond half of it share places; 0: none do
  int distance_max = 0;  // of the last bucket
  bool has_keys = false, has_queries = false;  // of places: c2p, p2c
  bool is_shared = false;  // they are made by the layer's own products of keys and queries
  bool has_norm = false;   // of the table

  explicit operator bool() const { return span > 0; }
  int places() const { return 2 * span; }
  int terms() const { return 1 + (has_keys ? 1 : 0) + (has_queries ? 1 : 0); }
};

// The row of the table for a query so far behind its key (negative: before it).
int place_of(const Disentangled& d, int distance);
// Of the distances from -reach to reach.
std::vector<std::int32_t> places_of(const Disentangled& d, int reach);

// Makes the matrices of places, layer by layer.
class PlaceLoader {
 public:
  // The table "places" of the rules, with its norm "places_norm" if there is one.
  static Result<PlaceLoader> make(const Disentangled& d, int width, float eps,
                                  WeightLoader& loader, Backend& backend,
                                  const ModelOptions& options);

  // Of a layer whose own products are loaded; "place_k" and "place_q" behind the prefix where it
  // has some for places.
  Status load(const std::string& prefix, WeightLoader& loader, AttentionLayer& layer);

  // What the matrices point into: it stays as long as they do.
  std::vector<std::vector<float>> take_memory() { return std::move(memory_); }

 private:
  PlaceLoader(const Disentangled& d, Backend& backend) : d_(d), backend_(backend) {}
  std::vector<float> project(const Weight& weight, const Vector& bias);
  Result<Weight> heads(const std::string& name, const std::vector<float>& rows,
                       const Attend& attend);

  Disentangled d_;
  Backend& backend_;
  std::unique_ptr<KvStore> nothing_;  // that a program may remember
  std::shared_ptr<const std::vector<std::int32_t>> places_;
  Weight table_;
  Norm norm_;
  Buffer rows_, normed_;  // of some places at a time
  int chunk_ = 0;
  std::vector<std::vector<float>> memory_;
};

}  // namespace quire
