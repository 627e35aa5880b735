"""Writes a small model of random weights with the words of a real one: what an agent needs to hold
a conversation with a server, in seconds. Its context holds an agent's long prompt. Of the
vocabulary it says a few plain words and then ends its turn: one dimension of every embedding is the
same, so the rows of the output choose what is likely.

    tiny_model.py SOURCE.gguf TARGET.gguf [CONTEXT]
"""

import sys

import gguf
import numpy

LAYERS, WIDTH, HEADS, INNER = 2, 64, 4, 128
CONTEXT = 131072
WORDS = 24         # that it says
SCALE = 0.02       # of random weights
LIKELY, LAST, NEVER = 0.5, 0.35, -1.5  # of the shared dimension: words, the end, all the rest


def copy_words(source, writer):
    """The tokenizer, as the file has it."""
    for name, field in source.fields.items():
        if not name.startswith("tokenizer.") or name == "tokenizer.chat_template":
            continue
        if field.types[0] == gguf.GGUFValueType.ARRAY:
            writer.add_array(name, field.contents())
        else:
            writer.add_key_value(name, field.contents(), field.types[0])


def add_tensors(tokens, end, writer):
    dice = numpy.random.default_rng(1)

    def random(*shape):
        return (dice.standard_normal(shape) * SCALE).astype(numpy.float32)

    vocab = len(tokens)
    embedding = random(vocab, WIDTH)
    embedding[:, 0] = 1
    writer.add_tensor("token_embd.weight", embedding)
    output = random(vocab, WIDTH)
    output[:, 0] = NEVER
    plain = [i for i, token in enumerate(tokens)
             if token.startswith("\u0120") and token[1:].isascii() and token[1:].isalpha()]
    output[plain[:WORDS], 0] = LIKELY
    output[end, 0] = LAST
    writer.add_tensor("output.weight", output)
    ones = numpy.ones(WIDTH, numpy.float32)
    writer.add_tensor("output_norm.weight", ones)
    for layer in range(LAYERS):
        def add(name, tensor):
            writer.add_tensor(f"blk.{layer}.{name}.weight", tensor)
        add("attn_norm", ones)
        add("ffn_norm", ones)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(name, random(WIDTH, WIDTH))
        add("ffn_gate", random(INNER, WIDTH))
        add("ffn_up", random(INNER, WIDTH))
        add("ffn_down", random(WIDTH, INNER))


def main(source_path, target_path, context=CONTEXT):
    source = gguf.GGUFReader(source_path)
    tokens = source.fields["tokenizer.ggml.tokens"].contents()
    writer = gguf.GGUFWriter(target_path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(int(context))
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    copy_words(source, writer)
    add_tensors(tokens, source.fields["tokenizer.ggml.eos_token_id"].contents(), writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
