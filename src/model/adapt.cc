#include "model/adapt.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/hash.h"
#include "formats/in_file.h"
#include "model/tensor_make.h"

namespace quire {
namespace {

using Shape = std::vector<std::size_t>;

// The pair's numbers for one matrix of a rule, of an expert's slice where it has more.
struct Slice {
  const AdapterPair* pair = nullptr;
  std::size_t expert = 0;
  std::size_t of_experts = 0;  // 0: the pair is of one matrix
};

std::string expert_name(std::string_view name, std::size_t expert) {
  return fmt::format("{}.{}", name, expert);
}

std::string with_expert(std::string name, std::size_t expert) {
  if (const std::size_t at = name.find("{e}"); at != std::string::npos) {
    name.replace(at, 3, std::to_string(expert));
  }
  return name;
}

}  // namespace

class Fitter {
 public:
  Fitter(const AdapterFile& file, const AdapterChoice& choice, const Adapters::Base& base,
         Adapters& adapters)
      : file_(file), choice_(choice), base_(base), adapters_(adapters) {
    for (const AdapterPair& pair : file.pairs) {
      note_twice(pairs_.emplace(plain_name(pair.target), &pair).second, pair.a.name);
    }
    for (const AdapterWhole& whole : file.wholes) {
      note_twice(wholes_.emplace(plain_name(whole.target), &whole).second, whole.tensor.name);
    }
  }

  Status fit() {
    QUIRE_RETURN_IF_ERROR(twice_);
    QUIRE_RETURN_IF_ERROR(check_kind());
    for (const TensorRule& rule : base_.rules.rules) {
      if (!base_.tensors.contains(rule.canonical)) continue;  // optional
      QUIRE_RETURN_IF_ERROR(fit_rule(rule));
      QUIRE_RETURN_IF_ERROR(replace(rule));
    }
    for (const auto& [name, whole] : wholes_) {
      if (used_.contains("=" + name)) continue;
      return error(StatusCode::kUnsupported, "tensor '{}': the model has no '{}' that it could "
                   "replace", whole->tensor.name, name);
    }
    for (const auto& [name, pair] : pairs_) {
      if (used_.contains(name)) continue;
      return error(StatusCode::kUnsupported, "tensor '{}': the model has no '{}' that it could be "
                   "added to", pair->a.name, name);
    }
    return ok_status();
  }

 private:
  void note_twice(bool is_first, std::string_view name) {
    if (is_first || !twice_.is_ok()) return;
    twice_ = error(StatusCode::kCorrupt, "tensor '{}': another is for the same place", name);
  }

  bool is_of_other_kind() const {
    return (file_.naming == Naming::kGguf) != (base_.naming == Naming::kGguf);
  }

  Status check_kind() const {
    const bool is_named = !file_.architecture.empty() && base_.naming == Naming::kGguf;
    if (is_named && file_.architecture != base_.architecture) {
      return error(StatusCode::kUnsupported, "general.architecture is \"{}\", but the model's is "
                   "\"{}\"", file_.architecture.substr(0, 64), base_.architecture);
    }
    if (!is_of_other_kind() || base_.rules.are_alike) return ok_status();
    return error(StatusCode::kUnsupported, "an adapter for {} does not fit the model's {}, whose "
                 "matrices lie in another order: convert it", kind(file_.naming),
                 kind(base_.naming));
  }
  static std::string_view kind(Naming naming) {
    return naming == Naming::kGguf ? "GGUF" : "Hugging Face's files";
  }

  Status fit_rule(const TensorRule& rule) {
    for (const Stored& stored : places_of(rule)) {
      if (stored.name.empty()) continue;
      const bool is_scattered = stored.name.find("{e}") != std::string::npos;
      const std::size_t experts = rule.is_stack() ? rule.shape[0] : 1;
      bool is_found = false;
      for (std::size_t e = 0; e < experts; ++e) {
        const auto at = pairs_.find(is_scattered ? with_expert(stored.name, e) : stored.name);
        if (at == pairs_.end()) continue;
        is_found = true;
        used_.insert(at->first);
        QUIRE_RETURN_IF_ERROR(check_rule(rule, stored, *at->second));
        const Slice slice = {at->second, e, rule.is_stack() && !is_scattered ? experts : 0};
        QUIRE_ASSIGN_OR_RETURN(const WeightDelta delta, delta_of(rule, stored, slice));
        if (rule.is_stack()) {
          adapters_.deltas_[expert_name(rule.canonical, e)].push_back(delta);
          adapters_.deltas_[rule.canonical] = {delta};  // a mark: its matrices have their own
        } else {
          adapters_.deltas_[rule.canonical].push_back(delta);
        }
      }
      if (is_found) return ok_status();
    }
    return ok_status();
  }

