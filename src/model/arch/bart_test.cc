// Configurations of encoder-decoders in the words of released models' config.json, as far as they
// are known without the files: each is read, no key of it is an unknown one; and what this family
// does not compute is refused by name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "model/registry.h"

namespace quire {
namespace {

using ::testing::HasSubstr;

struct Published {
  const char* name;
  const char* config;
};

constexpr Published kPublished[] = {
    {"bart-large-cnn",
     R"({"activation_dropout": 0.0, "attention_dropout": 0.0, "dropout": 0.1, "encoder_layerdrop":
0.0, "decoder_layerdrop": 0.0, "init_std": 0.02, "is_encoder_decoder": true, "use_cache":
true, "gradient_checkpointing": false, "classifier_dropout": 0.0, "num_beams": 4, "d_model":
1024, "encoder_layers": 12, "decoder_layers": 12, "encoder_attention_heads": 16,
"decoder_attention_heads": 16, "encoder_ffn_dim": 4096, "decoder_ffn_dim": 4096,
"num_hidden_layers": 12, "_num_labels": 3, "activation_function": "gelu",
"add_final_layer_norm": false, "architectures": ["BartForConditionalGeneration"],
"bos_token_id": 0, "classif_dropout": 0.0, "decoder_start_token_id": 2, "early_stopping":
true, "eos_token_id": 2, "force_bos_token_to_be_generated": true, "forced_bos_token_id": 0,
"forced_eos_token_id": 2, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0},
"length_penalty": 2.0, "max_length": 142, "max_position_embeddings": 1024, "min_length": 56,
"model_type": "bart", "no_repeat_ngram_size": 3, "normalize_before": false, "output_past":
true, "pad_token_id": 1, "prefix": " ", "scale_embedding": false, "task_specific_params":
{"summarization": {"max_length": 142}}, "transformers_version": "4.7.0.dev0", "vocab_size":
50264})"},
    {"mbart-large-50-many-to-many-mmt",
     R"({"activation_dropout": 0.0, "attention_dropout": 0.0, "dropout": 0.1, "encoder_layerdrop":
0.0, "decoder_layerdrop": 0.0, "init_std": 0.02, "is_encoder_decoder": true, "use_cache":
true, "gradient_checkpointing": false, "classifier_dropout": 0.0, "num_beams": 4, "d_model":
1024, "encoder_layers": 12, "decoder_layers": 12, "encoder_attention_heads": 16,
"decoder_attention_heads": 16, "encoder_ffn_dim": 4096, "decoder_ffn_dim": 4096,
"num_hidden_layers": 12, "_name_or_path": "/home/x", "activation_function": "relu",
"add_bias_logits": false, "add_final_layer_norm": true, "architectures":
["MBartForConditionalGeneration"], "bos_token_id": 0, "classif_dropout": 0.0,
"decoder_start_token_id": 2, "early_stopping": true, "eos_token_id": 2,
"forced_eos_token_id": 2, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0},
"max_length": 200, "max_position_embeddings": 1024, "model_type": "mbart",
"normalize_before": true, "normalize_embedding": true, "output_past": true, "pad_token_id":
1, "scale_embedding": true, "static_position_embeddings": false, "transformers_version":
"4.4.0.dev0", "vocab_size": 250054, "tokenizer_class": "MBart50Tokenizer"})"},
    {"pegasus-xsum",
     R"({"activation_dropout": 0.0, "attention_dropout": 0.0, "dropout": 0.1, "encoder_layerdrop":
0.0, "decoder_layerdrop": 0.0, "init_std": 0.02, "is_encoder_decoder": true, "use_cache":
true, "gradient_checkpointing": false, "classifier_dropout": 0.0, "num_beams": 4, "d_model":
1024, "encoder_layers": 16, "decoder_layers": 16, "encoder_attention_heads": 16,
"decoder_attention_heads": 16, "encoder_ffn_dim": 4096, "decoder_ffn_dim": 4096,
"num_hidden_layers": 16, "activation_function": "relu", "add_bias_logits": false,
"add_final_layer_norm": true, "architectures": ["PegasusForConditionalGeneration"],
"bos_token_id": 0, "decoder_start_token_id": 0, "eos_token_id": 1, "extra_pos_embeddings":
0, "force_bos_token_to_be_generated": false, "forced_eos_token_id": 1, "length_penalty":
0.6, "max_length": 64, "max_position_embeddings": 512, "model_type": "pegasus",
"normalize_before": true, "normalize_embedding": false, "pad_token_id": 0,
"scale_embedding": true, "static_position_embeddings": true, "vocab_size": 96103})"},
    {"opus-mt-en-de",
     R"({"activation_dropout": 0.0, "attention_dropout": 0.0, "dropout": 0.1, "encoder_layerdrop":
0.0, "decoder_layerdrop": 0.0, "init_std": 0.02, "is_encoder_decoder": true, "use_cache":
true, "gradient_checkpointing": false, "classifier_dropout": 0.0, "num_beams": 4, "d_model":
512, "encoder_layers": 6, "decoder_layers": 6, "encoder_attention_heads": 8,
"decoder_attention_heads": 8, "encoder_ffn_dim": 2048, "decoder_ffn_dim": 2048,
"num_hidden_layers": 6, "_name_or_path": "/tmp/x", "_num_labels": 3, "activation_function":
"swish", "add_bias_logits": false, "add_final_layer_norm": false, "architectures":
["MarianMTModel"], "bad_words_ids": [[58100]], "bos_token_id": 0, "classif_dropout": 0.0,
"decoder_start_token_id": 58100, "decoder_vocab_size": 58101, "eos_token_id": 0,
"forced_eos_token_id": 0, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0},
"max_length": 512, "max_position_embeddings": 512, "model_type": "marian",
"normalize_before": false, "normalize_embedding": false, "pad_token_id": 58100,
"scale_embedding": true, "share_encoder_decoder_embeddings": true,
"static_position_embeddings": true, "transformers_version": "4.22.0.dev0", "vocab_size":
58101})"},
    {"nllb-200-distilled-600M",
     R"({"activation_dropout": 0.0, "attention_dropout": 0.0, "dropout": 0.1, "encoder_layerdrop":
0.0, "decoder_layerdrop": 0.0, "init_std": 0.02, "is_encoder_decoder": true, "use_cache":
true, "gradient_checkpointing": false, "classifier_dropout": 0.0, "num_beams": 4, "d_model":
1024, "encoder_layers": 12, "decoder_layers": 12, "encoder_attention_heads": 16,
"decoder_attention_heads": 16, "encoder_ffn_dim": 4096, "decoder_ffn_dim": 4096,
"num_hidden_layers": 12, "_name_or_path": "x", "activation_function": "relu",
"architectures": ["M2M100ForConditionalGeneration"], "bos_token_id": 0,
"decoder_start_token_id": 2, "eos_token_id": 2, "max_length": 200,
"max_position_embeddings": 1024, "model_type": "m2m_100", "pad_token_id": 1,
"scale_embedding": true, "tokenizer_class": "NllbTokenizer", "torch_dtype": "float32",
"transformers_version": "4.21.0.dev0", "vocab_size": 256206})"},
    {"umt5-small",
     R"({"architectures": ["UMT5ForConditionalGeneration"], "classifier_dropout": 0.0, "d_ff": 1024,
"d_kv": 64, "d_model": 512, "decoder_start_token_id": 0, "dense_act_fn": "gelu_new",
"dropout_rate": 0.1, "eos_token_id": 1, "feed_forward_proj": "gated-gelu",
"initializer_factor": 1.0, "is_encoder_decoder": true, "is_gated_act": true,
"layer_norm_epsilon": 1e-06, "model_type": "umt5", "num_decoder_layers": 8, "num_heads": 6,
"num_layers": 8, "output_past": true, "pad_token_id": 0, "relative_attention_max_distance":
128, "relative_attention_num_buckets": 32, "scalable_attention": true,
"tie_word_embeddings": false, "tokenizer_class": "T5Tokenizer", "torch_dtype": "bfloat16",
"transformers_version": "4.31.0.dev0", "use_cache": true, "vocab_size": 256384})"},
    {"flan-t5-base",
     R"({"architectures": ["T5ForConditionalGeneration"], "d_ff": 2048, "d_kv": 64, "d_model": 768,
"decoder_start_token_id": 0, "dropout_rate": 0.1, "eos_token_id": 1, "feed_forward_proj":
"gated-gelu", "initializer_factor": 1.0, "is_encoder_decoder": true, "layer_norm_epsilon":
1e-06, "model_type": "t5", "n_positions": 512, "num_decoder_layers": 12, "num_heads": 12,
"num_layers": 12, "output_past": true, "pad_token_id": 0, "relative_attention_max_distance":
128, "relative_attention_num_buckets": 32, "task_specific_params": {},
"tie_word_embeddings": false, "transformers_version": "4.23.1", "use_cache": true,
"vocab_size": 32128})"},
};

