#include "formats/llama2c.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "formats/config/config_ranges.h"

namespace quire {
namespace {

constexpr std::size_t kHeaderSize = 7 * sizeof(std::int32_t);
constexpr std::uint32_t kLaterMagic = 0x616B3432;  // versions 1 and 2 begin with it
constexpr TokenId kBos = 1;
constexpr TokenId kEos = 2;

struct HeaderField {
  std::string_view name;
  int ModelConfig::*member;
  int max;
};
constexpr HeaderField kHeader[] = {
    {"dim", &ModelConfig::d_model, kModelWidthMax},
    {"hidden_dim", &ModelConfig::ffn, kFfnMax},
    {"n_layers", &ModelConfig::layers, kLayersMax},
    {"n_heads", &ModelConfig::heads, kHeadsMax},
    {"n_kv_heads", &ModelConfig::kv_heads, kHeadsMax},
    {"vocab_size", &ModelConfig::vocab, kVocabMax},
    {"seq_len", &ModelConfig::context_max, kContextMax},
};
constexpr std::size_t kVocabField = 5;

Status read_header(std::span<const std::byte> file, ModelConfig& config) {
  if (file.size() < kHeaderSize) {
    return error(StatusCode::kCorrupt, "header at offset 0: {} bytes needed, {} in the file",
                 kHeaderSize, file.size());
  }
  std::uint32_t magic = 0;
  std::memcpy(&magic, file.data(), sizeof(magic));
  if (magic == kLaterMagic) {
    return error(StatusCode::kUnsupported,
                 "magic at offset 0: a llama2.c export of version 1 or 2; only the legacy format "
                 "(version 0) is read");
  }
  for (std::size_t i = 0; i < std::size(kHeader); ++i) {
    std::int32_t value = 0;
    std::memcpy(&value, file.data() + i * sizeof(value), sizeof(value));
    const bool is_negated = i == kVocabField && value < 0 && value >= -kVocabMax;
    if (i == kVocabField) config.tied_head = !is_negated;
    if (is_negated) value = -value;
    if (value < 1 || value > kHeader[i].max) {
      return error(StatusCode::kCorrupt, "{} at offset {}: {} is not in the range 1 to {}",
                   kHeader[i].name, i * sizeof(value), value, kHeader[i].max);
    }
    config.*kHeader[i].member = value;
  }
  if (config.d_model % config.heads != 0) {
    return error(StatusCode::kCorrupt, "n_heads at offset 12: {} heads do not divide dim {}",
                 config.heads, config.d_model);
  }
  config.head_dim = config.d_model / config.heads;
  return ok_status();
}

// Hands out the tensors one after the other. Sizes are products of at most four bounded ints (less
// than 2^60 bytes), so sums of a dozen cannot overflow 64 bits.
class Layout {
 public:
  Layout(std::span<const std::byte> file, Llama2cModel& model) : file_(file), model_(model) {}

  void take(const std::string& name, std::vector<std::size_t> shape) {
    TensorView tensor;
    tensor.name = name;
    tensor.shape = std::move(shape);
    const std::size_t bytes = tensor.bytes();
    if (offset_ <= file_.size() && bytes <= file_.size() - offset_) {
      tensor.data = file_.data() + offset_;
      model_.tensors.emplace(name, std::move(tensor));
    }
    offset_ += bytes;
  }

  // One tensor per layer, all layers together.
  void take_layers(std::string_view part, const std::vector<std::size_t>& shape) {
    for (int i = 0; i < model_.config.layers; ++i) {
      take(fmt::format("layers.{}.{}", i, part), shape);
    }
  }

  void skip(std::size_t floats) { offset_ += floats * sizeof(float); }
  std::size_t offset() const { return offset_; }

 private:
  std::span<const std::byte> file_;
  Llama2cModel& model_;
  std::size_t offset_ = kHeaderSize;
};

std::size_t place_tensors(std::span<const std::byte> file, Llama2cModel& model) {
  const ModelConfig& config = model.config;
  const auto d = static_cast<std::size_t>(config.d_model);
  const auto ffn = static_cast<std::size_t>(config.ffn);
  const auto vocab = static_cast<std::size_t>(config.vocab);
  const auto head_dim = static_cast<std::size_t>(config.head_dim);
  const std::size_t kv = static_cast<std::size_t>(config.kv_heads) * head_dim;
  Layout layout(file, model);
  layout.take("embed", {vocab, d});
  layout.take_layers("attn_norm", {d});
  layout.take_layers("q", {d, d});
  layout.take_layers("k", {kv, d});
  layout.take_layers("v", {kv, d});
  layout.take_layers("o", {d, d});
  layout.take_layers("ffn_norm", {d});
  layout.take_layers("gate", {ffn, d});
  layout.take_layers("down", {d, ffn});
  layout.take_layers("up", {ffn, d});
  layout.take("final_norm", {d});
  layout.skip(2 * static_cast<std::size_t>(config.context_max) * (head_dim / 2));  // cos and sin
  if (!config.tied_head) layout.take("head", {vocab, d});
  return layout.offset();
}

}  // namespace

bool looks_like_llama2c(std::span<const std::byte> file) {
  ModelConfig config;
  const Status status = read_header(file, config);
  return status.is_ok() || status.code() == StatusCode::kUnsupported;
}

Result<Llama2cModel> read_llama2c(std::span<const std::byte> file) {
  Llama2cModel model;
  ModelConfig& config = model.config;
  config.architecture = "llama";
  QUIRE_RETURN_IF_ERROR(read_header(file, config));
  config.rms_eps = 1e-5f;
  config.rope.theta = 10000;
  config.rope.pairing = RopePairs::kAdjacent;
  config.bos_id = kBos;
  config.eos_ids = {kBos, kEos};  // stories end where the next one begins
  config.bos_text = "<s>";
  config.eos_text = "</s>";
  config.add_bos = true;
  QUIRE_RETURN_IF_ERROR(check_model_config(config));
  const std::size_t size = place_tensors(file, model);
  if (size != file.size()) {
    return error(StatusCode::kCorrupt,
                 "weights at offset {}: the header implies a file of {} bytes, but it has {}",
                 kHeaderSize, size, file.size());
  }
  return model;
}

}  // namespace quire