  Status check_rule(const TensorRule& rule, const Stored& stored, const AdapterPair& pair) const {
    const auto refuse = [&](std::string_view why) {
      return error(StatusCode::kUnsupported, "tensor '{}': adapters of {} are not supported",
                   pair.a.name, why);
    };
    if (rule.is_vector()) return refuse("vectors");
    if (stored.convert != Convert::kNone) return refuse("matrices whose values are converted");
    const bool is_table = rule.role == Role::kTable;
    if (is_table != pair.is_of_table) {
      return refuse(is_table ? "products with a table" : "rows of a product's weight");
    }
    if (is_table && base_.has_tied_head) return refuse("a table that is the head as well");
    return ok_status();
  }

  std::vector<Stored> places_of(const TensorRule& rule) const {
    std::vector<Stored> places = {file_.naming == Naming::kGguf ? rule.gguf : rule.hf};
    places.insert(places.end(), rule.others.begin(), rule.others.end());
    return places;
  }

  // A whole tensor of the adapter in place of the model's.
  Status replace(const TensorRule& rule) {
    for (const Stored& stored : places_of(rule)) {
      const auto at = wholes_.find(stored.name);
      if (at == wholes_.end()) continue;
      const TensorView& tensor = at->second->tensor;
      const auto refuse = [&](std::string_view why) {
        return error(StatusCode::kUnsupported, "tensor '{}': {}", tensor.name, why);
      };
      used_.insert("=" + at->first);
      if (!is_view(stored) || stored.total != 0 || rule.is_stack() ||
          (rule.woven != 0 && is_of_other_kind_of_pairs())) {
        return refuse("it cannot stand for the model's, which lies in its file in another way");
      }
      if (rule.role == Role::kTable && base_.has_tied_head) {
        return refuse("it cannot stand for a table that is the head as well");
      }
      if (tensor.shape != rule.shape) {
        return refuse(fmt::format("its shape is [{}], but the model's [{}]: it is for another one",
                                  fmt::join(tensor.shape, ", "), fmt::join(rule.shape, ", ")));
      }
      adapters_.wholes_[rule.canonical] = tensor;
    }
    return ok_status();
  }

  // Where our row lies in files of the adapter's kind.
  std::size_t row_there(const TensorRule& rule, const Stored& stored, std::size_t row) const {
    if (rule.woven != 0 && is_of_other_kind_of_pairs()) {
      const std::size_t half = rule.woven / 2, in_head = row % rule.woven;
      const std::size_t there = base_.naming == Naming::kHuggingFace
                                    ? in_head % half * 2 + in_head / half
                                    : in_head % 2 * half + in_head / 2;
      row = row - in_head + there;
    }
    return stored_row(stored, row);
  }
  // llama2.c's files have their pairs as GGUF's do.
  bool is_of_other_kind_of_pairs() const {
    return (file_.naming == Naming::kHuggingFace) != (base_.naming == Naming::kHuggingFace);
  }

