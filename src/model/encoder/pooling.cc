#include "model/encoder/pooling.h"

#include <fmt/format.h>

namespace quire {
namespace {

std::size_t size(int value) { return static_cast<std::size_t>(value); }

std::string name_of(std::size_t stage) { return fmt::format("pooled.{}", stage); }

Stored with_end(Stored stored, const char* end) {
  if (!stored.name.empty()) stored.name += end;
  return stored;
}

std::string with_end(std::string name, const char* end) {
  return name.empty() ? name : std::move(name) + end;
}

}  // namespace

void add_pooled_rules(const PooledConfig& config, int width, TensorRules& rules) {
  int columns = width;
  for (std::size_t i = 0; i < config.stages.size(); ++i) {
    const PooledStage& stage = config.stages[i];
    const std::string name = name_of(i);
    rules.add({name, with_end(stage.gguf, ".weight"), with_end(stage.hf, ".weight"),
               {size(stage.rows), size(columns)},
               i < size(config.before) ? Role::kMatrix : Role::kHead});
    if (stage.has_bias) {
      rules.add({name + "_bias", with_end(stage.gguf, ".bias"), with_end(stage.hf, ".bias"),
                 {size(stage.rows)}, Role::kBias});
    }
    columns = stage.rows;
    if (stage.norm_hf.empty() && stage.norm_gguf.empty()) continue;
    rules.add({name + "_norm", with_end(stage.norm_gguf, ".weight"),
               with_end(stage.norm_hf, ".weight"), {size(columns)}, Role::kNorm});
    if (!stage.has_norm_bias) continue;
    rules.add({name + "_norm_bias", with_end(stage.norm_gguf, ".bias"),
               with_end(stage.norm_hf, ".bias"), {size(columns)}, Role::kBias});
  }
}

int pooled_width(const PooledConfig& config, int width) {
  return config.stages.empty() ? width : config.stages.back().rows;
}

std::string pooled_text(const PooledConfig& config) {
  std::string text = config.pool == Pool::kMean    ? "mean of all tokens"
                     : config.pool == Pool::kFirst ? "the first token"
                                                   : "the last token";
  if (config.labels > 0) {
    return fmt::format("{}, a head of {} label{}", text, config.labels,
                       config.labels == 1 ? "" : "s");
  }
  for (const PooledStage& stage : config.stages) text += fmt::format(", dense {}", stage.rows);
  return config.is_normalised ? text + ", of length one" : text;
}

Status PooledHead::load(const PooledConfig& config, int width, WeightLoader& loader,
                        Backend& backend, const ModelOptions& options) {
  pool_ = config.is_settled ? config.pool : options.pool.value_or(config.pool);
  before_ = size(config.before);
  is_normalised_ = config.is_normalised;
  int columns = width;
  const auto buffer = [&](std::size_t stage, int of_columns) {
    return stage < before_ ? backend.buffer(Rows::kTokens, options.tokens_max, of_columns)
                           : backend.buffer(Rows::kPooled, options.pooled_rows_max, of_columns);
  };
  for (std::size_t i = 0; i < config.stages.size(); ++i) {
    const std::string name = name_of(i);
    Stage& stage = stages_.emplace_back();
    stage.activation = config.stages[i].activation;
    stage.norm = {Norm::Kind::kLayer, {}, {}, config.eps};
    if (i == before_) pooled_ = buffer(before_, columns);
    QUIRE_ASSIGN_OR_RETURN(stage.weight, loader.matrix(name));
    QUIRE_ASSIGN_OR_RETURN(stage.bias, loader.optional_vector(name + "_bias"));
    QUIRE_RETURN_IF_ERROR(load_norm(loader, name + "_norm", stage.norm));
    columns = config.stages[i].rows;
    stage.product = buffer(i, columns);
    if (stage.activation) stage.active = buffer(i, columns);
    if (stage.norm) stage.normed = buffer(i, columns);
  }
  if (before_ >= stages_.size()) pooled_ = buffer(before_, columns);
  last_ = before_ < stages_.size() ? stages_.back().out() : pooled_;
  unit_ = {Norm::Kind::kL2, {}, {}, 1e-24f};
  if (is_normalised_) normed_ = buffer(before_, columns);
  return ok_status();
}

void PooledHead::run_stage(Program& p, const Stage& stage, const Buffer& x) const {
  p.linear(x, {{&stage.weight, &stage.product, &stage.bias}});
  if (stage.activation) p.activate(*stage.activation, stage.product, stage.active);
  if (!stage.norm) return;
  p.norm(stage.activation ? stage.active : stage.product, stage.norm, stage.normed);
}

void PooledHead::run(Program& p, const Buffer& states) const {
  const Buffer* x = &states;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    if (i == before_) {
      p.add(PoolOp{x, &pooled_, pool_});
      x = &pooled_;
    }
    run_stage(p, stages_[i], *x);
    x = &stages_[i].out();
  }
  if (before_ >= stages_.size()) p.add(PoolOp{x, &pooled_, pool_});
  if (is_normalised_) p.norm(last_, unit_, normed_);
}

}  // namespace quire
