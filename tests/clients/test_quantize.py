"""Weights of fewer bits: `quire create -q` and Ollama's client with `quantize`, on a small model of
random weights; the simple types against what the reference (gguf) makes of the same numbers."""

import os
import subprocess
import sys

import gguf
import numpy
import ollama
import pytest

from conftest import BINARY, MODEL, ROOT, running_server

sys.path.append(str(ROOT / "tests/agents"))
import tiny_model  # noqa: E402

SIMPLE = ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "BF16", "F16")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store of the test's own, beside a model in F32."""
    folder = tmp_path_factory.mktemp("quantize")
    tiny_model.main(MODEL, str(folder / "tiny.gguf"), 2048)
    (folder / "Modelfile").write_text("FROM ./tiny.gguf\nSYSTEM Be brief.\n")
    before = os.environ.get("QUIRE_HOME")
    os.environ["QUIRE_HOME"] = str(folder / "store")
    yield folder
    if before is None:
        del os.environ["QUIRE_HOME"]
    else:
        os.environ["QUIRE_HOME"] = before


def create(home, name, *flags):
    return subprocess.run([BINARY, "create", name, "-f", str(home / "Modelfile"), *flags],
                          capture_output=True, text=True, timeout=120)


def tensors_of(path):
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def weights(home, name):
    (path,) = (home / "store/models" / name).iterdir()
    return tensors_of(path)


@pytest.mark.parametrize("kind", SIMPLE)
def test_simple_types_are_the_references_to_the_bit(home, kind):
    made = create(home, f"t-{kind.lower()}", "--quantize", kind.lower())
    assert made.returncode == 0, made.stderr
    assert f"quantizing F32 model to {kind}" in made.stderr
    source, target = tensors_of(home / "tiny.gguf"), weights(home, f"t-{kind.lower()}")
    assert list(source) == list(target)
    wanted = gguf.GGMLQuantizationType[kind]
    for name, tensor in target.items():
        if name.endswith("norm.weight"):
            assert tensor.tensor_type == gguf.GGMLQuantizationType.F32
            continue
        if name == "output.weight" and kind[0] == "Q":  # the head keeps more, in blocks of 32 here
            assert tensor.tensor_type == gguf.GGMLQuantizationType.Q8_0
        else:
            assert tensor.tensor_type == wanted
        shape = source[name].shape[::-1]
        plain = source[name].data.view(numpy.float32).reshape(shape)
        expected = gguf.quants.quantize(plain, tensor.tensor_type)
        assert tensor.data.tobytes() == expected.tobytes(), name


def test_rows_that_are_no_super_blocks_fall_back(home):
    assert create(home, "medium", "-q", "q4_K_M").returncode == 0
    made = weights(home, "medium")
    assert made["blk.0.ffn_up.weight"].tensor_type == gguf.GGMLQuantizationType.Q5_0
    assert made["output.weight"].tensor_type == gguf.GGMLQuantizationType.Q8_0
    assert made["blk.1.attn_v.weight"].tensor_type == gguf.GGMLQuantizationType.Q8_0


def test_what_is_no_type_and_what_has_few_bits_already_is_refused(home):
    made = create(home, "none", "-q", "q9")
    assert made.returncode == 1
    assert "unsupported quantization type Q9 - supported types are F32, F16" in made.stderr
    (home / "Modelfile.twice").write_text(f"FROM {MODEL}\n")
    twice = subprocess.run([BINARY, "create", "none", "-f", str(home / "Modelfile.twice"), "-q",
                            "q8_0"], capture_output=True, text=True, timeout=120)
    assert twice.returncode == 1
    assert "quantization is only supported for F16, BF16 and F32 models" in twice.stderr
    assert not list((home / "store/partial").iterdir())


def test_ollamas_client_quantizes_what_is_served(home):
    with running_server("--served-model-name", "base", model=str(home / "tiny.gguf")) as running:
        client = ollama.Client(host=running.url)
        steps = list(client.create("few:q4", from_="base", quantize="q4_K_M", stream=True))
        said = list(dict.fromkeys(step.status for step in steps))
        assert said[:2] == ["quantizing F32 model to Q4_K_M", "verifying conversion"]
        assert said[2].startswith("creating new layer sha256:")
        assert said[3:] == ["writing manifest", "success"]
        progress = [step for step in steps if step.total]
        assert progress[0].completed == 0 and progress[-1].completed == progress[-1].total
        assert client.show("few:q4").details.quantization_level == "Q4_K_M"
        assert client.show("few:q4").modelinfo["general.file_type"] == 15
        assert client.generate("few:q4", "Hello", options={"num_predict": 4}).response
        with pytest.raises(ollama.ResponseError, match="quantization is only supported"):
            client.create("fewer", from_="few:q4", quantize="q4_0")
        with pytest.raises(ollama.ResponseError, match="unsupported quantization type Q3"):
            client.create("fewer", from_="base", quantize="q3")
    assert not list((home / "store/partial").iterdir())
