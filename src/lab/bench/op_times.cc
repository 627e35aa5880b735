#include "lab/bench/op_times.h"

#include <algorithm>

#include "base/check.h"

namespace quire {
namespace {

constexpr double kFloatBytes = sizeof(float);

// The part of a model that a canonical name ends with. A table that is read by a product is the
// head of a model with tied embeddings.
std::string_view part_of(std::string_view name) {
  const std::string_view part = name.substr(name.rfind('.') + 1);
  return part == "embed" ? "head" : part;
}

double rows_of(const BatchView& batch, const Buffer& buffer) {
  switch (buffer.rows) {
    case Rows::kTokens:
      return batch.tokens();
    case Rows::kWanted:
      return batch.logits_rows();
    case Rows::kRouted:
      return double{1} * batch.tokens() * buffer.per_token;
    case Rows::kPooled:
      return static_cast<double>(batch.pooled_rows.size());
  }
  return 0;
}

// Bytes and operations of one op, and its name.
struct Count {
  const BatchView& batch;
  const KvStore& kv;
  OpTotals& line;
  std::string& name;

  void called(std::string_view part) {
    if (!name.empty()) name += "+";
    name += part;
  }
  void floats(double rows, double columns) { line.bytes += kFloatBytes * rows * columns; }

  void product(const Weight& weight, double rows) {
    const double whole = static_cast<double>(std::min(weight.bytes, weight.stored_bytes));
    // Each row has experts of its own until all are read.
    const double used = std::min<double>(weight.experts, rows);
    line.bytes += whole / weight.experts * used;
    line.operations[static_cast<std::size_t>(activation_form(weight.packed_dtype))] +=
        2.0 * rows * weight.rows * weight.columns;
    called(part_of(weight.packed->name));
  }
  double bytes_per_position(CacheSlot cache) const {
    const KvGroupShape& group = kv.groups[static_cast<std::size_t>(cache.group)];
    return static_cast<double>(kv_layer_block_bytes(group)) / kBlockTokens;
  }
  void state(CacheSlot cache, double share) {
    const KvGroupShape& group = kv.groups[static_cast<std::size_t>(cache.group)];
    line.bytes += 2.0 * share * batch.rows() * static_cast<double>(kv_layer_block_bytes(group));
  }

