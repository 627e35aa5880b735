#include "model/encoder/disentangled.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include <fmt/format.h>

#include "base/check.h"

namespace quire {

int place_of(const Disentangled& d, int distance) {
  int place = distance;
  const int middle = d.buckets / 2, size = std::abs(distance);
  if (d.buckets > 0 && size > middle) {  // as the logarithm, in float32
    const float ratio =
        std::log(static_cast<float>(size) / static_cast<float>(middle)) /
        static_cast<float>(std::log(static_cast<double>(d.distance_max - 1) / middle));
    const int further = static_cast<int>(std::ceil(ratio * static_cast<float>(middle - 1)));
    place = distance < 0 ? -(middle + further) : middle + further;
  }
  return std::clamp(place + d.span, 0, d.places() - 1);
}

std::vector<std::int32_t> places_of(const Disentangled& d, int reach) {
  std::vector<std::int32_t> places;
  for (int i = -reach; i <= reach; ++i) places.push_back(place_of(d, i));
  return places;
}

Result<PlaceLoader> PlaceLoader::make(const Disentangled& d, int width, float eps,
                                      WeightLoader& loader, Backend& backend,
                                      const ModelOptions& options) {
  PlaceLoader made(d, backend);
  QUIRE_ASSIGN_OR_RETURN(made.table_, loader.table("places"));
  const std::vector<float> ones(static_cast<std::size_t>(width), 1.0f);
  made.norm_ = {Norm::Kind::kScale, backend.vector(ones), {}, 0};
  if (d.has_norm) {
    made.norm_ = {Norm::Kind::kLayer, {}, {}, eps};
    QUIRE_RETURN_IF_ERROR(load_norm(loader, "places_norm", made.norm_));
  }
  made.places_ =
      std::make_shared<const std::vector<std::int32_t>>(places_of(d, options.context_max));
  made.chunk_ = std::min({options.tokens_max, options.logits_rows_max, d.places()});
  made.rows_ = backend.buffer(Rows::kTokens, made.chunk_, width);
  made.normed_ = backend.buffer(Rows::kWanted, made.chunk_, width);
  KvGroupShape group;
  group.layers = group.kv_heads = group.blocks = 1;
  group.k_dim = group.v_dim = 8;
  QUIRE_ASSIGN_OR_RETURN(made.nothing_, backend.kv_store({&group, 1}));
  return made;
}

// The products of all places, [places, rows of the weight].
std::vector<float> PlaceLoader::project(const Weight& weight, const Vector& bias) {
  const Buffer out = backend_.buffer(Rows::kWanted, chunk_, weight.rows);
  Program program;
  program.add(GatherOp{&table_, &rows_, GatherOp::Index::kPosition, 0, 1, false});
  program.norm(rows_, norm_, normed_);
  program.linear(normed_, {{&weight, &out, &bias}});
  std::vector<float> all;
  for (int begin = 0; begin < d_.places(); begin += chunk_) {
    const int count = std::min(chunk_, d_.places() - begin);
    std::vector<std::int32_t> index(static_cast<std::size_t>(count)), positions = index;
    std::iota(index.begin(), index.end(), 0);
    std::iota(positions.begin(), positions.end(), begin);
    const std::vector<std::int32_t> ids(index.size(), 0), rows = {0, count};
    BatchView batch{ids, positions, rows, index, {}, {}, nullptr};
    backend_.run(program, batch, *nothing_);
    const float* values = backend_.host_rows(out);
    all.insert(all.end(), values, values + std::ptrdiff_t{count} * weight.rows);
  }
  return all;
}

// Rows of all heads side by side become a matrix for each.
Result<Weight> PlaceLoader::heads(const std::string& name, const std::vector<float>& rows,
                                  const Attend& attend) {
  const auto places = static_cast<std::size_t>(d_.places());
  const auto heads = static_cast<std::size_t>(attend.heads);
  const auto dim = static_cast<std::size_t>(attend.k_dim);
  QUIRE_CHECK(rows.size() == places * heads * dim, "{}: {} values for {} places", name,
              rows.size(), places);
  std::vector<float>& memory = memory_.emplace_back();
  memory.reserve(rows.size());
  std::vector<TensorView> views;
  for (std::size_t head = 0; head < heads; ++head) {
    for (std::size_t place = 0; place < places; ++place) {
      const auto from = rows.begin() + static_cast<std::ptrdiff_t>((place * heads + head) * dim);
      memory.insert(memory.end(), from, from + static_cast<std::ptrdiff_t>(dim));
    }
    views.push_back({name, DType::kF32, {places, dim},
                     reinterpret_cast<const std::byte*>(memory.data() + head * places * dim)});
  }
  QUIRE_ASSIGN_OR_RETURN(const WeightView view, WeightView::of(views));
  QUIRE_ASSIGN_OR_RETURN(const Weight weight, backend_.adopt(view));
  QUIRE_RETURN_IF_ERROR(backend_.pack(weight));
  return weight;
}

Status PlaceLoader::load(const std::string& prefix, WeightLoader& loader, AttentionLayer& layer) {
  layer.attend.places = places_;
  Weight own_k = layer.k, own_q = layer.q;
  Vector k_bias = layer.k_bias, q_bias = layer.q_bias;
  if (!d_.is_shared) {
    k_bias = q_bias = {};
    if (d_.has_keys) {
      QUIRE_ASSIGN_OR_RETURN(own_k, loader.matrix(prefix + "place_k"));
      QUIRE_ASSIGN_OR_RETURN(k_bias, loader.optional_vector(prefix + "place_k_bias"));
    }
    if (d_.has_queries) {
      QUIRE_ASSIGN_OR_RETURN(own_q, loader.matrix(prefix + "place_q"));
      QUIRE_ASSIGN_OR_RETURN(q_bias, loader.optional_vector(prefix + "place_q_bias"));
    }
  }
  if (d_.has_keys) {
    QUIRE_ASSIGN_OR_RETURN(layer.place_keys, heads(prefix + "place_keys", project(own_k, k_bias),
                                                   layer.attend));
  }
  if (!d_.has_queries) return ok_status();
  QUIRE_ASSIGN_OR_RETURN(layer.place_queries, heads(prefix + "place_queries",
                                                    project(own_q, q_bias), layer.attend));
  return ok_status();
}

}  // namespace quire
