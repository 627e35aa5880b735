// CpuBackend::run: a program op by op, and the peephole over it: neighbours that are cheaper as one
// pass over the data run as one. Known are
//   linear, norm                              the residual stream, then the norm of what it became
//   linear, gate                              the gated half of an MLP, or of experts
//   rotate?, rotate?, store                   queries and keys, row by row
//   linear, rotate?, rotate?, store, attend   of few tokens, in one dispatch
// What a fused pass leaves unwritten (the products between) nobody reads: the patterns ask for ops
// whose buffers are written anew by the next op that names them.
#include <algorithm>

#include "backend/cpu/cpu_backend.h"
#include "base/clock.h"

namespace quire {
namespace {

constexpr int kFusedTokensMax = 64;  // a prompt is worth dispatches of its own, each balanced

template <typename T>
const T* op_at(std::span<const Op> ops, std::size_t index) {
  return index < ops.size() ? std::get_if<T>(&ops[index]) : nullptr;
}

// Whether a product makes whole rows: what the patterns ask for.
bool makes_rows(const Product& product) {
  return product.weight->rows == product.out->columns;
}

void want_floats(const Buffer* buffer) {
  if (buffer != nullptr) cpu(*buffer).grow(ActivationForm::kF32);
}

// Room for what an op reads and writes as plain floats. What is written row by row with all of its
// forms (norms, gates, attention) has floats only if somebody reads them.
struct FloatsOf {
  void operator()(const GatherOp& op) const { want_floats(op.out); }
  void operator()(const NormOp& op) const {
    want_floats(op.x);
    if (op.accumulate) want_floats(op.out);
  }
  void operator()(const LinearOp& op) const {
    for (int i = 0; i < op.count; ++i) want_floats(op.products[static_cast<std::size_t>(i)].out);
  }
  void operator()(const HeadLinearOp& op) const { want_floats(op.product.out); }
  void operator()(const GateOp& op) const { want_floats(op.gate), want_floats(op.up); }
  void operator()(const RotateOp& op) const { want_floats(op.x); }
  void operator()(const StoreOp& op) const {
    want_floats(op.k), want_floats(op.k_rest), want_floats(op.v);
  }
  void operator()(const AttendOp& op) const {
    want_floats(op.q), want_floats(op.q_rest);
    want_floats(op.key_places), want_floats(op.query_places);
  }
  void operator()(const RouteOp& op) const { want_floats(op.logits), want_floats(op.routing); }
  void operator()(const WeighOp& op) const { want_floats(op.x); }
  void operator()(const CombineOp& op) const { want_floats(op.x), want_floats(op.out); }
  void operator()(const AddOp& op) const {
    want_floats(op.x), want_floats(op.out), want_floats(op.gate);
  }
  void operator()(const BlendOp& op) const {
    want_floats(op.x), want_floats(op.weights), want_floats(op.out);
  }
  void operator()(const MatchOp& op) const { want_floats(op.x), want_floats(op.like); }
  void operator()(const CutoffOp& op) const { want_floats(op.x); }
  void operator()(const CapOp& op) const { want_floats(op.x); }
  void operator()(const JoinOp& op) const {
    want_floats(op.x), want_floats(op.y), want_floats(op.out);
  }
  void operator()(const ConvolveOp& op) const { want_floats(op.x), want_floats(op.out); }
  void operator()(const ScanOp& op) const {
    want_floats(op.x), want_floats(op.a), want_floats(op.b), want_floats(op.out);
  }
  void operator()(const SelectiveOp& op) const {
    want_floats(op.x), want_floats(op.steps), want_floats(op.keys), want_floats(op.queries);
    want_floats(op.out);
  }
  void operator()(const GatedUnitOp& op) const {
    want_floats(op.x), want_floats(op.inputs), want_floats(op.gates), want_floats(op.out);
  }
  void operator()(const GatedNormOp& op) const { want_floats(op.x), want_floats(op.gate); }
  void operator()(const PoolOp& op) const { want_floats(op.x), want_floats(op.out); }
};

// Of a lane: what all ops rely on.
void check_batch(const BatchView& batch) {
  const auto tokens = static_cast<std::size_t>(batch.tokens());
  QUIRE_CHECK(batch.positions.size() == tokens &&
                  (batch.rows() == 0 || batch.row_begin.back() == batch.tokens()),
              "{} tokens, {} positions, rows to {}", tokens, batch.positions.size(),
              batch.rows() == 0 ? 0 : batch.row_begin.back());
  QUIRE_CHECK(batch.logits_tokens.size() <= tokens &&
                  (batch.logits_tokens.empty() || batch.logits_tokens.back() < batch.tokens()),
              "{} logits rows of {} tokens", batch.logits_tokens.size(), tokens);
}

void want_form(const Buffer& x, const Weight& weight) {
  const auto& packed = static_cast<const CpuPacked&>(*weight.packed);
  CpuBuffer& buffer = cpu(x);
  const ActivationForm form = packed.input_form();
  if (buffer.form(form)) return;
  buffer.grow(form);
  buffer.is_fresh = false;
}

}  // namespace

int CpuBackend::Step::rows(const Buffer& buffer) const {
  switch (buffer.rows) {
    case Rows::kTokens:
      return batch.tokens();
    case Rows::kWanted:
      return batch.logits_rows();
    case Rows::kPooled:
      return static_cast<int>(batch.pooled_rows.size());
    case Rows::kRouted:
      return batch.tokens() * buffer.per_token;
  }
  QUIRE_CHECK(false, "rows of kind {}", static_cast<int>(buffer.rows));
}

void CpuBackend::make_forms(const Program& program) {
  for (const Op& op : program.ops()) {
    std::visit(FloatsOf(), op);
    if (const auto* linear = std::get_if<LinearOp>(&op)) {
      for (int i = 0; i < linear->count; ++i) {
        want_form(*linear->x, *linear->products[static_cast<std::size_t>(i)].weight);
      }
    } else if (const auto* heads = std::get_if<HeadLinearOp>(&op)) {
      want_form(*heads->x, *heads->product.weight);
    }
  }
}

// Of positions behind the tables.
void CpuBackend::reach_angles(const Program& program, const BatchView& batch) {
  if (batch.positions.empty()) return;
  const int last = *std::max_element(batch.positions.begin(), batch.positions.end());
  for (const Op& op : program.ops()) {
    const auto* rotate = std::get_if<RotateOp>(&op);
    if (rotate != nullptr && rotate->rope->cosines) far_angles_.reach(*rotate->rope, last);
  }
}

void CpuBackend::run(const Program& program, const BatchView& batch, KvStore& kv) {
  check_batch(batch);
  if (batch.encoder != nullptr) check_batch(*batch.encoder);
  make_forms(program);
  promote_weight();
  reach_angles(program, batch);
  std::span<const Op> ops = program.ops();
  const Step step{batch, static_cast<CpuKvStore&>(kv), ops};
  while (!ops.empty()) {
    const Nanos start = watch_ == nullptr ? Nanos(0) : SteadyClock::now();
    const std::size_t ran = run_some(ops, step);
    if (watch_ != nullptr) watch_->ran(ops.first(ran), batch, kv, SteadyClock::now() - start);
    ops = ops.subspan(ran);
  }
}

// Runs the first ops of the span as one; returns how many.
std::size_t CpuBackend::run_some(std::span<const Op> ops, const Step& step) {
  if (const std::size_t ran = run_as_attention(ops, step); ran > 0) return ran;
  if (runs_as_linear_norm(ops, step) || runs_as_gated(ops, step)) return 2;
  std::visit([&](const auto& op) { run_op(op, step); }, ops.front());
  return 1;
}

bool CpuBackend::runs_as_linear_norm(std::span<const Op> ops, const Step& step) {
  const auto* linear = op_at<LinearOp>(ops, 0);
  const auto* norm = op_at<NormOp>(ops, 1);
  if (linear == nullptr || norm == nullptr || linear->count != 1 || linear->routing != nullptr) {
    return false;
  }
  if (norm->x != linear->products[0].out || norm->x->rows != norm->out->rows ||
      !makes_rows(linear->products[0])) {
    return false;
  }
  const auto outputs = find_outputs(*linear, step);
  if (outputs[0].rows > 0) {
    linear_norm(outputs[0], {cpu(*norm->x), nullptr, *norm->norm, cpu(*norm->out),
                             norm->accumulate});
  }
  return true;
}

bool CpuBackend::runs_as_gated(std::span<const Op> ops, const Step& step) {
  const auto* linear = op_at<LinearOp>(ops, 0);
  const auto* gate = op_at<GateOp>(ops, 1);
  if (linear == nullptr || gate == nullptr || linear->count != 2) return false;
  if (gate->clamped != nullptr) return false;
  const Product& first = linear->products[0];
  const Product& second = linear->products[1];
  const bool is_pair = gate->gate == first.out && gate->up == second.out && makes_rows(first) &&
                       first.weight->rows == second.weight->rows &&
                       first.weight->experts == second.weight->experts && !first.accumulate &&
                       !second.accumulate && gate->out->rows == first.out->rows;
  if (!is_pair) return false;
  const auto outputs = find_outputs(*linear, step);
  if (!outputs.empty() && outputs[0].rows > 0) {
    linear_gated(outputs, gate->activation, cpu(*gate->out));
  }
  return true;
}

// Rotations before a store, the store, and of few tokens the products before and the attention.
std::size_t CpuBackend::run_as_attention(std::span<const Op> ops, const Step& step) {
  const auto* linear = op_at<LinearOp>(ops, 0);
  std::size_t at = linear != nullptr ? 1 : 0;
  const std::size_t rotations = at;
  while (at < rotations + 2 && op_at<RotateOp>(ops, at) != nullptr) ++at;
  const auto* store = op_at<StoreOp>(ops, at);
  const auto* attend = op_at<AttendOp>(ops, at + 1);
  if (store == nullptr || attend == nullptr) return 0;
  const RotateOp *rotate_q = nullptr, *rotate_k = nullptr;
  for (std::size_t i = rotations; i < at; ++i) {
    const RotateOp& rotate = std::get<RotateOp>(ops[i]);
    if (rotate.x != attend->q && rotate.x != store->k) return 0;
    (rotate.x == attend->q ? rotate_q : rotate_k) = &rotate;
  }
  const BatchView& batch = step.batch;
  const std::size_t group = step.group(store->cache.group);
  const CpuKvGroup& memory = step.kv.memory[group];
  const StoreCall storing{batch,    batch.groups[group], memory, store->cache.layer,
                          rotate_q, rotate_k,            store};
  if (linear == nullptr) {
    if (rotate_q != nullptr) cpu(*rotate_q->x).is_fresh = false;
    if (batch.tokens() > 0) store_all(storing);
    return at + 1;
  }
  const Attend shape = shape_of(*attend->attend, memory.shape);
  const bool is_plain =
      linear->count == 3 && linear->routing == nullptr &&
      std::all_of(linear->products.begin(), linear->products.begin() + 3, makes_rows) &&
      linear->products[0].out == attend->q &&
      linear->products[1].out == store->k && linear->products[2].out == store->v &&
      store->k_rest == nullptr && attend->q_rest == nullptr && attend->key_places == nullptr &&
      attend->query_places == nullptr && shape.k_dim == shape.v_dim &&
      shape.k_dim % kernels_.tile_rows == 0 && shape.cache.group == store->cache.group &&
      batch.tokens() <= kFusedTokensMax;
  if (!is_plain) return 0;
  const auto outputs = find_outputs(*linear, step);
  if (outputs[0].rows > 0) {
    AttentionCall call{shape, batch, batch.groups[group], cpu(*attend->q), memory,
                       shape.cache.layer, cpu(*attend->out)};
    find_turn(*attend, step, call);
    attend_fused(outputs, storing, call);
  }
  return at + 2;
}

void CpuBackend::run_op(const LinearOp& op, const Step& step) { linear(find_outputs(op, step)); }

}  // namespace quire