int number(const Json& config, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const Json* value = config.find(name);
    if (value != nullptr && value->is_int()) return static_cast<int>(value->as_int());
  }
  return 0;
}

Result<Design> design_of(const std::string& config) {
  const auto json = parse_json(config);
  QUIRE_CHECK(json.is_ok(), "{}", json.status().message());
  return design_of_json(json->find("model_type")->as_string(), config, Naming::kHuggingFace);
}

TEST(EncoderDecoderTest, EveryConfigurationIsReadWithoutAnUnknownKey) {
  for (const Published& model : kPublished) {
    SCOPED_TRACE(model.name);
    const auto config = parse_json(model.config);
    ASSERT_TRUE(config.is_ok()) << config.status().message();
    const auto design = design_of(model.config);
    ASSERT_TRUE(design.is_ok()) << design.status().message();
    const ModelFacts& facts = design->facts;
    EXPECT_EQ(facts.kind, ModelKind::kEncoderDecoder);
    EXPECT_EQ(facts.layers, number(*config, {"encoder_layers", "num_layers"}) +
                                number(*config, {"decoder_layers", "num_decoder_layers"}));
    EXPECT_EQ(facts.width, number(*config, {"d_model"}));
    EXPECT_EQ(facts.vocab, number(*config, {"vocab_size"}));
    EXPECT_EQ(facts.context_max, std::max(512, number(*config, {"max_position_embeddings"})));
  }
}

