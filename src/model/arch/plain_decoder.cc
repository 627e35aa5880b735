#include "model/arch/plain_decoder.h"

#include <algorithm>

#include <fmt/format.h>

#include "formats/config/config_ranges.h"
#include "model/layers/caches.h"
#include "model/layers/config_checks.h"
#include "model/layers/rope.h"

namespace quire {
namespace {

using Blocks = PlainConfig::Blocks;
using HeadNorms = PlainConfig::HeadNorms;
using Shape = std::vector<std::size_t>;

Caches caches_of(const PlainConfig& c) {
  GroupFacts like;
  like.heads = c.heads;
  like.kv_heads = c.kv_heads;
  like.k_width = like.v_width = c.head_dim;
  const std::vector<int> none(PlainConfig::size(c.layers), 0);
  return divide_layers(c.windows.empty() ? none : c.windows, like);
}

// The norms of all heads, which a file may hold one by one.
Status load_head_norms(WeightLoader& loader, const std::string& name, int heads, Backend& backend,
                       Norm& norm) {
  norm.heads = heads;
  if (loader.has(name)) {
    QUIRE_ASSIGN_OR_RETURN(norm.weight, loader.vector(name));
    return ok_status();
  }
  std::vector<float> all;
  for (int head = 0; head < heads; ++head) {
    QUIRE_ASSIGN_OR_RETURN(const std::vector<float> one,
                           loader.values(fmt::format("{}.{}", name, head)));
    all.insert(all.end(), one.begin(), one.end());
  }
  norm.weight = backend.vector(all);
  return ok_status();
}

}  // namespace

// --- the model ---

void PlainDecoder::forward(const BatchView& batch, KvStore& kv) {
  Program& p = program_;
  p.clear();
  stem_.begin(p, w_);
  if (config_.position_offset) {
    p.add(GatherOp{&positions_, &w_.residual, GatherOp::Index::kPosition, *config_.position_offset,
                   1, true});
  }
  for (const Layer& layer : layers_) {
    run_attention(layer.attention, p, w_);
    if (layer.attention_after) p.norm(w_.residual, layer.attention_after, w_.residual);
    run_mlp(layer.mlp, p, w_);
    if (layer.mlp_after) p.norm(w_.residual, layer.mlp_after, w_.residual);
  }
  stem_.end(p, w_);
  backend_.run(p, batch, kv);
}

Status PlainDecoder::load_norms_after(WeightLoader& loader, int index, Layer& layer) {
  const std::string prefix = fmt::format("layers.{}.", index);
  layer.attention_after = layer.mlp_after = norm();
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "attn_after", layer.attention_after));
  QUIRE_RETURN_IF_ERROR(load_norm(loader, prefix + "ffn_after", layer.mlp_after));
  // The last of them is the one before the head.
  if (index + 1 == config_.layers) std::swap(stem_.final_norm, layer.mlp_after);
  return ok_status();
}

Status PlainDecoder::load_layer(WeightLoader& loader, int index, const AttentionLayer& like) {
  const PlainConfig& c = config_;
  const std::string prefix = fmt::format("layers.{}.", index);
  Layer& layer = layers_.emplace_back();
  layer.attention = like;
  layer.mlp.norm = norm();
  layer.mlp.activation = c.activation;
  const auto at = PlainConfig::size(index);
  layer.attention.attend.cache = caches_of(c).slots[at];
  if (!c.windows.empty()) layer.attention.attend.window = c.windows[at];
  QUIRE_RETURN_IF_ERROR(load_attention(loader, prefix, layer.attention));
  QUIRE_RETURN_IF_ERROR(load_mlp(loader, prefix, layer.mlp));
  if (c.head_norms == HeadNorms::kEach) {
    AttentionLayer& attention = layer.attention;
    attention.q_norm = attention.k_norm = norm();
    QUIRE_RETURN_IF_ERROR(
        load_head_norms(loader, prefix + "q_norms", c.heads, backend_, attention.q_norm));
    QUIRE_RETURN_IF_ERROR(
        load_head_norms(loader, prefix + "k_norms", c.kv_heads, backend_, attention.k_norm));
  }
  return c.blocks == Blocks::kNormAfter ? load_norms_after(loader, index, layer) : ok_status();
}

