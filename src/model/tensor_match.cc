#include "model/tensor_match.h"

#include <fmt/ranges.h>

#include <set>

#include "model/tensor_make.h"

namespace quire {
namespace {

using Shape = std::vector<std::size_t>;

bool is_plain_type(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

// Without dimensions of 1, which some libraries write and others do not.
Shape squeezed(const Shape& shape) {
  Shape out;
  for (const std::size_t size : shape) {
    if (size != 1) out.push_back(size);
  }
  return out.empty() ? Shape{1} : out;
}

// The shape in the file of what is stored so: a vector's values are rows.
Shape stored_shape(const TensorRule& rule, const Stored& stored, bool is_one_expert) {
  Shape shape = rule.shape;
  if (is_one_expert) shape.erase(shape.begin());
  const std::size_t rows_at = shape.size() >= 2 ? shape.size() - 2 : 0;
  if (stored.total != 0) shape[rows_at] = stored.total;
  if (stored.columns != 0) shape.back() = stored.columns;
  if (stored.is_transposed) std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
  return shape;
}

std::string expert_name(std::string_view name, std::size_t expert) {
  return fmt::format("{}.{}", name, expert);
}

}  // namespace

class Matcher {
 public:
  Matcher(const TensorRules& rules, const Checkpoint& checkpoint, std::string_view architecture)
      : rules_(rules),
        checkpoint_(checkpoint),
        architecture_(architecture),
        is_gguf_(checkpoint.fields.is_gguf()) {}

  Status take(const TensorRule& rule) {
    const Stored& usual = is_gguf_ ? rule.gguf : rule.hf;
    if (!usual.name.empty() && has(usual)) return take_as(rule, usual);
    for (const Stored& other : rule.others) {
      if (has(other)) return take_as(rule, other);
    }
    if (rule.is_optional) return ok_status();
    const std::string name = usual.name.empty() ? rule.canonical : first_name(usual);
    return error(StatusCode::kCorrupt, "tensor '{}': missing, but architecture {} needs it", name,
                 architecture_);
  }

  Status check_all_used() const {
    for (const auto& [name, tensor] : checkpoint_.tensors) {
      if (used_.contains(name) || rules_.is_ignored(name)) continue;
      return error(StatusCode::kUnsupported, "tensor '{}' {}: architecture {} has no such tensor",
                   tensor.name, checkpoint_.place(tensor), architecture_);
    }
    return ok_status();
  }

  MatchedTensors result() { return std::move(matched_); }

 private:
  // The matrices of a stack as one matrix, one behind the other.
  static bool is_flat_stack(const TensorView& tensor, const Shape& shape) {
    return shape.size() == 3 && tensor.shape == Shape{shape[0] * shape[1], shape[2]};
  }
  // Rows of the matrices of a stack, one behind the other.
  static bool is_of_stack(const TensorView& tensor, const Shape& shape) {
    return shape.size() == 2 && tensor.shape.size() == 3 && tensor.shape[2] == shape[1] &&
           tensor.shape[0] * tensor.shape[1] == shape[0];
  }
  // A vector group by group.
  static bool is_folded(const TensorView& tensor, const Shape& shape) {
    return shape.size() == 1 && tensor.shape.size() == 2 &&
           tensor.shape[0] * tensor.shape[1] == shape[0];
  }
  static bool is_scattered(const Stored& stored) {
    return stored.name.find("{e}") != std::string::npos;
  }
  static std::string name_of_expert(const Stored& stored, std::size_t expert) {
    std::string name = stored.name;
    if (const std::size_t at = name.find("{e}"); at != std::string::npos) {
      name.replace(at, 3, std::to_string(expert));
    }
    return name;
  }
  static std::string first_name(const Stored& stored) { return name_of_expert(stored, 0); }

  bool has(const Stored& stored) const {
    return checkpoint_.tensors.contains(first_name(stored));
  }

