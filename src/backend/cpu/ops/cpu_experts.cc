// CpuBackend's products that choose among matrices: experts (Shazeer et al., 2017), one list of
// tokens for each, and heads with a matrix of their own. Tokens are sorted by expert, so that each
// expert's rows are one small batch and its weights are read once; a token's results are summed in
// the order of their rank, whatever else was in the batch.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "backend/cpu/cpu_backend.h"
#include "kernels/router.h"

namespace quire {

// Which expert each token goes to, and where its row then lies.
void CpuBackend::run_op(const RouteOp& op, const Step& step) {
  const Router& router = *op.router;
  const int tokens = step.rows(*op.logits), used = router.used;
  QUIRE_CHECK(op.logits->columns == router.experts && op.routing->columns == used,
              "a router of {} experts, {} used: {} logits into {}", router.experts, used,
              op.logits->columns, op.routing->columns);
  CpuBuffer& weights = cpu(*op.routing);
  CpuRouting& routing = weights.routing;
  const auto rows = static_cast<std::size_t>(tokens * used);
  routing.experts.resize(rows);
  routing.place.resize(rows);
  routing.token_of.resize(rows);
  routing.begin.assign(static_cast<std::size_t>(router.experts) + 1, 0);
  RouterSpec spec;
  spec.experts = router.experts;
  spec.top_k = used;
  spec.is_sigmoid = router.is_sigmoid;
  spec.sparse_margin = router.sparse_margin;
  spec.expert_scale = router.expert_scale.values.get();
  spec.correction = router.correction.values.get();
  spec.groups = router.groups;
  spec.groups_kept = router.groups_kept;
  spec.is_group_by_two = router.is_group_by_two;
  spec.is_renormalised = router.is_renormalised;
  spec.scale = router.scale;
  // Of a worker: what the choice needs, and the choice.
  const auto scores = static_cast<std::size_t>(route_scratch_floats(router.experts));
  const std::size_t room =
      scores + static_cast<std::size_t>(used) * sizeof(RoutedExpert) / sizeof(float);
  grow_scratch(room);
  for_rows(tokens, router.experts, [&](int token, int worker) {
    float* floats = scratch(worker, room);
    const std::span<RoutedExpert> chosen(reinterpret_cast<RoutedExpert*>(floats + scores),
                                         static_cast<std::size_t>(used));
    route(kernels_, spec, cpu(*op.logits).floats(token), floats, chosen);
    for (int rank = 0; rank < used; ++rank) {
      const RoutedExpert& one = chosen[static_cast<std::size_t>(rank)];
      routing.experts[static_cast<std::size_t>(token * used + rank)] = one.expert;
      weights.floats(token)[rank] = one.weight;
    }
  });
  for (const std::int32_t expert : routing.experts) {
    ++routing.begin[static_cast<std::size_t>(expert) + 1];
  }
  std::partial_sum(routing.begin.begin(), routing.begin.end(), routing.begin.begin());
  QUIRE_CHECK(static_cast<std::size_t>(routing.begin.back()) == rows, "{} of {} rows were routed",
              routing.begin.back(), rows);
  std::vector<std::int32_t>& next = routing.next;
  next.assign(routing.begin.begin(), routing.begin.end() - 1);
  for (std::size_t i = 0; i < rows; ++i) {
    const std::int32_t place = next[static_cast<std::size_t>(routing.experts[i])]++;
    routing.place[i] = place;
    routing.token_of[static_cast<std::size_t>(place)] = static_cast<std::int32_t>(i) / used;
  }
}

// Rows of tokens brought together by expert; routed rows lie so already. Of the weights that read
// what lies there; null: there is none.
const CpuBuffer::Form* CpuBackend::expert_inputs(const LinearOp& op, int rows, bool is_by_token) {
  const CpuRouting& routing = cpu(*op.routing).routing;
  CpuBuffer& x = cpu(*op.x);
  const CpuBuffer::Form* input = nullptr;
  for (int i = 0; i < op.count; ++i) {
    const Product& product = op.products[static_cast<std::size_t>(i)];
    const auto& packed = static_cast<const CpuPacked&>(*product.weight->packed);
    QUIRE_CHECK(product.weight->columns == x.columns &&
                    product.weight->rows == product.out->columns &&
                    product.out->rows == Rows::kRouted && !product.accumulate && packed.data,
                "'{}': experts of {} x {} read {} columns and write {}", packed.name,
                product.weight->rows, product.weight->columns, x.columns, product.out->columns);
    if (packed.has_rules) continue;  // each expert may want its rows in another way
    const CpuBuffer::Form& form = input_of(x, rows, packed);
    QUIRE_CHECK(input == nullptr || input == &form, "'{}' reads another form than its neighbour",
                packed.name);
    input = &form;
  }
  if (input == nullptr || !is_by_token || rows <= 1) return input;
  expert_input_.resize(static_cast<int>(routing.token_of.size()), input->stride - 1);
  pool_.for_each(static_cast<int>(routing.token_of.size()), [&](int place, int) {
    std::memcpy(expert_input_.row(place),
                input->row(routing.token_of[static_cast<std::size_t>(place)]),
                std::min(input->stride, expert_input_.stride));
  });
  return &expert_input_;
}

// The same for a weight whose experts have rules for their rows.
const CpuBuffer::Form& CpuBackend::own_expert_inputs(const LinearOp& op, const CpuPacked& packed) {
  const CpuRouting& routing = cpu(*op.routing).routing;
  CpuBuffer& x = cpu(*op.x);
  const bool is_by_token = op.x->rows != Rows::kRouted;
  const auto places = static_cast<int>(routing.token_of.size());
  OwnInput& made = next_own_input(places, packed);
  made.scale = -1;  // is no other weight's
  const auto room = static_cast<std::size_t>(x.columns);
  grow_scratch(room);
  pool_.for_each(places, [&](int place, int worker) {
    const auto after = std::upper_bound(routing.begin.begin(), routing.begin.end(), place);
    const auto expert = static_cast<std::size_t>(after - routing.begin.begin()) - 1;
    const int row = is_by_token ? routing.token_of[static_cast<std::size_t>(place)] : place;
    write_own_input(packed, packed.rule(expert), x.floats(row), scratch(worker, room),
                    made.form.row(place));
  });
  return made.form;
}

// One output for each expert that has rows.
std::span<LinearOutput> CpuBackend::find_expert_outputs(const LinearOp& op, const Step& step) {
  const CpuRouting& routing = cpu(*op.routing).routing;
  const bool is_by_token = op.x->rows != Rows::kRouted;
  const int rows = step.rows(*op.x);
  linear_outputs_.clear();
  own_inputs_used_ = 0;
  if (rows == 0) return {};
  const CpuBuffer::Form* shared = expert_inputs(op, rows, is_by_token);
  for (int i = 0; i < op.count; ++i) {
    const Product& product = op.products[static_cast<std::size_t>(i)];
    const auto& packed = static_cast<const CpuPacked&>(*product.weight->packed);
    const CpuBuffer::Form* input = packed.has_rules ? &own_expert_inputs(op, packed) : shared;
    CpuBuffer& out = cpu(*product.out);
    out.is_fresh = false;
    for (int expert = 0; expert < product.weight->experts; ++expert) {
      const auto e = static_cast<std::size_t>(expert);
      const int begin = routing.begin[e], count = routing.begin[e + 1] - begin;
      if (count == 0) continue;
      LinearOutput& output = linear_outputs_.emplace_back();
      output.weight = product.weight;
      output.expert = expert;
      output.row = is_by_token && rows == 1 && !packed.has_rules ? 0 : begin;
      output.rows = count;
      output.out = out.floats(begin);
      output.out_row = begin;
      output.stride = out.stride();
      const bool has_bias = product.bias != nullptr && *product.bias;
      output.bias =
          has_bias ? product.bias->values.get() + std::ptrdiff_t{expert} * product.weight->rows
                   : nullptr;
      output.x = input;
    }
  }
  return linear_outputs_;
}

void CpuBackend::run_op(const WeighOp& op, const Step& step) {
  const CpuBuffer& weights = cpu(*op.routing);
  CpuBuffer& x = cpu(*op.x);
  const int columns = op.x->columns, used = weights.columns;
  QUIRE_CHECK(op.x->rows == Rows::kRouted, "rows of {} columns that nobody routed", columns);
  for_rows(step.rows(*op.routing), columns * used, [&](int token, int) {
    for (int rank = 0; rank < used; ++rank) {
      float* row = x.floats(weights.routing.place[static_cast<std::size_t>(token * used + rank)]);
      const float weight = weights.floats(token)[rank];
      for (int i = 0; i < columns; ++i) row[i] *= weight;
    }
  });
  x.is_fresh = false;
}

void CpuBackend::run_op(const CombineOp& op, const Step& step) {
  const int tokens = step.rows(*op.out), columns = op.out->columns;
  CpuBuffer& out = cpu(*op.out);
  const CpuBuffer &x = cpu(*op.x), &weights = cpu(*op.routing);
  const int used = weights.columns;
  QUIRE_CHECK(op.x->columns == columns &&
                  weights.routing.place.size() >= static_cast<std::size_t>(tokens * used),
              "{} rows of {} columns are summed into {} x {}", weights.routing.place.size(),
              op.x->columns, tokens, columns);
  for_rows(tokens, columns * used, [&](int token, int) {
    float* y = out.floats(token);
    if (op.is_new) std::fill_n(y, columns, 0.0f);
    const std::int32_t* places =
        weights.routing.place.data() + static_cast<std::ptrdiff_t>(token) * used;
    for (int rank = 0; rank < used; ++rank) {
      const float weight = op.is_weighted ? weights.floats(token)[rank] : 1.0f;
      kernels_.add_scaled(x.floats(places[rank]), op.scale * weight, columns, y);
    }
  });
  out.is_fresh = false;
}

// --- heads ---

void CpuBackend::run_op(const HeadLinearOp& op, const Step& step) {
  const HeadProduct& product = op.product;
  const Weight& weight = *product.weight;
  const int rows = step.rows(*op.x);
  CpuBuffer& x = cpu(*op.x);
  CpuBuffer& out = cpu(*product.out);
  const int part = op.x->columns / weight.experts;  // of x, of which a head reads the beginning
  QUIRE_CHECK(op.x->columns % weight.experts == 0 && part >= weight.columns &&
                  product.out_begin + (weight.experts - 1) * product.out_stride + weight.rows <=
                      product.out->columns,
              "'{}': {} heads of {} x {} read {} columns and write {}", weight.packed->name,
              weight.experts, weight.rows, weight.columns, op.x->columns, product.out->columns);
  if (rows == 0) return;
  const auto& packed = static_cast<const CpuPacked&>(*weight.packed);
  QUIRE_CHECK(!packed.has_rules, "'{}': heads whose inputs are arranged", packed.name);
  own_inputs_used_ = 0;
  const CpuBuffer::Form& form = input_of(x, rows, packed);
  const auto width = static_cast<std::size_t>(part);
  std::size_t head_bytes = width * sizeof(float);
  if (packed.input_form() == ActivationForm::kBF16) head_bytes = width * 2;
  if (packed.input_form() == ActivationForm::kInt8) {
    QUIRE_CHECK(part % 32 == 0, "'{}': heads of {} values are no whole groups", packed.name, part);
    head_bytes = width / 32 * sizeof(ActivationBlock);
  }
  QUIRE_CHECK(packed.input_form() != ActivationForm::kInt8Token, "'{}': heads of one scale",
              packed.name);
  linear_outputs_.clear();
  for (int head = 0; head < weight.experts; ++head) {
    LinearOutput& output = linear_outputs_.emplace_back();
    output.weight = &weight;
    output.expert = head;
    output.rows = rows;
    output.out = out.floats(0) + product.out_begin + std::ptrdiff_t{head} * product.out_stride;
    output.stride = out.stride();
    output.x = &form;
    output.x_offset = static_cast<std::size_t>(head) * head_bytes;
  }
  out.is_fresh = false;
  linear(linear_outputs_);
}

}  // namespace quire
