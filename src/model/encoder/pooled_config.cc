#include "model/encoder/pooled_config.h"

#include <algorithm>

#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "formats/config/sentence_modules.h"

namespace quire {
namespace {

constexpr int kLabelsMax = 1 << 20;
constexpr int kByRank = 4;  // pooling_type of GGUF
constexpr Key kPoolingType = {"", "pooling_type"};

// The kinds of GGUF: 0 none, 1 mean, 2 first, 3 last, 4 a rank.
Pool pool_of_gguf(const ConfigFields& fields, Pool fallback) {
  if (!fields.has(kPoolingType)) return fallback;
  switch (fields.integer(kPoolingType, 0, kByRank)) {
    case 1:
      return Pool::kMean;
    case 2:
      return Pool::kFirst;
    case 3:
      return Pool::kLast;
    default:
      return fallback;
  }
}

// As PyTorch calls them: "torch.nn.modules.activation.Tanh".
std::optional<Activation> activation_of(const ConfigFields& dense) {
  const std::string full = dense.string("activation_function", "Identity");
  const std::string name = full.substr(full.rfind('.') + 1);
  if (name == "Tanh") return Activation::kTanh;
  if (name == "ReLU") return Activation::kRelu;
  if (name == "GELU") return Activation::kGelu;
  if (name == "SiLU") return Activation::kSilu;
  if (name == "Sigmoid") return Activation::kSigmoid;
  if (name == "Identity") return std::nullopt;
  dense.fail(error(StatusCode::kUnsupported,
                   "{}: '{}' is not supported; known are Identity, Tanh, ReLU, GELU, SiLU, Sigmoid",
                   dense.name_of("activation_function"), full.substr(0, 64)));
  return std::nullopt;
}

void read_modules(const ConfigFields& modules, PooledConfig& pooled) {
  const std::string way = modules.string("pooling", "");
  if (way == "mean") pooled.pool = Pool::kMean;
  if (way == "cls") pooled.pool = Pool::kFirst;
  if (way == "lasttoken") pooled.pool = Pool::kLast;
  pooled.is_normalised = modules.boolean("is_normalised", false);
  pooled.is_list_of_modules = true;
  modules.mark(kLeavesPromptsOut);  // for who asks
  for (int i = 0;; ++i) {
    const std::string name = fmt::format("dense_{}", i);
    const auto dense = modules.object(name.c_str());
    if (!dense) return;
    PooledStage& stage = pooled.stages.emplace_back();
    stage.rows = dense->integer("out_features", 1, kModelWidthMax);
    dense->mark("in_features");  // the width before it: the tensor's shape tells
    stage.has_bias = dense->boolean("bias", true);
    stage.hf = dense->string("folder") + ".linear";
    stage.activation = activation_of(*dense);
    for (const char* kept : {"module_input_name", "module_output_name"}) {
      dense->refuse_unless(kept, "sentence_embedding");
    }
  }
}

// Of EmbeddingGemma, numbered as the modules are.
void read_dense_of_gguf(const ConfigFields& fields, PooledConfig& pooled) {
  for (const char* name : {"dense_2", "dense_3"}) {
    const std::string tensor_name = std::string(name) + ".weight";
    const TensorView* tensor = fields.tensor({"", tensor_name});
    if (tensor == nullptr || tensor->shape.size() != 2) continue;
    PooledStage& stage = pooled.stages.emplace_back();
    stage.rows = static_cast<int>(std::min<std::size_t>(tensor->shape[0], kModelWidthMax));
    stage.has_bias = false;
    stage.gguf = name;
  }
  for (const char* end : {"dense_2_feat_in", "dense_2_feat_out", "dense_3_feat_in",
                          "dense_3_feat_out"}) {
    fields.mark({"", end});  // which the tensors say
  }
}

bool has_class(const ConfigFields& fields, std::string_view end) {
  const std::vector<std::string> classes = fields.strings({"architectures", ""});
  return std::any_of(classes.begin(), classes.end(),
                     [&](const std::string& name) { return name.ends_with(end); });
}

int labels_of(const ConfigFields& fields) {
  if (fields.is_gguf()) {
    const TensorView* tensor = fields.tensor({"", "cls.output.weight"});
    fields.mark({"", "classifier.output_labels"});
    if (tensor == nullptr || tensor->shape.size() != 2) return 1;
    return static_cast<int>(std::min<std::size_t>(tensor->shape[0], kLabelsMax));
  }
  const auto named = static_cast<int>(
      std::min<std::size_t>(fields.size_of({"id2label", ""}), kLabelsMax));
  return named > 0 ? named : fields.integer({"num_labels", ""}, 1, kLabelsMax, 2);
}

}  // namespace

bool is_classifier(const ConfigFields& fields) {
  if (fields.is_gguf()) return fields.integer(kPoolingType, 0, kByRank, 0) == kByRank;
  return has_class(fields, "ForSequenceClassification");
}

bool is_made_to_pool(const ConfigFields& fields) {
  if (fields.is_gguf()) return fields.integer(kPoolingType, 0, kByRank, 0) != 0;
  return fields.has({kModulesField, ""}) || is_classifier(fields) || has_class(fields, "Model");
}

PooledConfig read_pooled(const ConfigFields& fields, Pool fallback) {
  PooledConfig pooled;
  pooled.pool = fallback;
  if (fields.is_gguf()) {
    pooled.pool = pool_of_gguf(fields, fallback);
    read_dense_of_gguf(fields, pooled);
  } else if (const auto modules = fields.object({kModulesField, ""})) {
    read_modules(*modules, pooled);
  }
  return pooled;
}

PooledConfig read_classifier(const ConfigFields& fields, const ClassifierHead& head, int width) {
  PooledConfig pooled;
  pooled.pool = head.pool;
  pooled.is_settled = true;
  pooled.labels = labels_of(fields);
  const bool is_without =
      fields.is_gguf() && fields.tensor({"", "cls.weight"}) == nullptr;  // the dense product
  if (!head.dense_hf.empty() && !is_without) {
    PooledStage& dense = pooled.stages.emplace_back();
    dense.rows = width;
    dense.gguf = "cls";
    dense.hf = head.dense_hf;
    dense.has_bias = head.has_dense_bias;
    dense.activation = head.activation;
    dense.norm_hf = head.norm_hf;
  }
  PooledStage& out = pooled.stages.emplace_back();
  out.rows = pooled.labels;
  out.gguf = "cls.output";
  out.hf = head.out_hf;
  out.has_bias = head.has_out_bias;
  return pooled;
}

}  // namespace quire
