// The smallest models of every kind, with weights that are all small numbers: d 8, 2 heads of 4,
// one key-value head, ffn 16, vocabulary 8. Tests change one thing in them and look what happens.
// Header only, test code only.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "formats/testing/gguf_writer.h"

namespace quire::testing {

inline std::vector<float> tiny_weights(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = 0.01f * static_cast<float>(i % 7) - 0.03f;
  return values;
}

struct TinyTensor {
  const char* gguf;
  const char* hugging_face;
  std::vector<std::size_t> shape;
};

// Of a llama of one layer with a tied head.
inline std::vector<TinyTensor> tiny_tensors() {
  return {
      {"token_embd.weight", "model.embed_tokens.weight", {8, 8}},
      {"blk.0.attn_norm.weight", "model.layers.0.input_layernorm.weight", {8}},
      {"blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight", {8, 8}},
      {"blk.0.attn_k.weight", "model.layers.0.self_attn.k_proj.weight", {4, 8}},
      {"blk.0.attn_v.weight", "model.layers.0.self_attn.v_proj.weight", {4, 8}},
      {"blk.0.attn_output.weight", "model.layers.0.self_attn.o_proj.weight", {8, 8}},
      {"blk.0.ffn_norm.weight", "model.layers.0.post_attention_layernorm.weight", {8}},
      {"blk.0.ffn_gate.weight", "model.layers.0.mlp.gate_proj.weight", {16, 8}},
      {"blk.0.ffn_up.weight", "model.layers.0.mlp.up_proj.weight", {16, 8}},
      {"blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight", {8, 16}},
      {"output_norm.weight", "model.norm.weight", {8}},
  };
}

inline std::size_t element_count(const std::vector<std::size_t>& shape) {
  std::size_t count = 1;
  for (const std::size_t size : shape) count *= size;
  return count;
}

// Everything but tensors.
inline GgufWriter tiny_gguf_metadata(const std::string& architecture = "llama") {
  const std::string prefix = architecture + ".";
  GgufWriter writer;
  writer.set("general.architecture", architecture)
      .set("general.name", "tiny")
      .set(prefix + "block_count", std::uint32_t{1})
      .set(prefix + "context_length", std::uint32_t{32})
      .set(prefix + "embedding_length", std::uint32_t{8})
      .set(prefix + "feed_forward_length", std::uint32_t{16})
      .set(prefix + "attention.head_count", std::uint32_t{2})
      .set(prefix + "attention.head_count_kv", std::uint32_t{1})
      .set(prefix + "attention.layer_norm_rms_epsilon", 1e-6f)
      .set("tokenizer.ggml.model", "llama")
      .set("tokenizer.ggml.tokens",
           std::vector<std::string>{"<unk>", "<s>", "</s>", "a", "b", "ab", "c", "\u2581"})
      .set("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, -2, -3, -1, -4, -5})
      .set("tokenizer.ggml.token_type", std::vector<std::int32_t>{2, 3, 3, 1, 1, 1, 1, 1})
      .set("tokenizer.ggml.bos_token_id", std::uint32_t{1})
      .set("tokenizer.ggml.eos_token_id", std::uint32_t{2});
  return writer;
}

inline GgufWriter tiny_gguf(const std::string& architecture = "llama") {
  GgufWriter writer = tiny_gguf_metadata(architecture);
  for (const TinyTensor& tensor : tiny_tensors()) {
    writer.add_tensor(tensor.gguf, tensor.shape, tiny_weights(element_count(tensor.shape)));
  }
  return writer;
}

// A .safetensors file of F32 tensors.
inline std::string tiny_safetensors(const std::vector<TinyTensor>& tensors) {
  std::string header, data;
  for (const TinyTensor& tensor : tensors) {
    const std::vector<float> values = tiny_weights(element_count(tensor.shape));
    const std::size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    std::string shape;
    for (const std::size_t size : tensor.shape) {
      shape += (shape.empty() ? "" : ",") + std::to_string(size);
    }
    header +=
        fmt::format(R"({}"{}":{{"dtype":"F32","shape":[{}],"data_offsets":[{},{}]}})",
                    header.empty() ? "{" : ",", tensor.hugging_face, shape, begin, data.size());
  }
  header += "}";
  const std::uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + header + data;
}

inline const char* tiny_hf_config() {
  return R"({"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":8,
"intermediate_size":16,"num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,
"vocab_size":8,"max_position_embeddings":32,"rms_norm_eps":1e-6,"hidden_act":"silu",
"tie_word_embeddings":true,"bos_token_id":1,"eos_token_id":2})";
}

}  // namespace quire::testing
