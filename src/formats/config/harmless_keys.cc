#include "formats/config/harmless_keys.h"

#include <algorithm>

namespace quire {
namespace {

struct Row {
  std::string_view name;  // ends with '*': all that begin so
  std::string_view reason;
};

constexpr std::string_view kTraining = "only while a model is trained";
constexpr std::string_view kRecord = "says how the file came to be";
constexpr std::string_view kElsewhere = "read with the words or the weights";
constexpr std::string_view kGeneration = "a default of generation, which requests decide";
constexpr std::string_view kPlan = "how another program computes the same numbers";
constexpr std::string_view kTask = "of heads for other tasks, whose tensors would be refused";

constexpr std::string_view kPooled = "for who asks for vectors or scores: see sentence_words.h";
constexpr std::string_view kPictures = "of pictures, whose tensors are left out";

constexpr Row kHuggingFace[] = {
    {"_*", "private to the library that wrote it"},
    {"unsloth_*", kRecord},
    {"architectures", kElsewhere},
    {"model_type", kElsewhere},
    {"vocab_size", kElsewhere},
    {"bos_token_id", kElsewhere},
    {"eos_token_id", kElsewhere},
    {"pad_token_id", "no sequence is padded"},
    {"sep_token_id", "of the tokenizer"},
    {"cls_token_id", "of the tokenizer"},
    {"unk_token_id", "of the tokenizer"},
    {"decoder_start_token_id", kElsewhere},
    {"forced_bos_token_id", kElsewhere},
    {"force_bos_token_to_be_generated", kElsewhere},
    {"bad_words_ids", kElsewhere},
    {"suppress_tokens", kElsewhere},
    {"begin_suppress_tokens", kElsewhere},
    {"forced_eos_token_id", "the last token of a text that became too long"},
    {"tokenizer_class", "of the tokenizer"},
    {"quantization_config", kElsewhere},
    {"compression_config", kElsewhere},
    {"torch_dtype", "the weights say their type themselves"},
    {"dtype", "the weights say their type themselves"},
    {"transformers_version", kRecord},
    {"transformers.js_config", kRecord},
    {"auto_map", "names code, which is never run"},
    {"model_max_length", "of the tokenizer"},
    {"max_sequence_length", "an older word for max_position_embeddings, which stands beside it"},
    {"max_length", kGeneration},
    {"max_new_tokens", kGeneration},
    {"min_length", kGeneration},
    {"do_sample", kGeneration},
    {"temperature", kGeneration},
    {"top_k", kGeneration},
    {"top_p", kGeneration},
    {"typical_p", kGeneration},
    {"repetition_penalty", kGeneration},
    {"length_penalty", kGeneration},
    {"num_beams", kGeneration},
    {"num_return_sequences", kGeneration},
    {"early_stopping", kGeneration},
    {"no_repeat_ngram_size", kGeneration},
    {"encoder_no_repeat_ngram_size", kGeneration},
    {"num_beam_groups", kGeneration},
    {"diversity_penalty", kGeneration},
    {"remove_invalid_values", kGeneration},
    {"task_specific_params", kGeneration},
    {"use_cache", kPlan},
    {"cache_implementation", kPlan},
    {"attn_implementation", kPlan},
    {"use_mamba_kernels", kPlan},
    {"output_past", kPlan},
    {"pretraining_tp", "cuts products into parts whose sum is the same"},
    {"tp_plan", kPlan},
    {"chunk_size_feed_forward", kPlan},
    {"return_dict", kPlan},
    {"return_dict_in_generate", kPlan},
    {"output_attentions", "what is returned beside the logits"},
    {"output_hidden_states", "what is returned beside the logits"},
    {"output_scores", "what is returned beside the logits"},
    {"output_router_logits", "what is returned beside the logits"},
    {"initializer_range", kTraining},
    {"initializer_factor", kTraining},
    {"initializer_cutoff_factor", kTraining},
    {"rescale_prenorm_residual", kTraining},
    {"gradient_checkpointing", kTraining},
    {"attention_dropout", kTraining},
    {"attention_probs_dropout_prob", kTraining},
    {"attn_pdrop", kTraining},
    {"resid_pdrop", kTraining},
    {"embd_pdrop", kTraining},
    {"hidden_dropout", kTraining},
    {"hidden_dropout_prob", kTraining},
    {"dropout_rate", kTraining},
    {"dropout", kTraining},
    {"embed_dropout", kTraining},
    {"embedding_dropout", kTraining},
    {"resid_dropout", kTraining},
    {"residual_dropout", kTraining},
    {"activation_dropout", kTraining},
    {"layerdrop", kTraining},
    {"encoder_layerdrop", kTraining},
    {"decoder_layerdrop", kTraining},
    {"classif_dropout", kTraining},
    {"init_std", kTraining},
    {"classifier_dropout", kTraining},
    {"classifier_dropout_prob", kTraining},
    {"seq_classif_dropout", kTraining},
    {"qa_dropout", kTraining},
    {"mlp_dropout", kTraining},
    {"gap_size", kTraining},
    {"net_structure_type", kTraining},
    {"num_memory_blocks", kTraining},
    {"reference_compile", kPlan},
    {"repad_logits_with_grad", kPlan},
    {"deterministic_flash_attn", kPlan},
    {"router_aux_loss_coef", kTraining},
    {"router_jitter_noise", kTraining},
    {"aux_loss_alpha", kTraining},
    {"seq_aux", kTraining},
    {"summary_*", kTask},
    {"pooler_*", kTask},
    {"directionality", kTask},
    {"id2label", "names of labels"},
    {"label2id", "names of labels"},
    {"is_matryoshka", kPooled},
    {"matryoshka_dimensions", kPooled},
    {"sbert_ce_default_activation_function", kPooled},
    {"sentence_transformers", kPooled},
    {"num_labels", kTask},
    {"problem_type", kTask},
    {"finetuning_task", kTask},
    {"prefix", "of a pipeline"},
    {"is_llama_config", kRecord},
    {"vision_config", kPictures},
    {"vision_start_token_id", kPictures},
    {"vision_end_token_id", kPictures},
    {"vision_token_id", kPictures},
    {"image_token_id", kPictures},
    {"video_token_id", kPictures},
};

constexpr Row kGguf[] = {
    {"general.*", kElsewhere},
    {"tokenizer.*", kElsewhere},
    {"split.*", kElsewhere},
    {"quantize.*", kRecord},
    {"mradermacher.*", kRecord},
    {"imatrix.*", kRecord},
};

// Behind "ARCHITECTURE.".
constexpr Row kGgufOfModel[] = {
    {"vocab_size", kElsewhere},
    {"tensor_data_layout", "the names of the tensors say it"},
};

template <std::size_t N>
bool has(const Row (&rows)[N], std::string_view name) {
  return std::any_of(std::begin(rows), std::end(rows), [&](const Row& row) {
    if (!row.name.ends_with('*')) return row.name == name;
    return name.starts_with(row.name.substr(0, row.name.size() - 1));
  });
}

}  // namespace

bool is_harmless_key(Naming naming, std::string_view name) {
  if (naming != Naming::kGguf) return has(kHuggingFace, name);
  return has(kGguf, name) || has(kGgufOfModel, name.substr(name.find('.') + 1));
}

}  // namespace quire
