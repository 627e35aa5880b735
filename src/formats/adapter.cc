#include "formats/adapter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/hash.h"
#include "formats/containers/file_kind.h"
#include "formats/containers/gguf.h"
#include "formats/containers/safetensors.h"
#include "formats/in_file.h"
#include "formats/quantize/row_quantizers.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigName = "adapter_config.json";
constexpr const char* kWeightsName = "adapter_model.safetensors";
constexpr std::size_t kConfigMax = std::size_t{1} << 20;  // bytes
constexpr double kAlphaMax = 1e6;
constexpr int kRankMax = 1 << 16;

struct HalfPair {
  const TensorView* a = nullptr;
  const TensorView* b = nullptr;
  bool is_of_table = false;
};
using HalfPairs = std::map<std::string, HalfPair>;

bool is_plain_type(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

Status check_values(const TensorView& tensor) {
  constexpr std::size_t kAtOnce = 4096;
  std::array<float, kAtOnce> values;
  const std::size_t count = tensor.rows() * tensor.columns();
  for (std::size_t first = 0; first < count; first += kAtOnce) {
    const std::size_t some = std::min(kAtOnce, count - first);
    read_floats(tensor, first, some, values.data());
    const auto end = values.begin() + static_cast<std::ptrdiff_t>(some);
    const auto bad = std::find_if(values.begin(), end, [](float x) { return !std::isfinite(x); });
    if (bad == end) continue;
    return error(StatusCode::kCorrupt, "tensor '{}': element {} is {}", tensor.name,
                 first + static_cast<std::size_t>(bad - values.begin()), *bad);
  }
  return ok_status();
}

// The rank is the last dimension of B, and one of those of A.
Status check_pair(const std::string& target, const HalfPair& pair) {
  for (const TensorView* half : {pair.a, pair.b}) {
    if (half == nullptr) {
      return error(StatusCode::kCorrupt, "tensor '{}': it has no matrix {} of the pair",
                   (pair.a == nullptr ? pair.b : pair.a)->name, pair.a == nullptr ? "A" : "B");
    }
    if (!is_plain_type(half->dtype)) {
      return error(StatusCode::kUnsupported,
                   "tensor '{}': of type {}; those of adapters are F32, F16 or BF16", half->name,
                   dtype_name(half->dtype));
    }
  }
  const auto& a = pair.a->shape;
  const auto& b = pair.b->shape;
  const bool has_dimensions = a.size() == b.size() && (a.size() == 2 || a.size() == 3) &&
                              (a.size() == 2 || a.front() == b.front());
  const std::size_t rank = b.back();
  if (!has_dimensions || rank == 0 || rank > kRankMax ||
      (pair.is_of_table ? a.back() : a[a.size() - 2]) != rank) {
    return error(StatusCode::kCorrupt, "tensors '{}' and '{}' are no pair for '{}': their shapes "
                 "do not fit each other", pair.a->name, pair.b->name, target);
  }
  QUIRE_RETURN_IF_ERROR(check_values(*pair.a));
  return check_values(*pair.b);
}

// --- GGUF ---

std::string_view without_end(std::string_view name, std::string_view end) {
  return name.substr(0, name.size() - end.size());
}

Result<HalfPairs> gguf_pairs(const GgufFile& file) {
  HalfPairs pairs;
  for (const TensorView& tensor : file.tensors()) {
    const bool is_a = tensor.name.ends_with(".lora_a"), is_b = tensor.name.ends_with(".lora_b");
    if (!is_a && !is_b) {
      return error(StatusCode::kUnsupported, "tensor '{}' at offset {}: only pairs of .lora_a and "
                   ".lora_b are known of adapters", tensor.name, file.offset_of(tensor));
    }
    HalfPair& pair = pairs[std::string(without_end(tensor.name, ".lora_a"))];
    (is_a ? pair.a : pair.b) = &tensor;
    pair.is_of_table = tensor.name.starts_with("token_embd.") ||
                       tensor.name.starts_with("position_embd.");
  }
  return pairs;
}

Result<AdapterFile> open_gguf_adapter(const std::string& path) {
  QUIRE_ASSIGN_OR_RETURN(GgufFile opened, GgufFile::open(path));
  const auto file = std::make_shared<const GgufFile>(std::move(opened));
  AdapterFile adapter;
  adapter.naming = Naming::kGguf;
  adapter.owner = file;
  adapter.files = file->files();
  for (const MappedFile& part : adapter.files) adapter.stamp ^= part.stamp();
  for (const auto& [key, wanted] :
       {std::pair{"general.type", "adapter"}, std::pair{"adapter.type", "lora"}}) {
    QUIRE_ASSIGN_OR_RETURN(const auto value, file->string(key));
    if (value && *value == wanted) continue;
    return error(StatusCode::kUnsupported, "{}: {} where \"{}\" makes it a LoRA adapter", key,
                 value ? fmt::format("\"{}\"", value->substr(0, 64)) : "absent", wanted);
  }
  for (const GgufEntry& entry : file->entries()) {
    if (!std::string_view(entry.key).starts_with("adapter.alora.")) continue;
    return error(StatusCode::kUnsupported, "{} at offset {}: adapters that act from a word on are "
                 "not supported", entry.key, entry.offset);
  }
  QUIRE_ASSIGN_OR_RETURN(const auto architecture, file->string("general.architecture"));
  if (architecture) adapter.architecture = *architecture;
  QUIRE_ASSIGN_OR_RETURN(const auto alpha, file->f64("adapter.lora.alpha"));
  if (alpha && !(std::abs(*alpha) <= kAlphaMax)) {
    return error(StatusCode::kCorrupt, "adapter.lora.alpha at offset {}: {}",
                 file->find_entry("adapter.lora.alpha")->offset, *alpha);
  }
  QUIRE_ASSIGN_OR_RETURN(const HalfPairs pairs, gguf_pairs(*file));
  for (const auto& [target, pair] : pairs) {
    QUIRE_RETURN_IF_ERROR(check_pair(target, pair));
    const auto rank = static_cast<double>(pair.b->columns());
    const double scale = alpha.value_or(0) == 0 ? 1 : *alpha / rank;
    adapter.pairs.push_back(
        {target, *pair.a, *pair.b, pair.is_of_table, static_cast<float>(scale)});
  }
  return adapter;
}

// --- PEFT ---

// What adapter_config.json says of the scales.
struct PeftConfig {
  double alpha = 8;
  bool is_rank_stabilised = false;  // Kalajdzievski, "A Rank Stabilization Scaling Factor", 2023
  std::vector<std::pair<std::string, double>> alphas;  // by the end of a module's name

  double scale_of(std::string_view module, std::size_t rank) const {
    const auto fits = std::find_if(alphas.begin(), alphas.end(), [&](const auto& row) {
      return module == row.first || module.ends_with("." + row.first);
    });  // the first of several counts
    const double own = fits == alphas.end() ? alpha : fits->second;
    const auto divisor = static_cast<double>(rank);
    return own / (is_rank_stabilised ? std::sqrt(divisor) : divisor);
  }
};

// Which do not say what the adapter computes, once it is trained.
constexpr const char* kTrainingKeys[] = {
    "auto_mapping", "base_model_name_or_path", "revision", "inference_mode", "lora_dropout",
    "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "peft_version",
    "megatron_core", "modules_to_save", "qalora_group_size", "eva_config",
    "runtime_config", "rank_pattern", "fan_in_fan_out",
    "ensure_weight_tying"};

Status read_alphas(const Json& root, PeftConfig& config) {
  const Json* pattern = root.find("alpha_pattern");
  if (pattern == nullptr || !pattern->is_object()) return ok_status();
  for (const auto& [name, value] : pattern->members()) {
    const bool is_plain = name.find_first_of("*+?[](){}|^$\\") == std::string::npos;
    if (is_plain && value.is_number() && std::abs(value.as_double()) <= kAlphaMax) {
      config.alphas.emplace_back(name, value.as_double());
      continue;
    }
    return error(StatusCode::kUnsupported, "alpha_pattern in {}: '{}' is read neither as the end "
                 "of a name nor as a number", kConfigName, name.substr(0, 64));
  }
  return ok_status();
}

Result<PeftConfig> read_peft_config(const Json& root) {
  const ConfigFields fields = ConfigFields::of_json(root, fmt::format("in {}", kConfigName));
  PeftConfig config;
  fields.refuse_unless("peft_type", "LORA");
  if (!fields.has("peft_type")) {
    return error(StatusCode::kUnsupported, "peft_type in {}: absent; only LORA is known",
                 kConfigName);
  }
  fields.refuse_unless("bias", "none");
  fields.refuse_unless("task_type", "CAUSAL_LM");
  fields.integer("r", 1, kRankMax, 8);
  config.alpha = fields.number("lora_alpha", -kAlphaMax, kAlphaMax, 8);
  config.is_rank_stabilised = fields.boolean("use_rslora", false);
  // Of these words the base was changed, too, before the training began.
  if (fields.is_text("init_lora_weights")) {
    const std::string start = fields.string("init_lora_weights");
    if (start != "gaussian" && start != "eva" && start != "orthogonal") {
      return error(StatusCode::kUnsupported, "init_lora_weights in {}: '{}' begins with other "
                   "weights than the model's", kConfigName, start.substr(0, 64));
    }
  }
  fields.mark("init_lora_weights");
  fields.mark("loftq_config");  // init_lora_weights says whether it was used
  fields.mark("corda_config");
  fields.mark("alpha_pattern");
  for (const char* key : kTrainingKeys) fields.mark(key);
  QUIRE_RETURN_IF_ERROR(fields.check_all_used());
  QUIRE_RETURN_IF_ERROR(read_alphas(root, config));
  return config;
}

struct PeftEnd {
  std::string_view end;
  bool is_a, is_of_table;
};
constexpr PeftEnd kPeftEnds[] = {{".lora_A.weight", true, false},
                                 {".lora_B.weight", false, false},
                                 {".lora_A.default.weight", true, false},
                                 {".lora_B.default.weight", false, false},
                                 {".lora_embedding_A", true, true},
                                 {".lora_embedding_B", false, true}};
constexpr std::string_view kPeftFront = "base_model.model.";

Status twice(std::string_view first, std::string_view second) {
  return error(StatusCode::kCorrupt, "tensors '{}' and '{}' are for the same place", first, second);
}

// Saved with the pair of a table or head, and what was trained beside the pairs.
constexpr std::string_view kWholeEnds[] = {".base_layer.weight", ".modules_to_save.weight",
                                           ".weight"};

// The name of the module, if the tensor stands for the model's own.
std::string_view whole_module(std::string_view name) {
  if (!name.starts_with(kPeftFront) || name.find(".lora_") != name.npos) return {};
  for (const std::string_view end : kWholeEnds) {
    if (name.ends_with(end)) return without_end(name.substr(kPeftFront.size()), end);
  }
  return {};
}

Result<HalfPairs> peft_pairs(const SafetensorsFiles& file, std::vector<AdapterWhole>& wholes) {
  HalfPairs pairs;
  for (const TensorView& tensor : file.tensors()) {
    const std::string_view name = tensor.name;
    const PeftEnd* end = std::find_if(
        std::begin(kPeftEnds), std::end(kPeftEnds),
        [&](const PeftEnd& row) { return name.ends_with(row.end); });
    if (const std::string_view module = whole_module(name);
        end == std::end(kPeftEnds) && !module.empty() && is_plain_type(tensor.dtype)) {
      QUIRE_RETURN_IF_ERROR(check_values(tensor));
      wholes.push_back({std::string(module) + ".weight", tensor});
      continue;
    }
    if (end == std::end(kPeftEnds) || !name.starts_with(kPeftFront)) {
      return error(StatusCode::kUnsupported, "tensor '{}' at offset {}: only pairs of {}*.lora_A "
                   "and lora_B are known of adapters", name, file.offset_of(tensor), kPeftFront);
    }
    const std::string_view module = without_end(name.substr(kPeftFront.size()), end->end);
    HalfPair& pair = pairs[std::string(module)];
    const TensorView*& half = end->is_a ? pair.a : pair.b;
    if (half != nullptr) return twice(half->name, tensor.name);
    half = &tensor;
    pair.is_of_table = end->is_of_table;
  }
  return pairs;
}

// PEFT has A of a table the other way round: [rank, rows]. What is read turns it.
struct PeftOwner {
  std::shared_ptr<const SafetensorsFiles> files;
  std::vector<std::unique_ptr<std::vector<float>>> turned;
};

TensorView turned(const TensorView& tensor, PeftOwner& owner) {
  const std::size_t rows = tensor.shape[0], columns = tensor.shape[1];
  std::vector<float> values(rows * columns);
  read_floats(tensor, 0, values.size(), values.data());
  auto out = std::make_unique<std::vector<float>>(values.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) (*out)[c * rows + r] = values[r * columns + c];
  }
  TensorView view = tensor;
  view.dtype = DType::kF32;
  view.shape = {columns, rows};
  view.data = reinterpret_cast<const std::byte*>(out->data());
  owner.turned.push_back(std::move(out));
  return view;
}