void PlainDecoder::make_workspace() {
  const PlainConfig& c = config_;
  const int q = static_cast<int>(c.q()), kv = static_cast<int>(c.kv());
  w_ = Workspace::make(backend_, options_,
                       {.d_model = c.d_model, .q = q, .k = kv, .v = kv, .attended = q,
                        .ffn = c.ffn, .vocab = c.vocab});
  if (c.blocks == Blocks::kNormAfter) w_.normed = w_.residual;
  if (c.table_width == 0) return;
  stem_.gathered = backend_.buffer(Rows::kTokens, options_.tokens_max, c.table_width);
  stem_.led_back = backend_.buffer(Rows::kWanted, options_.logits_rows_max, c.table_width);
}

Status PlainDecoder::load(WeightLoader& loader) {
  const PlainConfig& c = config_;
  stem_.final_norm = norm();
  stem_.logit_scale = c.logit_scale;
  QUIRE_RETURN_IF_ERROR(stem_.load(loader));
  if (c.position_offset) {
    QUIRE_ASSIGN_OR_RETURN(positions_, loader.table("positions"));
  }
  AttentionLayer like;
  like.norm = norm();
  if (c.rope) {
    like.q_rope = like.k_rope = make_rope(*c.rope, c.head_dim, options_.context_max, backend_);
  }
  like.q_rope.norm = like.k_rope.norm = norm();
  like.attend = plain_attention(c.heads, c.kv_heads, c.head_dim, {});
  if (c.score_scale != 0) like.attend.scale = c.score_scale;
  if (!c.slopes.empty()) like.attend.slopes = backend_.vector(c.slopes);
  for (int i = 0; i < c.layers; ++i) QUIRE_RETURN_IF_ERROR(load_layer(loader, i, like));
  weight_bytes_ = loader.bytes() - stem_.untouched_bytes - positions_.bytes;
  make_workspace();
  return ok_status();
}

// --- tensors and facts ---

void set_fused(PlainNames& names, const PlainConfig& c, const std::string& name) {
  const std::size_t total = c.q() + 2 * c.kv();
  names.q = Stored(name).rows(0, total);
  names.k = Stored(name).rows(c.q(), total);
  names.v = Stored(name).rows(c.q() + c.kv(), total);
}

void set_woven(PlainNames& names, const PlainConfig& c, const std::string& name) {
  const auto head = PlainConfig::size(c.head_dim);
  std::size_t part = 0;
  for (Stored* one : {&names.q, &names.k, &names.v}) {
    *one = Stored(name).runs(part * head, head, 3 * head, 3 * c.q());
    ++part;
  }
}

PlainConfig read_plain(const ConfigFields& fields, int vocab, const PlainKeys& keys) {
  const auto key = [](const char* hf, const char* gguf) {
    return Key(hf == nullptr ? "" : hf, gguf);
  };
  const auto or_none = [](int fallback) {
    return fallback > 0 ? std::optional(fallback) : std::nullopt;
  };
  PlainConfig c;
  c.vocab = vocab;
  c.is_gguf = fields.is_gguf();
  c.layers = fields.integer(key(keys.layers, "block_count"), 1, kLayersMax);
  c.d_model = fields.integer(key(keys.d_model, "embedding_length"), 1, kModelWidthMax);
  c.ffn = fields.integer(key(keys.ffn, "feed_forward_length"), 1, kFfnMax, 4 * c.d_model);
  const Key heads = key(keys.heads, "attention.head_count");
  c.heads = fields.integer(heads, 1, kHeadsMax);
  c.kv_heads =
      fields.integer(key(keys.kv_heads, "attention.head_count_kv"), 1, kHeadsMax, c.heads);
  c.head_dim = c.d_model / c.heads;
  c.context_max = fields.integer(key(keys.context, "context_length"), 1, kContextMax,
                                 or_none(keys.context_default));
  c.eps = static_cast<float>(fields.number(keys.eps, kRmsEpsMin, kRmsEpsMax, keys.eps_default));
  c.activation = read_activation(fields, keys.activation, keys.activation_default);
  for (const char* length : {"attention.key_length", "attention.value_length"}) {
    fields.refuse_unless({"", length}, c.head_dim);
  }
  check_width(fields, heads, c.heads, c.d_model);
  check_heads(fields, c.heads, c.kv_heads, c.head_dim);
  return c;
}

void refuse_gguf(const ConfigFields& fields, std::string_view architecture) {
  if (!fields.is_gguf()) return;
  fields.fail(error(StatusCode::kUnsupported, "{} is not supported as GGUF, only as a folder of "
                    "Hugging Face", architecture));
}