  Status take_as(const TensorRule& rule, const Stored& stored) {
    if (is_scattered(stored)) return take_scattered(rule, stored);
    QUIRE_ASSIGN_OR_RETURN(const TensorView* file, checked(rule, stored, stored.name, false));
    if (rule.is_stack()) return take_stack(rule, stored, *file);
    add(matched_.tensors_, rule.canonical, rule.shape, stored, *file);
    return ok_status();
  }

  // Each expert has a tensor of its own.
  Status take_scattered(const TensorRule& rule, const Stored& stored) {
    TensorView whole;
    for (std::size_t expert = 0; expert < rule.shape[0]; ++expert) {
      QUIRE_ASSIGN_OR_RETURN(const TensorView* file,
                             checked(rule, stored, name_of_expert(stored, expert), true));
      if (expert == 0) whole = *file;
      if (file->dtype != whole.dtype) {
        return error(StatusCode::kUnsupported, "tensor '{}' {}: it is {}, but that of expert 0 {}",
                     file->name, checkpoint_.place(*file), dtype_name(file->dtype),
                     dtype_name(whole.dtype));
      }
      add(matched_.experts_, expert_name(rule.canonical, expert), {rule.shape[1], rule.shape[2]},
          stored, *file);
    }
    whole.shape = rule.shape;
    whole.data = nullptr;
    matched_.tensors_.emplace(rule.canonical, std::move(whole));
    return ok_status();
  }

  // All experts, or heads, lie in one tensor, one behind the other.
  Status take_stack(const TensorRule& rule, const Stored& stored, const TensorView& file) {
    const std::size_t rows = stored.total == 0 ? rule.shape[1] : stored.total;
    const std::size_t columns = rule.shape[2];
    const std::size_t stored_columns = stored.columns == 0 ? columns : stored.columns;
    TensorView slice = file;
    slice.shape = stored.is_transposed ? Shape{stored_columns, rows} : Shape{rows, columns};
    for (std::size_t expert = 0; expert < rule.shape[0]; ++expert) {
      const std::size_t offset = expert * slice.bytes();
      if (file.data != nullptr) slice.data = file.data + offset;
      slice.scales = file.scales.from(expert * rows);
      add(matched_.experts_, expert_name(rule.canonical, expert), {rule.shape[1], columns}, stored,
          slice, offset);
    }
    TensorView whole = file;
    whole.shape = rule.shape;
    if (!is_view(stored) || stored.total != 0) whole.data = nullptr;
    if (!is_view(stored)) whole.dtype = made_dtype(file, stored);
    matched_.tensors_.emplace(rule.canonical, std::move(whole));
    return ok_status();
  }

  // A view where it can be one; else what it is to be made of. `offset`: of `file` in a stack.
  void add(TensorMap& map, const std::string& name, Shape shape, const Stored& stored,
           const TensorView& file, std::size_t offset = 0) {
    TensorView view = file;
    view.shape = std::move(shape);
    const std::size_t columns = view.shape.size() == 1 ? 1 : view.columns();
    const auto at = checkpoint_.late.find(file.name);
    const bool is_late = at != checkpoint_.late.end();
    std::shared_ptr<const LateTensor> late = is_late ? at->second : nullptr;
    if (is_late && by_value_.contains(file.name) && file.dtype == DType::kBF16) {
      late = late->in_bf16();
    }
    if (is_view(stored)) {
      const std::size_t first = stored.first * row_bytes(view.dtype, columns);
      if (is_late) {
        matched_.late_.emplace(name, MatchedTensors::Late{late, offset + first});
      } else {
        view.data += first;
      }
      view.scales = view.scales.from(stored.first);
    } else {
      view.dtype = made_dtype(file, stored);
      view.data = nullptr;
      const MatchedTensors::Late source{late, offset};
      MatchedTensors::Made& made =
          matched_.made_.emplace(name, MatchedTensors::Made{file, stored, source, {}, {}})
              .first->second;
      if (stored.is_transposed && file.scales) {
        view.scales = {};
        if (matched_.rounded_++ == 0) matched_.first_rounded_ = file.name;
      } else if (file.scales) {
        made.scales = make_scales(file, stored, view.rows());
        view.scales = {made.scales.data(), 1, file.scales.per_columns};
      }
    }
    map.emplace(name, std::move(view));
  }