Result<AdapterFile> open_peft(const fs::path& folder) {
  QUIRE_ASSIGN_OR_RETURN(const std::string text, read_file(folder / kConfigName, kConfigMax));
  auto root = parse_json(text);
  if (!root.is_ok()) {
    return error(root.status().code(), "{}: {}", kConfigName, root.status().message());
  }
  if (!root->is_object()) return error(StatusCode::kCorrupt, "{} is no object", kConfigName);
  QUIRE_ASSIGN_OR_RETURN(const PeftConfig config, read_peft_config(*root));
  std::error_code failure;
  if (!fs::exists(folder / kWeightsName, failure)) {
    return error(StatusCode::kNotFound, "'{}' has no {}{}", folder.string(), kWeightsName,
                 fs::exists(folder / "adapter_model.bin", failure)
                     ? "; adapter_model.bin is a pickle, which can run code and is never read"
                     : "");
  }
  QUIRE_ASSIGN_OR_RETURN(SafetensorsFiles opened, SafetensorsFiles::open(folder / kWeightsName));
  const auto owner = std::make_shared<PeftOwner>();
  owner->files = std::make_shared<const SafetensorsFiles>(std::move(opened));
  AdapterFile adapter;
  adapter.owner = owner;
  adapter.stamp = hash_bytes(text.data(), text.size());
  adapter.files = owner->files->files();
  for (const MappedFile& file : adapter.files) adapter.stamp ^= file.stamp();
  QUIRE_ASSIGN_OR_RETURN(const HalfPairs pairs, peft_pairs(*owner->files, adapter.wholes));
  std::map<std::string, std::unique_ptr<TensorView>> tables;
  for (auto [module, pair] : pairs) {
    if (pair.is_of_table && pair.a != nullptr && pair.a->shape.size() == 2 &&
        is_plain_type(pair.a->dtype)) {
      pair.a = (tables[module] = std::make_unique<TensorView>(turned(*pair.a, *owner))).get();
    }
    QUIRE_RETURN_IF_ERROR(check_pair(module, pair));
    adapter.pairs.push_back({module + ".weight", *pair.a, *pair.b, pair.is_of_table,
                             static_cast<float>(config.scale_of(module, pair.b->columns()))});
  }
  return adapter;
}

