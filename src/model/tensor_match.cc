#include "model/tensor_match.h"

#include <fmt/ranges.h>

#include <set>

namespace quire {
namespace {

bool is_vector_type(DType dtype) { return dtype_info(dtype).block_elements == 1; }

class Matcher {
 public:
  Matcher(const TensorRules& rules, const Checkpoint& checkpoint, std::string_view architecture)
      : rules_(rules),
        checkpoint_(checkpoint),
        architecture_(architecture),
        is_gguf_(checkpoint.fields.is_gguf()) {}

  Status take(const TensorRule& rule) {
    const Stored& first = is_gguf_ ? rule.gguf : rule.hf;
    auto at = checkpoint_.tensors.find(first.name);
    for (std::size_t i = 0; at == checkpoint_.tensors.end() && i < rule.others.size(); ++i) {
      if (!is_gguf_) at = checkpoint_.tensors.find(rule.others[i].name);
    }
    if (at == checkpoint_.tensors.end()) {
      if (rule.is_optional) return ok_status();
      return error(StatusCode::kCorrupt, "tensor '{}': missing, but architecture {} needs it",
                   first.name, architecture_);
    }
    const TensorView& tensor = at->second;
    QUIRE_RETURN_IF_ERROR(check(rule, tensor));
    used_.insert(at->first);
    tensors_.emplace(rule.canonical, tensor);
    return ok_status();
  }

  Status check_all_used() const {
    for (const auto& [name, tensor] : checkpoint_.tensors) {
      if (used_.contains(name) || rules_.is_ignored(name)) continue;
      return error(StatusCode::kUnsupported, "tensor '{}' {}: architecture {} has no such tensor",
                   tensor.name, checkpoint_.place(tensor), architecture_);
    }
    return ok_status();
  }

  TensorMap result() { return std::move(tensors_); }

 private:
  Status check(const TensorRule& rule, const TensorView& tensor) const {
    if (tensor.shape != rule.shape) {
      return error(StatusCode::kCorrupt,
                   "tensor '{}' {}: shape [{}], but the configuration says [{}]", tensor.name,
                   checkpoint_.place(tensor), fmt::join(tensor.shape, ", "),
                   fmt::join(rule.shape, ", "));
    }
    if (tensor.dtype == DType::kI8 && tensor.row_scales == nullptr) {
      return error(StatusCode::kUnsupported,
                   "tensor '{}' {}: I8 without scales that quantization_config would explain",
                   tensor.name, checkpoint_.place(tensor));
    }
    if (rule.is_vector() && !is_vector_type(tensor.dtype)) {
      return error(StatusCode::kUnsupported, "tensor '{}' {}: a vector of type {}", tensor.name,
                   checkpoint_.place(tensor), dtype_name(tensor.dtype));
    }
    return ok_status();
  }

  const TensorRules& rules_;
  const Checkpoint& checkpoint_;
  std::string_view architecture_;
  bool is_gguf_;
  std::set<std::string, std::less<>> used_;
  TensorMap tensors_;
};

}  // namespace

Result<TensorMap> match_tensors(const TensorRules& rules, const Checkpoint& checkpoint,
                                std::string_view architecture) {
  Matcher matcher(rules, checkpoint, architecture);
  for (const TensorRule& rule : rules.rules) QUIRE_RETURN_IF_ERROR(matcher.take(rule));
  QUIRE_RETURN_IF_ERROR(matcher.check_all_used());
  return matcher.result();
}

}  // namespace quire