  Result<const TensorView*> checked(const TensorRule& rule, const Stored& stored,
                                    const std::string& name, bool is_one_expert) {
    const auto at = checkpoint_.tensors.find(name);
    if (at == checkpoint_.tensors.end()) {
      return error(StatusCode::kCorrupt, "tensor '{}': missing, but architecture {} needs it",
                   name, architecture_);
    }
    const TensorView* values = by_value(rule, stored, at->second);
    const TensorView& tensor = values == nullptr ? at->second : *values;
    const Shape shape = stored_shape(rule, stored, is_one_expert);
    const bool is_one_row = shape.size() == 2 && shape[0] == 1;
    const bool fits = rule.is_vector() || is_one_row
                          ? squeezed(tensor.shape) == squeezed(shape) || is_folded(tensor, shape)
                          : tensor.shape == shape || is_flat_stack(tensor, shape) ||
                                (stored.total != 0 && is_of_stack(tensor, shape));
    if (!fits) {
      return error(StatusCode::kCorrupt,
                   "tensor '{}' {}: shape [{}], but the configuration says [{}]", tensor.name,
                   checkpoint_.place(tensor), fmt::join(tensor.shape, ", "),
                   fmt::join(shape, ", "));
    }
    if (has_scales_beside(tensor.dtype) && !tensor.scales) {
      return error(StatusCode::kUnsupported,
                   "tensor '{}' {}: {} without scales that quantization_config would explain",
                   tensor.name, checkpoint_.place(tensor), dtype_name(tensor.dtype));
    }
    if (rule.is_vector() && !is_plain_type(tensor.dtype)) {
      return error(StatusCode::kUnsupported, "tensor '{}' {}: a vector of type {}", tensor.name,
                   checkpoint_.place(tensor), dtype_name(tensor.dtype));
    }
    const bool is_of_rows = stored.convert == Convert::kUnitRows ||
                            stored.convert == Convert::kFirstLessSecond;
    const bool is_by_value = stored.is_transposed || is_of_rows;
    const bool fits_values =
        is_of_rows ? is_plain_type(tensor.dtype) : can_exchange(tensor.dtype);
    if (!is_view(stored) && (is_by_value || tensor.scales) && !fits_values) {
      return error(StatusCode::kUnsupported,
                   "tensor '{}' {}: of type {}, which cannot be rearranged value by value",
                   tensor.name, checkpoint_.place(tensor), dtype_name(tensor.dtype));
    }
    used_.insert(at->first);
    return &tensor;
  }

  const LateTensor* late_of(const TensorView& tensor) const {
    const auto at = checkpoint_.late.find(tensor.name);
    return at == checkpoint_.late.end() ? nullptr : at->second.get();
  }

  // Codes that a rule cannot have as they are, value by value; or null.
  const TensorView* by_value(const TensorRule& rule, const Stored& stored,
                             const TensorView& tensor) {
    const bool fits = !(stored.is_transposed && !can_exchange(tensor.dtype)) &&
                      !(rule.role == Role::kHeads && tensor.input.order != nullptr);
    const LateTensor* late = late_of(tensor);
    if (fits || late == nullptr || late->in_bf16() == nullptr) return nullptr;
    TensorView& view = by_value_[tensor.name];
    if (view.name.empty() && matched_.rounded_++ == 0) matched_.first_rounded_ = tensor.name;
    view = tensor;
    view.dtype = DType::kBF16;
    view.input = {};
    return &view;
  }

