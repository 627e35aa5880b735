#!/usr/bin/env python3
"""Writes tests/golden/words/NAME.json: tiny vocabularies and what their libraries make of texts.

    tools/words/make.py      needs sentencepiece, tiktoken, tokenizers and transformers

A fixture is {files: {name: base64}, source, parse_special, add_special, cases: [{text, ids}]}. The
files are a directory as Hugging Face has them; `source` says whose ids these are. Vocabularies are
trained on a few sentences of their own, so that they stay small; a rule of normalization of our own
stands for the large tables of published ones.
"""

import base64
import json
import pathlib
import tempfile

import sentencepiece
import tiktoken
import tokenizers
import transformers

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/words"

SENTENCES = """The quick brown fox jumps over the lazy dog, and the dog sleeps on.
A model reads a text as numbers; every number is a piece of the text.
She said: "I'll be there at 10:45, won't you?" They've gone already.
Nothing is lost where every byte has a piece of its own.
Der Fuchs springt über den faulen Hund. Straße, Größe, Übung.
Le renard brun saute par-dessus le chien paresseux; où est l'arrêt ?
numbers: 1 22 333 4444 55555, dates: 2024-01-31, sums: 3 + 4 = 7
the there then they them these those this that than thank think thing
""".splitlines() * 4

TEXTS = [
    "", "the", " the", "the ", "  two  spaces  ", "The quick brown fox.", "I'll say: they've won't",
    "Straße über Größe", "tabs\tand\nlines\n\nmore", "12345 67 8", "<s> </s> <unk> <pad>",
    "a <sep> b<sep>c", "où est l'arrêt ?", "naïve ① ﬁne", "日本語 ☃", "😀", "the\u00a0nbsp",
    "<extra_id_0> hole <extra_id_1>.", "thethethe", "x" * 40, "UPPER lower MiXeD",
]

# Sequences and what becomes of them: joined letters, a full-width letter, a tab, a sharp s.
RULES = [("\ufb01", "fi"), ("\u2460", "1"), ("\uff41", "a"), ("\t", " "), ("\n", " "),
         ("\u00a0", " "), ("e\u0301", "\u00e9")]


def trained(**options):
    """The bytes of a SentencePiece model."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        rules = folder / "rules.tsv"
        rules.write_text("".join(
            " ".join(f"{ord(c):X}" for c in source) + "\t" +
            " ".join(f"{ord(c):X}" for c in target) + "\n" for source, target in RULES))
        if options.get("normalization_rule_name") != "identity":
            options["normalization_rule_tsv"] = str(rules)
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES), model_prefix=str(folder / "m"), minloglevel=2,
            hard_vocab_limit=False, **options)
        return (folder / "m.model").read_bytes()


def pieces_of(model):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [processor.id_to_piece(i) for i in range(processor.get_piece_size())]


def write(name, files, encode, source, texts=TEXTS, parse_special=False, add_special=False):
    fixture = {
        "source": source, "parse_special": parse_special, "add_special": add_special,
        "files": {key: base64.b64encode(value).decode() for key, value in files.items()},
        "cases": [{"text": text, "ids": list(encode(text))} for text in texts],
    }
    path = FOLDER / f"{name}.json"
    lines = ",\n".join(f"  {json.dumps(case)}" for case in fixture.pop("cases"))
    head = json.dumps(fixture)[:-1]
    path.write_text(f'{head},\n "cases": [\n{lines}\n ]}}\n')
    print(f"{name}: {path.stat().st_size} bytes, {len(texts)} texts, {source}")


def as_json(value):
    return json.dumps(value, ensure_ascii=False).encode()


def write_class(name, files, words, texts=TEXTS):
    """The ids of the library's class for these files, with what it puts around a text."""
    files = {**files, "tokenizer_config.json": as_json(words)}
    with tempfile.TemporaryDirectory() as folder:
        for key, value in files.items():
            (pathlib.Path(folder) / key).write_bytes(value)
        tokenizer = getattr(transformers, words["tokenizer_class"]).from_pretrained(folder)
    write(name, files, lambda text: tokenizer(text)["input_ids"],
          f"transformers {transformers.__version__}, {words['tokenizer_class']}", texts,
          parse_special=True, add_special=True)


def sentencepieces():
    version = f"sentencepiece {sentencepiece.__version__}"
    for name, options in {
        "unigram": {"model_type": "unigram", "vocab_size": 200},
        "unigram_bytes": {"model_type": "unigram", "vocab_size": 460, "byte_fallback": True,
                          "normalization_rule_name": "identity",
                          "remove_extra_whitespaces": False},
        "unigram_bare": {"model_type": "unigram", "vocab_size": 200, "add_dummy_prefix": False,
                         "split_by_whitespace": False, "user_defined_symbols": ["<sep>"]},
        "bpe": {"model_type": "bpe", "vocab_size": 200},
        "bpe_bytes": {"model_type": "bpe", "vocab_size": 460, "byte_fallback": True,
                      "normalization_rule_name": "identity", "split_digits": True,
                      "remove_extra_whitespaces": False, "add_dummy_prefix": False,
                      "user_defined_symbols": ["<sep>", "\t\t"]},
    }.items():
        model = trained(**options)
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        write(name, {"tokenizer.model": model}, processor.encode, version)


