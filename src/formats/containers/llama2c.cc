#include "formats/containers/llama2c.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "formats/config/config_ranges.h"

namespace quire {
namespace {

constexpr std::size_t kHeaderSize = 7 * sizeof(std::int32_t);
constexpr std::uint32_t kLaterMagic = 0x616B3432;  // versions 1 and 2 begin with it
constexpr TokenId kBos = 1;
constexpr TokenId kEos = 2;

struct Header {
  int dim = 0, hidden_dim = 0, layers = 0, heads = 0, kv_heads = 0, vocab = 0, context = 0;
  bool has_tied_head = true;
};

struct HeaderField {
  std::string_view name;
  int Header::*member;
  int max;
};
constexpr HeaderField kHeader[] = {
    {"dim", &Header::dim, kModelWidthMax},
    {"hidden_dim", &Header::hidden_dim, kFfnMax},
    {"n_layers", &Header::layers, kLayersMax},
    {"n_heads", &Header::heads, kHeadsMax},
    {"n_kv_heads", &Header::kv_heads, kHeadsMax},
    {"vocab_size", &Header::vocab, kVocabMax},
    {"seq_len", &Header::context, kContextMax},
};
constexpr std::size_t kVocabField = 5;

Result<Header> read_header(std::span<const std::byte> file) {
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
  Header header;
  for (std::size_t i = 0; i < std::size(kHeader); ++i) {
    std::int32_t value = 0;
    std::memcpy(&value, file.data() + i * sizeof(value), sizeof(value));
    const bool is_negated = i == kVocabField && value < 0 && value >= -kVocabMax;
    if (i == kVocabField) header.has_tied_head = !is_negated;
    if (is_negated) value = -value;
    if (value < 1 || value > kHeader[i].max) {
      return error(StatusCode::kCorrupt, "{} at offset {}: {} is not in the range 1 to {}",
                   kHeader[i].name, i * sizeof(value), value, kHeader[i].max);
    }
    header.*kHeader[i].member = value;
  }
  if (header.dim % header.heads != 0) {
    return error(StatusCode::kCorrupt, "n_heads at offset 12: {} heads do not divide dim {}",
                 header.heads, header.dim);
  }
  return header;
}

// Hands out the tensors one after the other. Sizes are products of at most four bounded ints (less
// than 2^60 bytes), so sums of a dozen cannot overflow 64 bits.
class Layout {
 public:
  Layout(std::span<const std::byte> file, const Header& header, std::vector<TensorView>& tensors)
      : file_(file), header_(header), tensors_(tensors) {}

  void take(const std::string& name, std::vector<std::size_t> shape) {
    TensorView tensor;
    tensor.name = name;
    tensor.shape = std::move(shape);
    const std::size_t bytes = tensor.bytes();
    if (offset_ <= file_.size() && bytes <= file_.size() - offset_) {
      tensor.data = file_.data() + offset_;
      tensors_.push_back(std::move(tensor));
    }
    offset_ += bytes;
  }

  // One tensor per layer, all layers together.
  void take_layers(std::string_view part, const std::vector<std::size_t>& shape) {
    for (int i = 0; i < header_.layers; ++i) {
      take(fmt::format("model.layers.{}.{}.weight", i, part), shape);
    }
  }

  void skip(std::size_t floats) { offset_ += floats * sizeof(float); }
  std::size_t offset() const { return offset_; }

 private:
  std::span<const std::byte> file_;
  const Header& header_;
  std::vector<TensorView>& tensors_;
  std::size_t offset_ = kHeaderSize;
};

std::size_t place_tensors(std::span<const std::byte> file, const Header& header,
                          std::vector<TensorView>& tensors) {
  const auto d = static_cast<std::size_t>(header.dim);
  const auto ffn = static_cast<std::size_t>(header.hidden_dim);
  const auto vocab = static_cast<std::size_t>(header.vocab);
  const std::size_t head_dim = d / header.heads;
  const std::size_t kv = static_cast<std::size_t>(header.kv_heads) * head_dim;
  Layout layout(file, header, tensors);
  layout.take("model.embed_tokens.weight", {vocab, d});
  layout.take_layers("input_layernorm", {d});
  layout.take_layers("self_attn.q_proj", {d, d});
  layout.take_layers("self_attn.k_proj", {kv, d});
  layout.take_layers("self_attn.v_proj", {kv, d});
  layout.take_layers("self_attn.o_proj", {d, d});
  layout.take_layers("post_attention_layernorm", {d});
  layout.take_layers("mlp.gate_proj", {ffn, d});
  layout.take_layers("mlp.down_proj", {d, ffn});
  layout.take_layers("mlp.up_proj", {ffn, d});
  layout.take("model.norm.weight", {d});
  layout.skip(2 * static_cast<std::size_t>(header.context) * (head_dim / 2));  // cos and sin
  if (!header.has_tied_head) layout.take("lm_head.weight", {vocab, d});
  return layout.offset();
}

}  // namespace

bool looks_like_llama2c(std::span<const std::byte> file) {
  const Result<Header> header = read_header(file);
  return header.is_ok() || header.status().code() == StatusCode::kUnsupported;
}

Result<Llama2cModel> read_llama2c(std::span<const std::byte> file) {
  QUIRE_ASSIGN_OR_RETURN(const Header header, read_header(file));
  if (header.heads % header.kv_heads != 0) {
    return error(StatusCode::kCorrupt,
                 "n_kv_heads at offset 16: {} query heads cannot share {} key-value heads",
                 header.heads, header.kv_heads);
  }
  Llama2cModel model;
  const std::size_t size = place_tensors(file, header, model.tensors);
  if (size != file.size()) {
    return error(StatusCode::kCorrupt,
                 "weights at offset {}: the header implies a file of {} bytes, but it has {}",
                 kHeaderSize, size, file.size());
  }
  model.config = Json::object({{"hidden_size", header.dim},
                               {"intermediate_size", header.hidden_dim},
                               {"num_hidden_layers", header.layers},
                               {"num_attention_heads", header.heads},
                               {"num_key_value_heads", header.kv_heads},
                               {"vocab_size", header.vocab},
                               {"max_position_embeddings", header.context},
                               {"rms_norm_eps", 1e-5},
                               {"rope_theta", 10000.0},
                               {"tie_word_embeddings", header.has_tied_head}});
  if (header.vocab > kEos) {
    model.words.bos_id = kBos;
    model.words.eos_ids = {kBos, kEos};  // stories end where the next one begins
    model.words.bos_text = "<s>";
    model.words.eos_text = "</s>";
    model.words.add_bos = true;
  }
  return model;
}

}  // namespace quire