  const TensorRules& rules_;
  const Checkpoint& checkpoint_;
  std::string_view architecture_;
  bool is_gguf_;
  std::set<std::string, std::less<>> used_;
  std::map<std::string, TensorView> by_value_;  // in place of codes, by their names
  MatchedTensors matched_;
};

Result<MatchedTensors> MatchedTensors::match(const TensorRules& rules,
                                             const Checkpoint& checkpoint,
                                             std::string_view architecture) {
  Matcher matcher(rules, checkpoint, architecture);
  for (const TensorRule& rule : rules.rules) QUIRE_RETURN_IF_ERROR(matcher.take(rule));
  QUIRE_RETURN_IF_ERROR(matcher.check_all_used());
  return matcher.result();
}

Result<TensorView> MatchedTensors::find(std::string_view name) const {
  auto at = tensors_.find(name);
  if (at == tensors_.end()) {
    at = experts_.find(name);
    if (at == experts_.end()) {
      return error(StatusCode::kNotFound, "the model has no tensor '{}'", name);
    }
  }
  TensorView view = at->second;
  if (const auto late = late_.find(name); late != late_.end()) {
    view.data = late->second.whole->bytes() + late->second.offset;
    return view;
  }
  const auto made = made_.find(name);
  if (made == made_.end()) return view;
  const std::lock_guard held(lock_->mutex);
  std::vector<std::byte>& bytes = made->second.bytes;
  if (bytes.empty()) {
    TensorView file = made->second.file;
    const Late& late = made->second.late;
    if (late.whole != nullptr) file.data = late.whole->bytes() + late.offset;
    bytes = make_tensor(file, made->second.stored, view.shape);
  }
  view.data = bytes.data();
  return view;
}

void MatchedTensors::put_on(
    const std::map<std::string, std::vector<WeightDelta>, std::less<>>& deltas,
    const TensorMap& wholes) {
  for (const auto& [name, tensor] : wholes) {
    tensors_.insert_or_assign(name, tensor);
    made_.erase(name);
    late_.erase(name);
  }
  for (const auto& [name, of_name] : deltas) {
    for (TensorMap* map : {&tensors_, &experts_}) {
      if (const auto at = map->find(name); at != map->end()) at->second.deltas = of_name;
    }
  }
}

void MatchedTensors::let_go(std::string_view name) const {
  for (auto at = late_.lower_bound(name); at != late_.end(); ++at) {
    const std::string& found = at->first;
    if (!found.starts_with(name)) break;
    const bool is_its_own = found.size() == name.size() || found[name.size()] == '.';
    if (is_its_own) at->second.whole->let_go();
  }
  const std::lock_guard held(lock_->mutex);
  for (auto at = made_.lower_bound(name); at != made_.end(); ++at) {
    const std::string& found = at->first;
    if (!found.starts_with(name)) break;
    const bool is_its_own = found.size() == name.size() || found[name.size()] == '.';
    if (!is_its_own) continue;
    std::vector<std::byte>().swap(at->second.bytes);
    if (at->second.late.whole != nullptr) at->second.late.whole->let_go();
  }
}

Result<WeightView> weight_view(
    const std::function<Result<TensorView>(std::string_view name)>& find, const TensorRule& rule) {
  QUIRE_ASSIGN_OR_RETURN(const TensorView whole, find(rule.canonical));
  if (whole.shape != rule.shape) {
    return error(StatusCode::kCorrupt, "tensor '{}' ({}) has the shape [{}], not [{}]",
                 rule.canonical, whole.name, fmt::join(whole.shape, ", "),
                 fmt::join(rule.shape, ", "));
  }
  if (!rule.is_stack()) return WeightView(whole);
  QUIRE_CHECK(rule.shape.size() == 3, "tensor '{}' is of no experts", rule.canonical);
  std::vector<TensorView> views;
  for (std::size_t expert = 0; expert < rule.shape[0]; ++expert) {
    if (whole.data == nullptr || !whole.deltas.empty()) {
      QUIRE_ASSIGN_OR_RETURN(TensorView one, find(expert_name(rule.canonical, expert)));
      views.push_back(std::move(one));
      continue;
    }
    TensorView one = whole;
    one.shape = {rule.shape[1], rule.shape[2]};
    one.data = whole.data + expert * one.bytes();
    one.scales = whole.scales.from(expert * rule.shape[1]);
    views.push_back(std::move(one));
  }
  return WeightView::of(views);
}

}  // namespace quire
