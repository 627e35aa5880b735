#include "lab/bench/timed_backend.h"

#include <algorithm>

#include "base/check.h"
#include "base/clock.h"

namespace quire {
namespace {

constexpr double kFloatBytes = sizeof(float);

// The part of a model that a canonical name ends with. A table that is read by a product is the
// head of a model with tied embeddings.
std::string part_of(const std::string& name) {
  const std::string part = name.substr(name.rfind('.') + 1);
  return part == "embed" ? "head" : part;
}

// Positions that a query at `position` sees.
double seen_by(const AttentionShape& shape, std::int32_t position) {
  const int all = position + 1;
  return shape.window > 0 ? std::min(shape.window, all) : all;
}

double kv_bytes_per_position(const KvStore& kv) {  // of one layer
  return static_cast<double>(kv.bytes_per_block) / kv.shape.layers / kBlockTokens;
}

}  // namespace

std::vector<OpTotals> TimedBackend::totals() const {
  std::vector<OpTotals> used;
  for (const OpTotals& line : totals_) {
    if (line.calls > 0) used.push_back(line);
  }
  return used;
}

void TimedBackend::clear() {
  for (OpTotals& line : totals_) line = {.name = std::move(line.name)};
}

OpTotals& TimedBackend::line_of(std::string_view op) {
  for (OpTotals& line : totals_) {
    if (line.name == op) return line;
  }
  return totals_.emplace_back(OpTotals{.name = std::string(op)});
}

OpTotals& TimedBackend::line_of(std::span<const LinearOutput> outputs) {
  Known& first = known_.at(outputs[0].weight->packed.get());
  if (first.line == 0) {
    std::string name;
    for (const LinearOutput& output : outputs) {
      name += (name.empty() ? "" : "+") + known_.at(output.weight->packed.get()).part;
    }
    first.line = static_cast<std::size_t>(&line_of(name) - totals_.data());
  }
  return totals_[first.line];
}

template <typename Body>
void TimedBackend::time(OpTotals& line, double bytes, Body body) {
  const Nanos start = SteadyClock::now();
  body();
  line.seconds += to_seconds(SteadyClock::now() - start);
  line.bytes += bytes;
  ++line.calls;
}

// --- memory ---

Result<Weight> TimedBackend::adopt(const TensorView& matrix, WeightScheme scheme) {
  QUIRE_ASSIGN_OR_RETURN(Weight weight, real_->adopt(matrix, scheme));
  Known& known = known_[weight.packed.get()];
  known.part = part_of(matrix.name);
  known.bytes = static_cast<double>(std::min(matrix.bytes(), weight.bytes));
  known.form = activation_form(weight.packed_dtype);
  return weight;
}

std::unique_ptr<Activations> TimedBackend::activations(int tokens,
                                                       std::span<const Weight* const> consumers) {
  return real_->activations(tokens, consumers);
}

Result<std::unique_ptr<KvStore>> TimedBackend::kv_store(const KvShape& shape) {
  return real_->kv_store(shape);
}

void TimedBackend::copy_blocks(KvStore& kv, std::span<const BlockMove> moves) {
  const double bytes = 2.0 * static_cast<double>(kv.bytes_per_block * moves.size());
  time(line_of("copy_blocks"), bytes, [&] { real_->copy_blocks(kv, moves); });
}

// --- a model's ops ---

void TimedBackend::gather(const Weight& table, std::span<const std::int32_t> ids, float* out) {
  const double row = static_cast<double>(row_bytes(table.dtype, table.columns));
  const double bytes = static_cast<double>(ids.size()) * (row + kFloatBytes * table.columns);
  time(line_of("gather"), bytes, [&] { real_->gather(table, ids, out); });
}

void TimedBackend::rmsnorm(const float* x, const float* weight, float eps, int tokens,
                           Activations& out) {
  const double bytes = 2 * kFloatBytes * tokens * out.columns;
  time(line_of("rmsnorm"), bytes, [&] { real_->rmsnorm(x, weight, eps, tokens, out); });
}

void TimedBackend::select_rmsnorm(const float* x, std::span<const std::int32_t> indices,
                                  int columns, const float* weight, float eps, Activations& out) {
  const double bytes = 2 * kFloatBytes * static_cast<double>(indices.size()) * columns;
  time(line_of("rmsnorm"), bytes,
       [&] { real_->select_rmsnorm(x, indices, columns, weight, eps, out); });
}

// Adds the operations of products to their line; returns the bytes of their weights.
double TimedBackend::count_products(OpTotals& line, int tokens,
                                    std::span<const LinearOutput> outputs) const {
  double bytes = 0;
  for (const LinearOutput& output : outputs) {
    const Known& known = known_.at(output.weight->packed.get());
    bytes += known.bytes;
    line.operations[static_cast<std::size_t>(known.form)] +=
        2.0 * tokens * output.weight->rows * output.weight->columns;
  }
  return bytes;
}

void TimedBackend::linear(const Activations& x, int tokens,
                          std::span<const LinearOutput> outputs) {
  OpTotals& line = line_of(outputs);
  const double bytes = count_products(line, tokens, outputs);
  time(line, bytes, [&] { real_->linear(x, tokens, outputs); });
}

void TimedBackend::rope_store(const AttentionShape& shape, const RopeSpec& rope,
                              const BatchView& batch, float* q, int q_stride, const float* k,
                              const float* v, int kv_stride, KvStore& kv, int layer) {
  const double floats = (2.0 * shape.heads + 2.0 * shape.kv_heads) * shape.head_dim;
  const double bytes = batch.tokens() * (kFloatBytes * floats + kv_bytes_per_position(kv));
  time(line_of("rope_store"), bytes, [&] {
    real_->rope_store(shape, rope, batch, q, q_stride, k, v, kv_stride, kv, layer);
  });
}

void TimedBackend::attention(const AttentionShape& shape, const BatchView& batch, const float* q,
                             int q_stride, const KvStore& kv, int layer, Activations& out) {
  OpTotals& line = line_of("attention");
  double pairs = 0;
  for (const std::int32_t position : batch.positions) pairs += seen_by(shape, position);
  line.operations[static_cast<std::size_t>(ActivationForm::kBF16)] +=
      4.0 * pairs * shape.heads * shape.head_dim;  // q * k and p * v
  double positions = 0;  // that any query of a row sees
  for (int row = 0; row < batch.rows(); ++row) {
    const int queries = batch.row_begin[row + 1] - batch.row_begin[row];
    const int last = batch.kv_length[row] - 1;
    positions += std::min<double>(seen_by(shape, last) + queries - 1, last + 1);
  }
  time(line, positions * kv_bytes_per_position(kv),
       [&] { real_->attention(shape, batch, q, q_stride, kv, layer, out); });
}

void TimedBackend::linear_silu(const Activations& x, int tokens, const LinearOutput& gate,
                               const LinearOutput& up, Activations& out) {
  const LinearOutput outputs[] = {gate, up};
  OpTotals& line = line_of(outputs);
  const double bytes = count_products(line, tokens, outputs);
  time(line, bytes, [&] { real_->linear_silu(x, tokens, gate, up, out); });
}

// --- a sampler's ops ---

double TimedBackend::logsumexp(std::span<const float> logits) const {
  return real_->logsumexp(logits);
}

void TimedBackend::top_candidates(std::span<const float> logits, std::span<Candidate> out) const {
  real_->top_candidates(logits, out);
}

float TimedBackend::max_value(std::span<const float> logits) const {
  return real_->max_value(logits);
}

std::uint32_t TimedBackend::philox_words(std::uint64_t seed, std::uint64_t position,
                                         std::uint64_t stream,
                                         std::span<std::uint32_t> words) const {
  return real_->philox_words(seed, position, stream, words);
}

void TimedBackend::parallel(int count, const std::function<void(int)>& body) {
  time(line_of("sampling"), 0, [&] { real_->parallel(count, body); });
}

}  // namespace quire