TEST(EncoderDecoderTest, WhatIsNotComputedIsRefusedByName) {
  const std::string sizes =
      R"("d_model":32,"encoder_layers":1,"decoder_layers":1,"encoder_attention_heads":2,)"
      R"("encoder_ffn_dim":8,"decoder_ffn_dim":8,"vocab_size":9)";
  for (const auto& [model, heads, key, value] :
       {std::tuple{"bart", "2", "normalize_before", "true"},
        std::tuple{"mbart", "2", "add_final_layer_norm", "false"},
        std::tuple{"pegasus", "2", "static_position_embeddings", "false"},
        std::tuple{"marian", "2", "decoder_vocab_size", "10"},
        std::tuple{"m2m_100", "4", "decoder_attention_heads", "4"},
        std::tuple{"bart", "2", "is_decoder", "true"},
        std::tuple{"bart", "2", "activation_function", "\"tanh_\""}}) {
    std::string config = "{\"model_type\":\"" + std::string(model) + "\"," + sizes;
    config += ",\"" + std::string(key) + "\":" + value;
    if (std::string_view(key) != "decoder_attention_heads") {
      config += ",\"decoder_attention_heads\":" + std::string(heads);
    }
    const auto design = design_of(config + "}");
    ASSERT_FALSE(design.is_ok()) << key;
    EXPECT_THAT(design.status().message(), HasSubstr(key));
  }
}

}  // namespace
}  // namespace quire