def classes():
    plain = [text for text in TEXTS if "<" not in text]
    unigram = trained(model_type="unigram", vocab_size=200)
    for name, words in {
        "xlm_roberta": {"tokenizer_class": "XLMRobertaTokenizer"},
        "mbart": {"tokenizer_class": "MBartTokenizer", "src_lang": "de_DE"},
        "mbart50": {"tokenizer_class": "MBart50Tokenizer", "src_lang": "fr_XX"},
    }.items():
        write_class(name, {"sentencepiece.bpe.model": unigram}, words, plain)
    t5 = trained(model_type="unigram", vocab_size=200, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    write_class("t5", {"spiece.model": t5}, {"tokenizer_class": "T5Tokenizer", "extra_ids": 7},
                plain)
    write_class("pegasus", {"spiece.model": t5}, {"tokenizer_class": "PegasusTokenizer"}, plain)
    deberta = trained(model_type="unigram", vocab_size=200, pad_id=0, bos_id=1, eos_id=2, unk_id=3,
                      pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]")
    # Version 5 of the library leaves out the file's own character map, which version 4, its
    # tokenizer.json files and SentencePiece itself apply.
    mapped = [text for text in plain if not any(rule in text for rule, _ in RULES[:3] + RULES[5:])]
    write_class("deberta_v2", {"spm.model": deberta}, {"tokenizer_class": "DebertaV2Tokenizer"},
                mapped)
    marian = ["</s>", "<unk>", *reversed(pieces_of(unigram)[3:]), ">>deu<<", "only", "<pad>"]
    vocab = as_json({piece: i for i, piece in enumerate(marian)})
    write_class("marian", {"source.spm": unigram, "target.spm": unigram, "vocab.json": vocab},
                {"tokenizer_class": "MarianTokenizer", "source_lang": "en", "target_lang": "de"},
                plain)
    bpe = trained(model_type="bpe", vocab_size=200)
    m2m = ["<s>", "<pad>", "</s>", "<unk>", *reversed(pieces_of(bpe)[3:])]
    vocab = as_json({piece: i for i, piece in enumerate(m2m)})
    write_class("m2m_100", {"sentencepiece.bpe.model": bpe, "vocab.json": vocab},
                {"tokenizer_class": "M2M100Tokenizer", "src_lang": "de"}, plain)


def byte_levels():
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>", "<|endoftext|>"],
        show_progress=False)
    trained_one = tokenizers.Tokenizer(tokenizers.models.BPE())
    trained_one.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained_one.train_from_iterator(SENTENCES, trainer)
    with tempfile.TemporaryDirectory() as folder:
        trained_one.model.save(folder)
        files = {name: (pathlib.Path(folder) / name).read_bytes()
                 for name in ("vocab.json", "merges.txt")}
    for name, words in {
        "gpt2": {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|endoftext|>",
                 "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"},
        "roberta": {"tokenizer_class": "RobertaTokenizer"},
        "bart": {"tokenizer_class": "BartTokenizer", "add_prefix_space": True},
        "qwen2": {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|endoftext|>"},
    }.items():
        write_class(name, files, words)
    tekken(files)


def tekken(files):
    """The same merges as ranks of bytes, behind ten special tokens."""
    symbols = {symbol: byte for byte, symbol in
               transformers.convert_slow_tokenizer.bytes_to_unicode().items()}
    vocab = json.loads(files["vocab.json"])
    tokens = [bytes(symbols[c] for c in text)
              for text in sorted(vocab, key=vocab.get) if not text.startswith("<") or len(text) < 3]
    single = sorted((token for token in tokens if len(token) == 1), key=lambda token: token[0])
    ranks = single + [token for token in tokens if len(token) > 1]
    pattern = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
               r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
               r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    file = {"config": {"pattern": pattern, "num_vocab_tokens": len(ranks),
                       "default_vocab_size": len(ranks) + 10, "default_num_special_tokens": 10,
                       "version": "v3"},
            "vocab": [{"rank": i, "token_bytes": base64.b64encode(token).decode(),
                       "token_str": None} for i, token in enumerate(ranks)]}
    encoding = tiktoken.Encoding("tiny", pat_str=pattern, special_tokens={},
                                 mergeable_ranks={token: i for i, token in enumerate(ranks)})
    write("tekken", {"tekken.json": as_json(file)},
          lambda text: [10 + i for i in encoding.encode_ordinary(text)],
          f"tiktoken {tiktoken.__version__}")


def word_lists():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "quick", "##s", "fox", "##ed",
             "The", "dog", "##gy", "1", "##2", "##3", ".", ",", "'", "i", "ll", "straße", "strasse",
             "a", "##a", "über", "uber", "日", "本", "語", "upper", "lower", "mixed", "two",
             "spaces", "said"]
    list_of_words = "".join(word + "\n" for word in words).encode()
    write_class("bert", {"vocab.txt": list_of_words},
                {"tokenizer_class": "BertTokenizer", "do_lower_case": True})
    write_class("bert_cased", {"vocab.txt": list_of_words},
                {"tokenizer_class": "BertTokenizer", "do_lower_case": False})


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    sentencepieces()
    classes()
    byte_levels()
    word_lists()
