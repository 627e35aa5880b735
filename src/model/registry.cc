#include "model/registry.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "formats/config/config_ranges.h"
#include "formats/config/hf_config.h"

namespace quire {

// One row for each file of model/arch.
extern const Architecture kLlama, kMistral, kQwen2, kQwen3;
extern const Architecture kMixtral, kQwen3Moe, kDeepseekV2, kDeepseekV3;
extern const Architecture kGpt2, kGemma2, kGemma3, kBloom, kFalcon, kGptNeox;
extern const Architecture kPhi3, kPhi, kStableLm, kStarCoder2, kGptBigCode, kOpt, kMpt, kGptJ;
extern const Architecture kCodeGen, kGptNeo, kPersimmon;
extern const Architecture kGraniteHybrid, kQwen3Next, kQwen3_5;
extern const Architecture kFalconH1, kBamba, kNemotronH, kMamba, kFalconMamba, kMamba2;
extern const Architecture kLfm2, kLfm2Moe, kJamba, kRecurrentGemma, kKimiLinear, kZamba2;
extern const Architecture kOlmo, kOlmo2, kOlmo3, kOlmoe, kGranite, kGraniteMoe;
extern const Architecture kCohere, kCohere2, kGlm, kGlm4, kGlm4Moe, kDots1;
extern const Architecture kSmolLm3, kExaone4, kSeedOss, kHelium, kArcee, kNemotron, kApertus;
extern const Architecture kHunyuan, kHunyuanMoe, kErnie, kErnieMoe, kMiniMaxM2, kGptOss, kInternLm2;
extern const Architecture kT5, kUmt5, kBart, kMbart, kPegasus, kMarian, kM2m100;
extern const Architecture kBert, kRoberta, kDistilBert, kModernBert, kMpnet, kAlbert, kNomicBert;
extern const Architecture kDeberta, kDebertaV2;
extern const Architecture kEuroBert, kPooledGemma, kPooledLlama, kMinistral, kMinistral3;
extern const Architecture kDeepseekV32, kMistral4, kQwen2Moe, kLlama4, kPhiMoe, kDbrx, kBitNet;
extern const Architecture kGemma4, kGemma3n, kGemma, kQwen, kBaichuan, kJinaBert;

namespace {

constexpr std::array kArchitectures = {
    &kLlama,
    &kMistral,
    &kQwen2,
    &kQwen3,
    &kMixtral,
    &kQwen3Moe,
    &kDeepseekV2,
    &kDeepseekV3,
    &kGpt2,
    &kGemma2,
    &kGemma3,
    &kBloom,
    &kFalcon,
    &kGptNeox,
    &kPhi3,
    &kPhi,
    &kStableLm,
    &kStarCoder2,
    &kGptBigCode,
    &kOpt,
    &kMpt,
    &kGptJ,
    &kCodeGen,
    &kGptNeo,
    &kPersimmon,
    &kGraniteHybrid,
    &kQwen3Next,
    &kQwen3_5,
    &kFalconH1,
    &kBamba,
    &kNemotronH,
    &kMamba,
    &kFalconMamba,
    &kMamba2,
    &kLfm2,
    &kLfm2Moe,
    &kJamba,
    &kRecurrentGemma,
    &kKimiLinear,
    &kZamba2,
    &kOlmo,
    &kOlmo2,
    &kOlmo3,
    &kOlmoe,
    &kGranite,
    &kGraniteMoe,
    &kCohere,
    &kCohere2,
    &kGlm,
    &kGlm4,
    &kGlm4Moe,
    &kDots1,
    &kSmolLm3,
    &kExaone4,
    &kSeedOss,
    &kHelium,
    &kArcee,
    &kNemotron,
    &kApertus,
    &kHunyuan,
    &kHunyuanMoe,
    &kErnie,
    &kErnieMoe,
    &kMiniMaxM2,
    &kGptOss,
    &kInternLm2,
    &kDeepseekV32,
    &kMistral4,
    &kMinistral,
    &kMinistral3,
    &kQwen2Moe,
    &kLlama4,
    &kPhiMoe,
    &kDbrx,
    &kBitNet,
    &kGemma,
    &kGemma4,
    &kGemma3n,
    &kQwen,
    &kBaichuan,
    &kT5,
    &kUmt5,
    &kBart,
    &kMbart,
    &kPegasus,
    &kMarian,
    &kM2m100,
    &kBert,
    &kRoberta,
    &kDistilBert,
    &kModernBert,
    &kMpnet,
    &kAlbert,
    &kNomicBert,
    &kDeberta,
    &kDebertaV2,
    &kEuroBert,
    &kJinaBert,
    &kPooledGemma,
    &kPooledLlama,
};

std::string known_names() {
  std::string names;
  for (const Architecture* row : kArchitectures) {
    names += names.empty() ? "" : ", ";
    names += row->name;
  }
  return names;
}

// A causal model, perhaps the part of a larger one that reads text; or a class that the row names:
// what else a class does is not in its tensors.
Status check_classes(const Architecture& row, const std::vector<std::string>& classes,
                     bool is_part) {
  for (const std::string& name : classes) {
    const bool is_named =
        std::find(std::begin(row.classes), std::end(row.classes), name) != std::end(row.classes);
    const bool is_causal =
        name.ends_with("ForCausalLM") || (is_part && name.ends_with("ForConditionalGeneration"));
    if (is_named || (row.classes[0].empty() && is_causal)) continue;
    return error(StatusCode::kUnsupported,
                 "architectures in config.json: \"{}\" is not a causal language model",
                 name.substr(0, 64));
  }
  return ok_status();
}

Status check_facts(const ModelFacts& facts) {
  const Words& words = facts.words;
  if (words.bos_id >= facts.vocab) {
    return error(StatusCode::kCorrupt, "BOS id {} is outside the vocabulary of {}", words.bos_id,
                 facts.vocab);
  }
  for (const TokenId id : words.eos_ids) {
    if (id >= 0 && id < facts.vocab) continue;
    return error(StatusCode::kCorrupt, "EOS id {} is outside the vocabulary of {}", id,
                 facts.vocab);
  }
  return ok_status();
}

}  // namespace

std::span<const Architecture* const> all_architectures() { return kArchitectures; }

Result<const Architecture*> find_architecture(std::string_view file_name,
                                              const ConfigFields* fields) {
  for (const Architecture* row : kArchitectures) {
    const bool is_asked = fields != nullptr && row->is_meant != nullptr;
    if (is_asked && row->is_called(file_name) && row->is_meant(*fields)) return row;
  }
  for (const Architecture* row : kArchitectures) {
    if (row->files[0] == file_name) return row;
    if (row->is_meant == nullptr && row->is_called(file_name)) return row;
  }
  return error(StatusCode::kUnsupported, "architecture '{}' is not known; known are {}",
               file_name.substr(0, 64), known_names());
}

Result<Design> design_of_checkpoint(const Checkpoint& checkpoint) {
  const auto row = find_architecture(checkpoint.architecture, &checkpoint.fields);
  if (!row.is_ok()) {
    return error(row.status().code(), "{}: {}", checkpoint.architecture_place,
                 row.status().message());
  }
  QUIRE_RETURN_IF_ERROR(check_classes(**row, checkpoint.classes, checkpoint.is_part));
  QUIRE_ASSIGN_OR_RETURN(Design design, (*row)->design(checkpoint.fields, checkpoint.vocab));
  design.facts.architecture = (*row)->name;
  design.facts.name = checkpoint.name;
  design.facts.words = checkpoint.words;
  QUIRE_RETURN_IF_ERROR(check_facts(design.facts));
  return design;
}

Result<std::unique_ptr<Model>> make_model(const Design& design, const TensorFinder& find,
                                          Backend& backend, const ModelOptions& options,
                                          const LoadProgress& progress) {
  QUIRE_CHECK(design.build != nullptr && find != nullptr, "a model of nothing");
  QUIRE_CHECK(options.tokens_max > 0 && options.logits_rows_max > 0,
              "a model for {} tokens and {} rows of logits", options.tokens_max,
              options.logits_rows_max);
  ModelOptions resolved = options;
  if (resolved.context_max == 0) resolved.context_max = design.facts.context_max;
  WeightLoader loader(design.tensors, find, backend, options.weights, progress);
  return design.build(loader, backend, resolved);
}

// --- random shapes ---

namespace {

// The names of all rows' shapes, in their order.
const std::vector<std::string_view>& shape_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const Architecture* row : kArchitectures) {
      for (const RandomShape& shape : row->shapes) {
        if (!shape.name.empty()) all.push_back(shape.name);
      }
    }
    return all;
  }();
  return names;
}

}  // namespace