Result<AdapterFile> open_either(const std::string& path) {
  std::error_code failure;
  const fs::path folder = fs::is_directory(path, failure) ? fs::path(path)
                          : fs::path(path).filename() == kWeightsName
                              ? fs::absolute(path).parent_path()
                              : fs::path();
  if (!folder.empty() && !fs::exists(folder / kConfigName, failure)) {
    return error(StatusCode::kNotFound, "'{}' has no {}: an adapter is a GGUF file, or a folder "
                 "with {} and {}", folder.string(), kConfigName, kConfigName, kWeightsName);
  }
  if (!folder.empty()) return open_peft(folder);
  QUIRE_ASSIGN_OR_RETURN(const FileKind kind, find_file_kind(path));
  if (kind == FileKind::kGguf) return open_gguf_adapter(path);
  return error(StatusCode::kUnsupported, "an adapter is a GGUF file, or a folder with {} and {}",
               kConfigName, kWeightsName);
}

}  // namespace

void read_floats(const TensorView& tensor, std::size_t first, std::size_t count, float* out) {
  const std::size_t size = dtype_info(tensor.dtype).block_bytes;
  widen_float_row(tensor.dtype, tensor.data + first * size, count, out);
}

Result<AdapterFile> AdapterFile::open(const std::string& path) {
  Result<AdapterFile> opened = open_either(path);
  if (!opened.is_ok()) return in_file(path, opened.status());
  if (!opened->pairs.empty()) return opened;
  return in_file(path, error(StatusCode::kCorrupt, "an adapter without a pair of matrices A "
                                                   "and B"));
}

}  // namespace quire
