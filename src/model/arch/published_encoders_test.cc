// Configurations of released encoders, classifiers and embedding models in the words of their
// config.json, as far as they are known without the files: each is read, no key of it is an unknown
// one. What is compared: layers, width, and how long a text may be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/registry.h"

namespace quire {
namespace {

using ::testing::HasSubstr;

struct Published {
  const char* name;
  const char* architecture;  // the registry's
  const char* config;
  int layers, width, context;
};

constexpr Published kPublished[] = {
    {"all-MiniLM-L6-v2", "bert",
     R"({"_name_or_path":"nreimers/MiniLM-L6-H384-uncased","architectures":["BertModel"],
"attention_probs_dropout_prob":0.1,"gradient_checkpointing":false,"hidden_act":"gelu",
"hidden_dropout_prob":0.1,"hidden_size":384,"initializer_range":0.02,"intermediate_size":1536,
"layer_norm_eps":1e-12,"max_position_embeddings":512,"model_type":"bert",
"num_attention_heads":12,"num_hidden_layers":6,"pad_token_id":0,
"position_embedding_type":"absolute","transformers_version":"4.8.2","type_vocab_size":2,
"use_cache":true,"vocab_size":30522})",
     6, 384, 512},
    {"bge-large-en-v1.5", "bert",
     R"({"architectures":["BertModel"],"attention_probs_dropout_prob":0.1,"classifier_dropout":null,
"gradient_checkpointing":false,"hidden_act":"gelu","hidden_dropout_prob":0.1,"hidden_size":1024,
"id2label":{"0":"LABEL_0"},"initializer_range":0.02,"intermediate_size":4096,
"label2id":{"LABEL_0":0},"layer_norm_eps":1e-12,"max_position_embeddings":512,
"model_type":"bert","num_attention_heads":16,"num_hidden_layers":24,"pad_token_id":0,
"position_embedding_type":"absolute","torch_dtype":"float32","transformers_version":"4.30.0",
"type_vocab_size":2,"use_cache":true,"vocab_size":30522})",
     24, 1024, 512},
    {"ms-marco-MiniLM-L-6-v2", "bert",
     R"({"architectures":["BertForSequenceClassification"],"attention_probs_dropout_prob":0.1,
"gradient_checkpointing":false,"hidden_act":"gelu","hidden_dropout_prob":0.1,"hidden_size":384,
"id2label":{"0":"LABEL_0"},"initializer_range":0.02,"intermediate_size":1536,
"label2id":{"LABEL_0":0},"layer_norm_eps":1e-12,"max_position_embeddings":512,
"model_type":"bert","num_attention_heads":12,"num_hidden_layers":6,"pad_token_id":0,
"position_embedding_type":"absolute",
"sbert_ce_default_activation_function":"torch.nn.modules.linear.Identity",
"sentence_transformers":{"activation_fn":"torch.nn.modules.linear.Identity","version":"4.1.0"},
"transformers_version":"4.4.2","type_vocab_size":2,"use_cache":true,"vocab_size":30522})",
     6, 384, 512},
    {"jina-embeddings-v2-base-en", "jina-bert-v2",
     R"({"_name_or_path":"jinaai/jina-bert-implementation","model_max_length":8192,
"architectures":["JinaBertForMaskedLM"],"attention_probs_dropout_prob":0.0,
"auto_map":{"AutoModel":"jinaai/jina-bert-implementation--modeling_bert.JinaBertModel"},
"classifier_dropout":null,"gradient_checkpointing":false,"hidden_act":"gelu",
"hidden_dropout_prob":0.1,"hidden_size":768,"initializer_range":0.02,"intermediate_size":3072,
"layer_norm_eps":1e-12,"max_position_embeddings":8192,"model_type":"bert",
"num_attention_heads":12,"num_hidden_layers":12,"pad_token_id":0,
"position_embedding_type":"alibi","torch_dtype":"float32","transformers_version":"4.26.0",
"type_vocab_size":2,"use_cache":true,"vocab_size":30528,"feed_forward_type":"geglu",
"emb_pooler":"mean","attn_implementation":"torch"})",
     12, 768, 8192},
    {"roberta-base", "roberta",
     R"({"architectures":["RobertaForMaskedLM"],"attention_probs_dropout_prob":0.1,
"bos_token_id":0,"eos_token_id":2,"hidden_act":"gelu","hidden_dropout_prob":0.1,
"hidden_size":768,"initializer_range":0.02,"intermediate_size":3072,"layer_norm_eps":1e-05,
"max_position_embeddings":514,"model_type":"roberta","num_attention_heads":12,
"num_hidden_layers":12,"pad_token_id":1,"type_vocab_size":1,"vocab_size":50265})",
     12, 768, 512},
    {"bge-m3", "roberta",
     R"({"_name_or_path":"","architectures":["XLMRobertaModel"],"attention_probs_dropout_prob":0.1,
"bos_token_id":0,"classifier_dropout":null,"eos_token_id":2,"hidden_act":"gelu",
"hidden_dropout_prob":0.1,"hidden_size":1024,"initializer_range":0.02,"intermediate_size":4096,
"layer_norm_eps":1e-05,"max_position_embeddings":8194,"model_type":"xlm-roberta",
"num_attention_heads":16,"num_hidden_layers":24,"output_past":true,"pad_token_id":1,
"position_embedding_type":"absolute","torch_dtype":"float32","transformers_version":"4.33.0",
"type_vocab_size":1,"use_cache":true,"vocab_size":250002})",
     24, 1024, 8192},
    {"bge-reranker-v2-m3", "roberta",
     R"({"_name_or_path":"BAAI/bge-m3","architectures":["XLMRobertaForSequenceClassification"],
"attention_probs_dropout_prob":0.1,"bos_token_id":0,"classifier_dropout":null,"eos_token_id":2,
"hidden_act":"gelu","hidden_dropout_prob":0.1,"hidden_size":1024,"id2label":{"0":"LABEL_0"},
"initializer_range":0.02,"intermediate_size":4096,"label2id":{"LABEL_0":0},
"layer_norm_eps":1e-05,"max_position_embeddings":8194,"model_type":"xlm-roberta",
"num_attention_heads":16,"num_hidden_layers":24,"output_past":true,"pad_token_id":1,
"position_embedding_type":"absolute","torch_dtype":"float32","transformers_version":"4.38.1",
"type_vocab_size":1,"use_cache":true,"vocab_size":250002})",
     24, 1024, 8192},
    {"distilbert-base-uncased-finetuned-sst-2-english", "distilbert",
     R"({"activation":"gelu","architectures":["DistilBertForSequenceClassification"],
"attention_dropout":0.1,"dim":768,"dropout":0.1,"finetuning_task":"sst-2","hidden_dim":3072,
"id2label":{"0":"NEGATIVE","1":"POSITIVE"},"initializer_range":0.02,
"label2id":{"NEGATIVE":0,"POSITIVE":1},"max_position_embeddings":512,"model_type":"distilbert",
"n_heads":12,"n_layers":6,"output_past":true,"pad_token_id":0,"qa_dropout":0.1,
"seq_classif_dropout":0.2,"sinusoidal_pos_embds":false,"tie_weights_":true,"vocab_size":30522})",
     6, 768, 512},
    {"all-mpnet-base-v2", "mpnet",
     R"({"_name_or_path":"microsoft/mpnet-base","architectures":["MPNetForMaskedLM"],
"attention_probs_dropout_prob":0.1,"bos_token_id":0,"eos_token_id":2,"hidden_act":"gelu",
"hidden_dropout_prob":0.1,"hidden_size":768,"initializer_range":0.02,"intermediate_size":3072,
"layer_norm_eps":1e-05,"max_position_embeddings":514,"model_type":"mpnet",
"num_attention_heads":12,"num_hidden_layers":12,"pad_token_id":1,
"relative_attention_num_buckets":32,"transformers_version":"4.8.2","vocab_size":30527})",
     12, 768, 512},
    {"albert-base-v2", "albert",
     R"({"architectures":["AlbertForMaskedLM"],"attention_probs_dropout_prob":0,"bos_token_id":2,
"classifier_dropout_prob":0.1,"down_scale_factor":1,"embedding_size":128,"eos_token_id":3,
"gap_size":0,"hidden_act":"gelu_new","hidden_dropout_prob":0,"hidden_size":768,
"initializer_range":0.02,"inner_group_num":1,"intermediate_size":3072,"layer_norm_eps":1e-12,
"max_position_embeddings":512,"model_type":"albert","net_structure_type":0,
"num_attention_heads":12,"num_hidden_groups":1,"num_hidden_layers":12,"num_memory_blocks":0,
"pad_token_id":0,"type_vocab_size":2,"vocab_size":30000})",
     12, 768, 512},
    {"nomic-embed-text-v1.5", "nomic-bert",
     R"({"activation_function":"swiglu","architectures":["NomicBertModel"],"attn_pdrop":0.0,
"auto_map":{"AutoModel":"nomic-ai/nomic-bert-2048--modeling_hf_nomic_bert.NomicBertModel"},
"bos_token_id":null,"causal":false,"dense_seq_output":true,"embd_pdrop":0.0,"eos_token_id":null,
"fused_bias_fc":true,"fused_dropout_add_ln":true,"initializer_range":0.02,
"layer_norm_epsilon":1e-12,"max_trained_positions":2048,"mlp_fc1_bias":false,
"mlp_fc2_bias":false,"model_type":"nomic_bert","n_embd":768,"n_head":12,"n_inner":3072,
"n_layer":12,"n_positions":8192,"pad_vocab_size_multiple":64,"parallel_block":false,
"parallel_block_tied_norm":false,"prenorm":false,"qkv_proj_bias":false,
"reorder_and_upcast_attn":false,"resid_pdrop":0.0,"rotary_emb_base":1000,
"rotary_emb_fraction":1.0,"rotary_emb_interleaved":false,"rotary_emb_scale_base":null,
"rotary_scaling_factor":null,"scale_attn_by_inverse_layer_idx":false,"scale_attn_weights":true,
"summary_activation":null,"summary_first_dropout":0.0,"summary_proj_to_labels":true,
"summary_type":"cls_index","summary_use_proj":true,"torch_dtype":"float32",
"transformers_version":"4.37.2","type_vocab_size":2,"use_cache":true,"use_flash_attn":true,
"use_rms_norm":false,"use_xentropy":true,"vocab_size":30528})",
     12, 768, 2048},
    {"ModernBERT-base", "modernbert",
     R"({"architectures":["ModernBertForMaskedLM"],"attention_bias":false,"attention_dropout":0.0,
"bos_token_id":50281,"classifier_activation":"gelu","classifier_bias":false,
"classifier_dropout":0.0,"classifier_pooling":"mean","cls_token_id":50281,"decoder_bias":true,
"deterministic_flash_attn":false,"embedding_dropout":0.0,"eos_token_id":50282,
"global_attn_every_n_layers":3,"global_rope_theta":160000.0,"gradient_checkpointing":false,
"hidden_activation":"gelu","hidden_size":768,"initializer_cutoff_factor":2.0,
"initializer_range":0.02,"intermediate_size":1152,"layer_norm_eps":1e-05,"local_attention":128,
"local_rope_theta":10000.0,"max_position_embeddings":8192,"mlp_bias":false,"mlp_dropout":0.0,
"model_type":"modernbert","norm_bias":false,"norm_eps":1e-05,"num_attention_heads":12,
"num_hidden_layers":22,"pad_token_id":50283,"position_embedding_type":"absolute",
"reference_compile":null,"repad_logits_with_grad":false,"sep_token_id":50282,
"sparse_pred_ignore_index":-100,"sparse_prediction":false,"torch_dtype":"float32",
"transformers_version":"4.47.0.dev0","vocab_size":50368})",
     22, 768, 8192},
    {"EuroBERT-210m", "eurobert",
     R"({"architectures":["EuroBertForMaskedLM"],"attention_bias":false,"attention_dropout":0.0,
"auto_map":{"AutoConfig":"configuration_eurobert.EuroBertConfig"},
"bos_token":"<|begin_of_text|>","bos_token_id":128000,"clf_pooling":"late",
"eos_token":"<|end_of_text|>","eos_token_id":128001,"head_dim":64,"hidden_act":"silu",
"hidden_dropout":0.0,"hidden_size":768,"initializer_range":0.02,"intermediate_size":3072,
"mask_token":"<|mask|>","mask_token_id":128002,"max_position_embeddings":8192,"mlp_bias":false,
"model_type":"eurobert","num_attention_heads":12,"num_hidden_layers":12,
"num_key_value_heads":12,"pad_token":"<|end_of_text|>","pad_token_id":128001,
"pretraining_tp":1,"rms_norm_eps":1e-05,"rope_scaling":null,"rope_theta":250000,
"tie_word_embeddings":false,"torch_dtype":"bfloat16","transformers_version":"4.40.0.dev0",
"use_cache":false,"vocab_size":128256})",
     12, 768, 8192},
    {"embeddinggemma-300m", "gemma-embedding",
     R"({"_sliding_window_pattern":6,"architectures":["Gemma3TextModel"],"attention_bias":false,
"attention_dropout":0.0,"attn_logit_softcapping":null,"bos_token_id":2,"dtype":"float32",
"eos_token_id":1,"final_logit_softcapping":null,"head_dim":256,
"hidden_activation":"gelu_pytorch_tanh","hidden_size":768,"initializer_range":0.02,
"intermediate_size":1152,"max_position_embeddings":2048,"model_type":"gemma3_text",
"num_attention_heads":3,"num_hidden_layers":24,"num_key_value_heads":1,"pad_token_id":0,
"query_pre_attn_scalar":256,"rms_norm_eps":1e-06,"rope_local_base_freq":10000.0,
"rope_scaling":null,"rope_theta":1000000.0,"sliding_window":512,"transformers_version":"4.57.0",
"use_bidirectional_attention":true,"use_cache":true,"vocab_size":262144,
"layer_types":["sliding_attention","sliding_attention","sliding_attention","sliding_attention",
"sliding_attention","full_attention","sliding_attention","sliding_attention","sliding_attention",
"sliding_attention","sliding_attention","full_attention","sliding_attention","sliding_attention",
"sliding_attention","sliding_attention","sliding_attention","full_attention","sliding_attention",
"sliding_attention","sliding_attention","sliding_attention","sliding_attention",
"full_attention"]})",
     24, 768, 2048},
    {"Qwen3-Embedding-0.6B", "pooled-llama",
     R"({"architectures":["Qwen3ForCausalLM"],"attention_bias":false,"attention_dropout":0.0,
"bos_token_id":151643,"eos_token_id":151643,"head_dim":128,"hidden_act":"silu",
"hidden_size":1024,"initializer_range":0.02,"intermediate_size":3072,
"max_position_embeddings":32768,"max_window_layers":28,"model_type":"qwen3",
"num_attention_heads":16,"num_hidden_layers":28,"num_key_value_heads":8,"rms_norm_eps":1e-06,
"rope_scaling":null,"rope_theta":1000000,"sliding_window":null,"tie_word_embeddings":true,
"torch_dtype":"bfloat16","transformers_version":"4.51.3","use_cache":true,
"use_sliding_window":false,"vocab_size":151669})",
     28, 1024, 32768},
    {"gte-Qwen2-1.5B-instruct", "pooled-llama",
     R"({"architectures":["Qwen2ForCausalLM"],"attention_dropout":0.0,
"auto_map":{"AutoModel":"modeling_qwen.Qwen2Model"},"bos_token_id":151643,"eos_token_id":151643,
"hidden_act":"silu","hidden_size":1536,"initializer_range":0.02,"intermediate_size":8960,
"is_causal":false,"max_position_embeddings":131072,"max_window_layers":21,"model_type":"qwen2",
"num_attention_heads":12,"num_hidden_layers":28,"num_key_value_heads":2,"rms_norm_eps":1e-06,
"rope_theta":1000000.0,"sliding_window":131072,"tie_word_embeddings":false,
"torch_dtype":"float32","transformers_version":"4.41.2","use_cache":true,
"use_sliding_window":false,"vocab_size":151646})",
     28, 1536, 131072},
    {"e5-mistral-7b-instruct", "pooled-llama",
     R"({"architectures":["MistralModel"],"attention_dropout":0.0,"bos_token_id":1,
"eos_token_id":2,"hidden_act":"silu","hidden_size":4096,"initializer_range":0.02,
"intermediate_size":14336,"max_position_embeddings":32768,"model_type":"mistral",
"num_attention_heads":32,"num_hidden_layers":32,"num_key_value_heads":8,"pad_token_id":2,
"rms_norm_eps":1e-05,"rope_theta":10000.0,"sliding_window":4096,"tie_word_embeddings":false,
"torch_dtype":"float16","transformers_version":"4.34.0","use_cache":false,"vocab_size":32000})",
     32, 4096, 32768},
};

