#include "model/model_files.h"

#include <algorithm>

#include "base/hash.h"
#include "formats/in_file.h"
#include "model/registry.h"

namespace quire {
namespace {

void count_weights(const TensorMap& tensors, ModelFacts& facts) {
  std::vector<std::pair<int, std::string_view>> counts;
  for (const DTypeInfo& row : kDTypes) counts.emplace_back(0, row.name);
  facts.parameters = facts.weight_bytes = 0;
  for (const auto& [name, tensor] : tensors) {
    facts.parameters += tensor.rows() * tensor.columns();
    facts.weight_bytes += tensor.bytes();
    --counts[static_cast<std::size_t>(tensor.dtype)].first;  // negative: most first when sorted
  }
  std::stable_sort(counts.begin(), counts.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  facts.weight_types.clear();
  for (const auto& [count, name] : counts) {
    if (count == 0) break;
    facts.weight_types +=
        fmt::format("{}{} {}", facts.weight_types.empty() ? "" : ", ", name, -count);
  }
}

Status put_on(std::span<const AdapterChoice> choices, const Checkpoint& checkpoint,
              ModelFiles::Parts& parts) {
  if (choices.empty()) return ok_status();
  ModelFacts& facts = parts.design.facts;
  QUIRE_ASSIGN_OR_RETURN(
      parts.adapters,
      Adapters::open(choices, {parts.design.tensors, parts.tensors.views(),
                               checkpoint.fields.naming(), checkpoint.architecture,
                               facts.has_tied_head}));
  parts.tensors.put_on(parts.adapters.deltas(), parts.adapters.wholes());
  for (const std::string& note : parts.adapters.notes()) facts.notes.emplace_back("adapter", note);
  return ok_status();
}

Result<ModelFiles::Parts> match(Checkpoint checkpoint, std::span<const AdapterChoice> adapters) {
  ModelFiles::Parts parts;
  QUIRE_ASSIGN_OR_RETURN(parts.design, design_of_checkpoint(checkpoint));
  QUIRE_ASSIGN_OR_RETURN(parts.tensors, MatchedTensors::match(parts.design.tensors, checkpoint,
                                                              parts.design.facts.architecture));
  QUIRE_RETURN_IF_ERROR(put_on(adapters, checkpoint, parts));
  ModelFacts& facts = parts.design.facts;
  if (!checkpoint.quantization.empty()) {
    facts.notes.emplace_back("quantized", checkpoint.quantization);
  }
  if (!checkpoint.rounded.empty()) {
    facts.notes.emplace_back("warning", checkpoint.rounded);
    facts.words.warnings.push_back(checkpoint.rounded);
  }
  if (const std::size_t rounded = parts.tensors.rounded(); rounded > 0) {
    facts.notes.emplace_back(
        "warning", fmt::format("{} matrices are read with rows and columns exchanged and are held "
                               "in BF16, such as of '{}'",
                               rounded, parts.tensors.first_rounded()));
  }
  facts.asked_activations = checkpoint.activations;
  if (!checkpoint.activations.empty()) {
    facts.notes.emplace_back(
        "activations", fmt::format("float; the checkpoint asks for {}: --activations as-asked",
                                   checkpoint.activations));
  }
  if (!checkpoint.cache.empty()) facts.notes.emplace_back("note", checkpoint.cache);
  parts.tokenizer_json = std::move(checkpoint.tokenizer_json);
  parts.left_out = std::move(checkpoint.left_out);
  parts.owner = std::move(checkpoint.owner);
  parts.files = checkpoint.files;
  return parts;
}

}  // namespace

ModelFiles::ModelFiles(Parts parts) : parts_(std::move(parts)) {
  count_weights(parts_.tensors.views(), parts_.design.facts);
}

std::uint64_t ModelFiles::stamp() const {
  std::uint64_t stamp = 0;
  for (const MappedFile& file : parts_.files) stamp = mix64(stamp + file.stamp());
  return parts_.adapters.stamp() == 0 ? stamp : mix64(stamp + parts_.adapters.stamp());
}

Status ModelFiles::health() const {
  for (const MappedFile& file : parts_.files) QUIRE_RETURN_IF_ERROR(file.health());
  return parts_.adapters.health();
}

void ModelFiles::drop_resident() const {
  for (const MappedFile& file : parts_.files) file.drop_resident();
  for (const TensorRule& rule : parts_.design.tensors.rules) {
    if (rule.role == Role::kTable) continue;  // whose rows are read again
    parts_.tensors.let_go(rule.canonical);
  }
}

void ModelFiles::let_go_matrix(std::string_view canonical_name) const {
  for (const TensorRule& rule : parts_.design.tensors.rules) {
    if (rule.role == Role::kTable && rule.canonical == canonical_name) return;
  }
  let_go(canonical_name);
}

Result<std::unique_ptr<ModelFiles>> open_model(const std::string& path,
                                               const std::string& tokenizer_path,
                                               std::span<const AdapterChoice> adapters) {
  QUIRE_ASSIGN_OR_RETURN(Checkpoint checkpoint, Checkpoint::open(path, tokenizer_path));
  Result<ModelFiles::Parts> parts = match(std::move(checkpoint), adapters);
  if (!parts.is_ok()) return in_file(path, parts.status());
  return std::make_unique<ModelFiles>(std::move(parts).value());
}

}  // namespace quire
