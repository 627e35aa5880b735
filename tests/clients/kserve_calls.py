"""KServe's own client against the addresses of the command line: HTTP_URL GRPC_ADDRESS MODEL. A
program of its own, since its messages have the names of those of Triton's client, which one process
cannot have both. Prints "ok"."""

import asyncio
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig


def ids_request(model, ids):
    tensor = InferInput("input_ids", [1, len(ids)], "INT32")
    tensor.set_data_from_numpy(np.array([ids], dtype=np.int32), binary_data=False)
    return InferRequest(model, [tensor], request_id="7")


def text_request(model, text):
    prompt = InferInput("text_input", [1, 1], "BYTES", [text])
    tokens = InferInput("max_tokens", [1, 1], "INT32", [4])
    return InferRequest(model, [prompt, tokens], parameters={"temperature": 0})


async def over_http(url, model):
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
    assert await client.is_server_live(url) and await client.is_server_ready(url)
    assert await client.is_model_ready(url, model)
    assert not await client.is_model_ready(url, "nothing")
    answer = await client.infer(url, ids_request(model, [1, 2, 3]), model_name=model)
    text = await client.infer(url, text_request(model, "One, two,"), model_name=model)
    await client.close()
    return answer, text


async def over_grpc(address, model):
    client = InferenceGRPCClient(address, retries=0)
    assert await client.is_server_live() and await client.is_server_ready()
    assert await client.is_model_ready(model)
    answer = await client.infer(ids_request(model, [1, 2, 3]))
    await client.close()
    return answer


def main(url, address, model):
    answer, text = asyncio.run(over_http(url, model))
    other = asyncio.run(over_grpc(address, model))
    ours, theirs = answer.outputs[0].as_numpy(), other.outputs[0].as_numpy()
    assert answer.id == "7" and ours.shape == theirs.shape and ours.shape[:2] == (1, 3)
    assert ours.astype(np.float32).tobytes() == theirs.astype(np.float32).tobytes()
    words = {output.name: output.data for output in text.outputs}["text_output"][0]
    assert (words.decode() if isinstance(words, bytes) else words).startswith("One, two,")
    print("ok")


main(*sys.argv[1:])