bool read_tied(const ConfigFields& fields, bool fallback) {
  if (fields.is_gguf()) return fields.tensor({"", "output.weight"}) == nullptr;
  return fields.boolean({"tie_word_embeddings", ""}, fallback);
}

namespace {

// The rules of one layer: names of files come without ".weight" and ".bias".
class PlainLayerRules {
 public:
  PlainLayerRules(const PlainConfig& c, const PlainNames& names, int layer, TensorRules& rules)
      : c_(c), names_(names), layer_(layer), rules_(rules) {}

  void add_all() {
    const auto d = PlainConfig::size(c_.d_model), ffn = PlainConfig::size(c_.ffn);
    const bool is_after = c_.blocks == Blocks::kNormAfter;
    norm(is_after ? "attn_after" : "attn_norm", "attn_norm", names_.attn_norm, d);
    if (c_.blocks != Blocks::kBeside) {
      norm(is_after ? "ffn_after" : "ffn_norm", "ffn_norm", names_.ffn_norm, d);
    }
    add_heads(d);
    linear("o", "attn_output", names_.o, {d, c_.q()}, c_.has_o_bias);
    if (c_.has_gate) linear("gate", gguf_gate_, names_.gate, {ffn, d}, c_.has_mlp_bias);
    linear("up", gguf_up_, names_.up, {ffn, d}, c_.has_mlp_bias);
    linear("down", "ffn_down", names_.down, {d, ffn}, c_.has_mlp_bias);
  }
  // GGUF has gate and up in one matrix, as well.
  void fuse_gate_of_gguf() {
    const auto ffn = PlainConfig::size(c_.ffn);
    gguf_gate_ = Stored("ffn_up").rows(0, 2 * ffn);
    gguf_up_ = Stored("ffn_up").rows(ffn, 2 * ffn);
  }

 private:
  void add(const std::string& name, const Stored& gguf, const Stored& hf, Shape shape, Role role) {
    const bool is_bias = role == Role::kBias;
    const char* end = is_bias ? ".bias" : ".weight";
    Stored in_gguf = gguf, in_hf = hf;
    in_gguf.name = "blk.{}." + gguf.name + end;
    in_hf.name = names_.layer + hf.name + end;
    rules_.add_layer(layer_, {"layers.{}." + name + (is_bias ? "_bias" : ""), in_gguf, in_hf,
                              std::move(shape), role});
  }
  void linear(const std::string& name, const Stored& gguf, const Stored& hf, Shape shape,
              bool has_bias) {
    add(name, gguf, hf, shape, Role::kMatrix);
    if (has_bias) add(name, gguf, hf, {shape[0]}, Role::kBias);
  }
  void norm(const std::string& name, const std::string& gguf, const std::string& hf,
            std::size_t width) {
    add(name, gguf, hf, {width}, Role::kNorm);
    if (c_.has_norm_bias) add(name, gguf, hf, {width}, Role::kBias);
  }

  void add_heads(std::size_t d) {
    PlainNames in_gguf;
    in_gguf.q = "attn_q", in_gguf.k = "attn_k", in_gguf.v = "attn_v";
    if (c_.is_gguf_fused) set_fused(in_gguf, c_, "attn_qkv");
    linear("q", in_gguf.q, names_.q, {c_.q(), d}, c_.has_qkv_bias);
    linear("k", in_gguf.k, names_.k, {c_.kv(), d}, c_.has_qkv_bias);
    linear("v", in_gguf.v, names_.v, {c_.kv(), d}, c_.has_qkv_bias);
    add_head_norms("q_norm", "attn_q_norm", names_.q_norm, c_.heads);
    add_head_norms("k_norm", "attn_k_norm", names_.k_norm, c_.kv_heads);
  }
  void add_head_norms(const std::string& name, const std::string& gguf, const std::string& hf,
                      int heads) {
    const auto head = PlainConfig::size(c_.head_dim);
    if (c_.head_norms == HeadNorms::kShared) {
      add(name, gguf, hf, {head}, Role::kNorm);
      if (c_.has_head_norm_bias) add(name, gguf, hf, {head}, Role::kBias);
    } else if (c_.head_norms == HeadNorms::kEach && c_.is_gguf) {
      add(name + "s", gguf, hf, {PlainConfig::size(heads), head}, Role::kNorm);
    } else if (c_.head_norms == HeadNorms::kEach) {
      for (int i = 0; i < heads; ++i) {
        std::string own = hf;
        own.replace(own.find("{e}"), 3, std::to_string(i));
        add(fmt::format("{}s.{}", name, i), gguf, own, {head}, Role::kNorm);
      }
    }
  }