  Result<WeightDelta> delta_of(const TensorRule& rule, const Stored& stored, const Slice& slice) {
    const AdapterPair& pair = *slice.pair;
    const std::size_t rows = rule.shape[rule.shape.size() - 2], columns = rule.shape.back();
    const std::size_t rows_there = stored.total == 0 ? rows : stored.total;
    const std::size_t columns_there = stored.columns == 0 ? columns : stored.columns;
    const std::size_t rank = pair.b.columns();
    if (rank > std::max(rows_there, columns_there)) {
      return error(StatusCode::kUnsupported, "tensor '{}': a rank of {} for a matrix of {} x {}",
                   pair.b.name, rank, rows_there, columns_there);
    }
    Shape of_a = {rank, columns_there}, of_b = {rows_there, rank};
    if (pair.is_of_table) of_a = {rows_there, rank}, of_b = {columns_there, rank};
    if (slice.of_experts != 0) {
      of_a.insert(of_a.begin(), slice.of_experts);
      of_b.insert(of_b.begin(), slice.of_experts);
    }
    for (const auto& [half, wanted] : {std::pair{&pair.a, &of_a}, std::pair{&pair.b, &of_b}}) {
      if (half->shape == *wanted) continue;
      return error(StatusCode::kUnsupported, "tensor '{}' has the shape [{}], but the model's '{}' "
                   "asks for [{}]: it is for another model", half->name,
                   fmt::join(half->shape, ", "), stored.name, fmt::join(*wanted, ", "));
    }
    std::vector<float>& a = *adapters_.floats_.emplace_back(
        std::make_unique<std::vector<float>>(rank * columns));
    std::vector<float>& b =
        *adapters_.floats_.emplace_back(std::make_unique<std::vector<float>>(rows * rank));
    const float scale = pair.scale * choice_.scale;
    if (pair.is_of_table) {
      for (std::size_t c = 0; c < columns; ++c) {
        for (std::size_t k = 0; k < rank; ++k) {
          read_floats(pair.b, (stored.column + c) * rank + k, 1, &a[k * columns + c]);
        }
      }
      for (std::size_t r = 0; r < rows; ++r) {
        read_floats(pair.a, row_there(rule, stored, r) * rank, rank, &b[r * rank]);
      }
    } else {
      const std::size_t first_a = slice.expert * (slice.of_experts != 0 ? rank * columns_there : 0);
      const std::size_t first_b = slice.expert * (slice.of_experts != 0 ? rows_there * rank : 0);
      for (std::size_t k = 0; k < rank; ++k) {
        read_floats(pair.a, first_a + k * columns_there + stored.column, columns, &a[k * columns]);
      }
      for (std::size_t r = 0; r < rows; ++r) {
        read_floats(pair.b, first_b + row_there(rule, stored, r) * rank, rank, &b[r * rank]);
      }
    }
    for (float& value : b) {
      value *= scale;
      if (std::isfinite(value)) continue;
      return error(StatusCode::kCorrupt, "tensor '{}': its values times {} are too large",
                   pair.b.name, scale);
    }
    adapters_.bytes_ += (a.size() + b.size()) * sizeof(float);
    return WeightDelta{a.data(), b.data(), rank};
  }

  const AdapterFile& file_;
  const AdapterChoice& choice_;
  const Adapters::Base& base_;
  Adapters& adapters_;
  std::map<std::string, const AdapterPair*> pairs_;  // by the names of the model's tensors
  std::map<std::string, const AdapterWhole*> wholes_;
  Status twice_;
  std::set<std::string> used_;  // of the wholes, with a '=' in front
};

Result<Adapters> Adapters::open(std::span<const AdapterChoice> choices, const Base& base) {
  Adapters adapters;
  for (const AdapterChoice& choice : choices) {
    QUIRE_ASSIGN_OR_RETURN(const AdapterFile file, AdapterFile::open(choice.path));
    const Status fits = Fitter(file, choice, base, adapters).fit();
    if (!fits.is_ok()) return in_file(choice.path, fits);
    for (const MappedFile& part : file.files) QUIRE_RETURN_IF_ERROR(part.health());
    adapters.owners_.push_back(file.owner);
    adapters.files_.push_back(file.files);
    adapters.stamp_ = mix64(adapters.stamp_ + file.stamp);
    adapters.stamp_ = hash_bytes(&choice.scale, sizeof choice.scale, adapters.stamp_) | 1;
    const std::filesystem::path path = std::filesystem::path(choice.path).lexically_normal();
    const bool is_folder = !path.has_filename();
    adapters.notes_.push_back(fmt::format(
        "{}: LoRA of rank {} on {} matrices, which are held as floats{}{}",
        (is_folder ? path.parent_path() : path).filename().string(),
        file.pairs.front().b.columns(), file.pairs.size(),
        file.wholes.empty() ? "" : fmt::format(", and {} whole ones", file.wholes.size()),
        choice.scale == 1 ? "" : fmt::format(", scaled by {}", choice.scale)));
  }
  return adapters;
}

Status Adapters::health() const {
  for (const std::span<const MappedFile> files : files_) {
    for (const MappedFile& file : files) QUIRE_RETURN_IF_ERROR(file.health());
  }
  return ok_status();
}

}  // namespace quire