  void operator()(const GatherOp& op) {
    called("gather");
    const double row = static_cast<double>(row_bytes(op.table->dtype, op.table->columns));
    line.bytes += rows_of(batch, *op.out) * (row + kFloatBytes * op.table->columns);
  }
  void operator()(const NormOp& op) {
    if (name.empty()) floats(2 * rows_of(batch, *op.out), op.out->columns);
    called("norm");
  }
  void operator()(const LinearOp& op) {
    const double rows = op.routing == nullptr
                            ? rows_of(batch, *op.x)
                            : rows_of(batch, *op.products[0].out);
    for (int i = 0; i < op.count; ++i) {
      product(*op.products[static_cast<std::size_t>(i)].weight, rows);
    }
  }
  void operator()(const HeadLinearOp& op) {
    const Weight& weight = *op.product.weight;
    line.bytes += static_cast<double>(std::min(weight.bytes, weight.stored_bytes));
    line.operations[static_cast<std::size_t>(activation_form(weight.packed_dtype))] +=
        2.0 * rows_of(batch, *op.x) * weight.experts * weight.rows * weight.columns;
    called(part_of(weight.packed->name));
  }
  void operator()(const GateOp& op) {
    if (!name.empty()) return;  // within the pass of its products
    called("gate");
    floats(3 * rows_of(batch, *op.out), op.out->columns);
  }
  void operator()(const RotateOp& op) {
    if (!name.empty()) return;
    called("rotate");
    floats(2 * rows_of(batch, *op.x), op.x->columns);
  }
  void operator()(const StoreOp& op) {
    line.bytes += rows_of(batch, *op.k) * bytes_per_position(op.cache);
    if (!name.empty()) return;
    called("store");
    floats(rows_of(batch, *op.k), 2.0 * op.k->columns);
  }
  void operator()(const AttendOp& op) { attention(*op.attend, batch); }
  void attention(const Attend& shape, const BatchView& rows) {
    called("attention");
    const GroupView& view = rows.groups[static_cast<std::size_t>(shape.cache.group)];
    double pairs = 0, positions = 0;
    for (int row = 0; row < rows.rows(); ++row) {
      const auto r = static_cast<std::size_t>(row);
      const int begin = rows.row_begin[r], end = rows.row_begin[r + 1];
      const int last = view.lengths[r];
      const auto seen_by = [&](int token) {
        const auto t = static_cast<std::size_t>(token);
        const int all = shape.is_causal ? rows.positions[t] + 1 : last;
        return static_cast<double>(shape.window > 0 ? std::min(shape.window, all) : all);
      };
      for (int token = begin; token < end; ++token) pairs += seen_by(token);
      if (end > begin) positions += std::min<double>(seen_by(end - 1) + end - begin - 1, last);
    }
    line.operations[static_cast<std::size_t>(ActivationForm::kBF16)] +=
        2.0 * pairs * shape.heads * (shape.k_dim + shape.v_dim);  // q * k and p * v
    line.bytes += positions * bytes_per_position(shape.cache);
  }
  void operator()(const RouteOp& op) {
    called("route");
    floats(rows_of(batch, *op.logits), op.logits->columns);
  }
  void operator()(const WeighOp& op) {
    called("weigh");
    floats(2 * rows_of(batch, *op.x), op.x->columns);
  }
  void operator()(const CombineOp& op) {
    called("combine");
    floats(rows_of(batch, *op.x) + 2 * rows_of(batch, *op.out), op.out->columns);
  }
  void operator()(const AddOp& op) {
    called("add");
    floats(3 * rows_of(batch, *op.out), op.out->columns);
  }
  void operator()(const BlendOp& op) {
    called("blend");
    floats(3 * rows_of(batch, *op.out), op.out->columns);
  }
  void operator()(const MatchOp& op) {
    called("match");
    floats(3 * rows_of(batch, *op.x), op.x->columns);
  }
  void operator()(const CutoffOp& op) {
    called("cutoff");
    floats(2 * rows_of(batch, *op.x), op.x->columns);
  }
  void operator()(const CapOp& op) {
    called("cap");
    floats(2 * rows_of(batch, *op.x), op.x->columns);
  }
  void operator()(const JoinOp& op) {
    called("join");
    floats(2 * rows_of(batch, *op.out), op.out->columns);
  }
  void operator()(const ConvolveOp& op) {
    called("convolution");
    floats(2 * rows_of(batch, *op.x), op.x->columns);
    const Convolution& c = *op.convolution;
    line.bytes += 2.0 * batch.rows() * kFloatBytes * (c.width - 1) * op.x->columns;
  }
  void operator()(const ScanOp& op) {
    called("scan");
    const Recurrence& r = *op.recurrence;
    const double state = double{1} * r.v_heads * r.k_dim * r.v_dim;
    line.bytes += 2.0 * batch.rows() * kFloatBytes * state;
    line.operations[static_cast<std::size_t>(ActivationForm::kF32)] +=
        (r.kind == Recurrence::Kind::kSsd ? 5.0 : 7.0) * rows_of(batch, *op.x) * state;
  }
  void operator()(const SelectiveOp& op) {
    called("scan");
    const double state = double{1} * op.selective->rows * op.x->columns;
    line.bytes += 2.0 * batch.rows() * kFloatBytes * state;
    line.operations[static_cast<std::size_t>(ActivationForm::kF32)] +=
        24.0 * rows_of(batch, *op.x) * state;  // an exponential for each number
  }
  void operator()(const GatedUnitOp& op) {
    called("scan");
    floats(4 * rows_of(batch, *op.x), op.x->columns);
    line.bytes += 2.0 * batch.rows() * kFloatBytes * op.x->columns;
  }
  void operator()(const GatedNormOp& op) {
    called("norm");
    floats(3 * rows_of(batch, *op.out), op.out->columns);
  }
  void operator()(const PoolOp& op) {
    called("pool");
    floats(rows_of(batch, *op.x), op.x->columns);
  }
};

}  // namespace

std::vector<OpTotals> OpTimes::totals() const {
  std::vector<OpTotals> used;
  for (const OpTotals& line : totals_) {
    if (line.calls > 0) used.push_back(line);
  }
  return used;
}

void OpTimes::clear() {
  for (OpTotals& line : totals_) line = {.name = std::move(line.name)};
}

OpTotals& OpTimes::line_of(const std::string& name) {
  for (OpTotals& line : totals_) {
    if (line.name == name) return line;
  }
  return totals_.emplace_back(OpTotals{.name = name});
}

void OpTimes::ran(std::span<const Op> ops, const BatchView& batch, const KvStore& kv,
                  Nanos elapsed) {
  OpTotals counted;
  name_.clear();
  Count count{batch, kv, counted, name_};
  for (const Op& op : ops) std::visit(count, op);
  OpTotals& line = line_of(name_);
  line.seconds += to_seconds(elapsed);
  line.bytes += counted.bytes;
  for (std::size_t i = 0; i < kActivationForms; ++i) line.operations[i] += counted.operations[i];
  ++line.calls;
}

void OpTimes::copied(const KvStore& kv, std::span<const BlockMove> moves, Nanos elapsed) {
  OpTotals& line = line_of("copy_blocks");
  for (const BlockMove& move : moves) {
    line.bytes += 2.0 * static_cast<double>(
                            kv_block_bytes(kv.groups[static_cast<std::size_t>(move.group)]));
  }
  line.seconds += to_seconds(elapsed);
  ++line.calls;
}

// At least once through the row of each task.
void OpTimes::drew(const Buffer& logits, std::span<const DrawTask> tasks, Nanos elapsed) {
  OpTotals& line = line_of("draw");
  line.bytes += kFloatBytes * static_cast<double>(tasks.size()) * logits.columns;
  line.seconds += to_seconds(elapsed);
  ++line.calls;
}

}  // namespace quire