  const PlainConfig& c_;
  const PlainNames& names_;
  int layer_;
  TensorRules& rules_;
  Stored gguf_gate_ = "ffn_gate", gguf_up_ = "ffn_up";
};

void add_stem(const PlainConfig& c, const PlainNames& names, TensorRules& t) {
  const auto d = PlainConfig::size(c.d_model), vocab = PlainConfig::size(c.vocab);
  const auto width = PlainConfig::size(c.width_of_table());
  TensorRule embed = {"embed", "token_embd.weight", names.table + ".weight", {vocab, width},
                      Role::kTable};
  if (c.has_tied_head) {  // a tied model may store its one matrix under either name, or both
    embed.others = {names.head + ".weight"};
    t.ignore(names.head + ".weight");
  } else {
    t.add({"head", "output.weight", names.head + ".weight", {vocab, width}, Role::kHead});
  }
  t.add(std::move(embed));
  if (c.has_head_bias) {
    t.add({"head_bias", "output.bias", names.head + ".bias", {vocab}, Role::kBias});
  }
  if (c.position_offset) {
    t.add({"positions", "position_embd.weight", names.positions + ".weight",
           {PlainConfig::size(c.context_max + *c.position_offset), d}, Role::kTable});
  }
  if (c.table_width > 0) {
    t.add({"embed_in", "", names.table_in + ".weight", {d, width}});
    t.add({"embed_out", "", names.table_out + ".weight", {width, d}});
  }
  if (c.blocks == Blocks::kNormAfter) return;
  t.add({"final_norm", "output_norm.weight", names.final_norm + ".weight", {d}, Role::kNorm});
  if (!c.has_norm_bias) return;
  t.add({"final_norm_bias", "output_norm.bias", names.final_norm + ".bias", {d}, Role::kBias});
}

}  // namespace

TensorRules plain_tensors(const PlainConfig& c, const PlainNames& names) {
  TensorRules t;
  add_stem(c, names, t);
  for (int i = 0; i < c.layers; ++i) {
    PlainLayerRules layer(c, names, i, t);
    if (names.gate.total != 0) layer.fuse_gate_of_gguf();
    layer.add_all();
  }
  for (const std::string& pattern : names.implied) t.ignore(pattern);
  if (names.prefix.empty()) return t;
  for (TensorRule& rule : t.rules) {
    if (!rule.hf.name.starts_with(names.prefix)) continue;
    Stored& other = rule.others.emplace_back(rule.hf);
    other.name.erase(0, names.prefix.size());
  }
  return t;
}

ModelFacts plain_facts(const PlainConfig& c) {
  ModelFacts f;
  f.layers = c.layers;
  f.width = c.d_model;
  f.vocab = c.vocab;
  f.context_max = c.context_max;
  f.has_tied_head = c.has_tied_head;
  f.groups = caches_of(c).groups;
  f.notes = {{"width", fmt::format("{}, feed-forward {}{}", c.d_model, c.ffn,
                                   c.blocks == Blocks::kBeside ? " beside attention" : "")},
             {"heads", fmt::format("{} of {}, key-value {}{}{}", c.heads, c.head_dim, c.kv_heads,
                                   c.has_qkv_bias ? ", with biases" : "",
                                   c.head_norms != HeadNorms::kNone ? ", with norms" : "")}};
  f.notes.emplace_back(c.rope ? "rope" : "positions",
                       c.rope                ? rope_text(*c.rope)
                       : c.slopes.empty()    ? fmt::format("learned, {}", c.context_max)
                                             : std::string("linear biases (ALiBi)"));
  const auto is_windowed = [](int window) { return window > 0; };
  const auto count = std::count_if(c.windows.begin(), c.windows.end(), is_windowed);
  if (count > 0) {
    f.notes.emplace_back("window", fmt::format("{} in {} of {} layers",
                                               *std::max_element(c.windows.begin(),
                                                                 c.windows.end()),
                                               count, c.layers));
  }
  return f;
}

}  // namespace quire