std::span<const std::string_view> random_shapes() { return shape_names(); }

Result<Design> design_of_json(std::string_view architecture, std::string_view config,
                              Naming naming) {
  QUIRE_ASSIGN_OR_RETURN(const Architecture* row, find_architecture(architecture));
  QUIRE_ASSIGN_OR_RETURN(Json json, parse_json(config));
  const auto root = std::make_shared<const Json>(std::move(json));
  const ConfigFields fields = config_fields(root, nullptr, naming, nullptr);
  const int vocab = fields.integer("vocab_size", 1, kVocabMax);
  QUIRE_ASSIGN_OR_RETURN(Design design, row->design(fields, vocab));
  design.facts.architecture = row->name;
  return design;
}

const RandomShape* find_shape(std::string_view name) {
  for (const Architecture* row : kArchitectures) {
    for (const RandomShape& shape : row->shapes) {
      if (!shape.name.empty() && shape.name == name) return &shape;
    }
  }
  return nullptr;
}

Result<Design> design_of_shape(std::string_view name) {
  for (const Architecture* row : kArchitectures) {
    for (const RandomShape& shape : row->shapes) {
      if (shape.name.empty() || shape.name != name) continue;
      QUIRE_ASSIGN_OR_RETURN(Design design,
                             design_of_json(row->files[0], shape.config, shape.naming));
      design.facts.name = name;
      return design;
    }
  }
  return error(StatusCode::kNotFound, "shape '{}' is not known; known are {}", name,
               fmt::join(shape_names(), ", "));
}

}  // namespace quire