Result<Design> read_published(const char* architecture, const char* config) {
  return design_of_json(architecture, config, Naming::kHuggingFace);
}

TEST(PublishedEncodersTest, EveryConfigurationIsReadWithoutAnUnknownKey) {
  for (const Published& model : kPublished) {
    SCOPED_TRACE(model.name);
    const auto design = read_published(model.architecture, model.config);
    ASSERT_TRUE(design.is_ok()) << design.status().message();
    EXPECT_EQ(design->facts.kind, ModelKind::kEncoder);
    EXPECT_TRUE(design->facts.can_pool);
    EXPECT_EQ(design->facts.layers, model.layers);
    EXPECT_EQ(design->facts.width, model.width);
    EXPECT_EQ(design->facts.context_max, model.context);
  }
}

TEST(PublishedEncodersTest, WhatIsNotComputedIsRefusedByName) {
  struct Refused {
    const char *architecture, *config, *name;
  };
  for (const Refused& row : {
           Refused{"mpnet", R"({"vocab_size":331,"relative_attention_num_buckets":64})",
                   "relative_attention_num_buckets"},
           Refused{"albert", R"({"vocab_size":331,"inner_group_num":2})", "inner_group_num"},
           Refused{"modernbert", R"({"vocab_size":331,"layer_types":["chunked_attention"]})",
                   "layer_types"},
           Refused{"modernbert", R"({"vocab_size":331,"classifier_pooling":"max"})",
                   "classifier_pooling"},
           Refused{"jina-bert-v2", R"({"vocab_size":331,"hidden_size":72,"num_hidden_layers":2,
"num_attention_heads":4,"intermediate_size":136,"max_position_embeddings":128,
"feed_forward_type":"original"})", "feed_forward_type"},
           Refused{"distilbert", R"({"vocab_size":331,"activation":"quick_gelu"})", "activation"},
           Refused{"nomic-bert", R"({"vocab_size":331,"n_embd":72,"n_head":6,"n_layer":2,
"activation_function":"swiglu","moe_every_n_layers":2})", "moe_every_n_layers"},
           Refused{"roberta", R"({"vocab_size":331,"hidden_size":72,"num_hidden_layers":2,
"num_attention_heads":4,"intermediate_size":136,"max_position_embeddings":2})",
                   "max_position_embeddings"},
       }) {
    const auto design = read_published(row.architecture, row.config);
    ASSERT_FALSE(design.is_ok()) << row.name;
    EXPECT_THAT(design.status().message(), HasSubstr(row.name));
  }
}

}  // namespace
}  // namespace quire
