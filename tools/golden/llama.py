"""llama, mistral, qwen2 and qwen3, with the options that released models use."""

from golden import Golden
from ranges import TIED
from spelling import as_transformers_4, as_type_before_4_43, nested, of_text

SMALL = {
    "hidden_size": 96, "intermediate_size": 152, "num_hidden_layers": 3, "num_attention_heads": 6,
    "num_key_value_heads": 2, "vocab_size": 331, "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5, "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False,
}


def llama(name, rope, spellings=lambda config: [as_transformers_4(config)], **fields):
    config = {**SMALL, "model_type": "llama", "head_dim": 16, "rope_parameters": rope, **fields}
    is_stepwise = rope["rope_type"] == "dynamic"
    rules = TIED if config["tie_word_embeddings"] else ()
    return Golden(name, config, rules=rules, spellings=spellings, is_stepwise=is_stepwise)


LLAMA3 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
YARN = {"rope_type": "yarn", "rope_theta": 1000.0, "factor": 4.0,
        "original_max_position_embeddings": 48}


# Of a model that sees: flat, as the first files are, and nested. What turns by three coordinates
# turns by one in a text.
def qwen2_spellings(config):
    rope = {"type": "mrope", "mrope_section": [2, 3, 3]}
    flat = as_transformers_4(config, model_type="qwen2_vl",
                             architectures=["Qwen2VLForConditionalGeneration"],
                             vision_config={"depth": 2}, image_token_id=330,
                             vision_start_token_id=329, rope_scaling=rope)
    text = {**config, "model_type": "qwen2_5_vl_text"}
    text["rope_parameters"] = {**config["rope_parameters"], "mrope_section": [2, 3, 3]}
    return [as_transformers_4(config), of_text(flat, config),
            of_text(nested(text, "qwen2_5_vl", "Qwen2_5_VLForConditionalGeneration",
                           [["model.", "model.language_model."]]), config)]


def qwen3_that_sees(config):
    text = {**config, "model_type": "qwen3_vl_text"}
    text["rope_parameters"] = {**config["rope_parameters"], "mrope_section": [6, 5, 5],
                               "mrope_interleaved": True}
    return of_text(nested(text, "qwen3_vl", "Qwen3VLForConditionalGeneration",
                          [["model.", "model.language_model."]]), config)


def qwen2(name, spellings=lambda config: [as_transformers_4(config)], **fields):
    config = {**SMALL, "model_type": "qwen2", "num_hidden_layers": 4,
              "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}, **fields}
    return Golden(name, config, rules=TIED if config["tie_word_embeddings"] else (),
                  spellings=spellings)


GOLDENS = [
    llama("llama", LLAMA3, head_dim=24),
    llama("llama_linear", {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
          lambda config: [as_transformers_4(config), as_type_before_4_43(config)],
          tie_word_embeddings=True),
    llama("llama_dynamic", {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0},
          lambda config: [as_transformers_4(config), as_type_before_4_43(config)],
          max_position_embeddings=112),
    llama("llama_yarn", YARN, head_dim=32, max_position_embeddings=192),
    # max_position_embeddings as the model was trained, as the Qwen cards say it.
    llama("llama_yarn_betas", {**YARN, "beta_fast": 4.0, "beta_slow": 0.5,
                               "attention_factor": 1.375, "truncate": False},
          head_dim=32, max_position_embeddings=48),
    llama("llama_biases", {"rope_type": "default", "rope_theta": 500000.0},
          attention_bias=True, mlp_bias=True),
    Golden("mistral", {**SMALL, "model_type": "mistral", "head_dim": 24, "sliding_window": 20,
                       "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
           spellings=lambda config: [
               as_transformers_4(config),
               nested(config, "mistral3", "Mistral3ForConditionalGeneration",
                      [["model.", "language_model.model."],
                       ["lm_head.", "language_model.lm_head."]])]),
    qwen2("qwen2", spellings=qwen2_spellings, tie_word_embeddings=True,
          use_sliding_window=False, sliding_window=None),
    qwen2("qwen2_window", use_sliding_window=True, sliding_window=18, max_window_layers=2),
    Golden("qwen3", {**SMALL, "model_type": "qwen3", "head_dim": 32, "num_hidden_layers": 3,
                     "attention_bias": False,
                     "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}},
           spellings=lambda config: [as_transformers_4(config), qwen3_that_sees(config)]),
]
