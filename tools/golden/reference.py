"""What transformers answers: log-probabilities and greedy ids, in float32 on one thread."""

import torch

GREEDY_TOKENS = 64
MARGIN_MIN = 0.0002  # of the greedy ids: errors in float32 are a tenth of it
DIFFERENCE_MAX = 1e-4  # of a logit, read at once and token by token through the cache


class Unsuitable(Exception):
    """These weights leave a greedy id in doubt: another seed is tried."""


def logits_of(model, ids):
    """[len(ids), vocab] of one pass without a cache. A decoder beside an encoder reads the same."""
    given = {"input_ids": torch.tensor([ids])}
    if model.config.is_encoder_decoder:
        given["decoder_input_ids"] = given["input_ids"]
    with torch.no_grad():
        return model(**given, use_cache=False).logits[0]


def logits_step_by_step(model, prompt, steps):
    """Logits of the prompt in one pass, then of greedy tokens one by one through the cache: for
    models whose answer depends on how the tokens came (dynamic NTK). Returns (ids, logits)."""
    with torch.no_grad():
        answer = model(input_ids=torch.tensor([prompt]), use_cache=True)
        memory = next((name for name in ("cache", "past_key_values") if name in answer.keys()),
                      None)
        if memory is None:  # RecurrentGemma hands none out
            ids = continue_greedily(lambda ids: logits_of(model, ids)[-1], prompt, steps)
            return ids, logits_of(model, ids)
        rows, ids = [answer.logits[0]], list(prompt)
        for _ in range(steps):
            ids.append(int(rows[-1][-1].argmax()))
            # Some of the recurrent ones count positions from zero where nobody says them.
            places = {"position_ids": torch.tensor([[len(ids) - 1]])} if memory == "cache" else {}
            answer = model(input_ids=torch.tensor([ids[-1:]]), use_cache=True,
                           **{memory: answer[memory]}, **places)
            rows.append(answer.logits[0])
    return ids, torch.cat(rows)


def margins_of(logits):
    top = logits.topk(2, dim=-1).values
    return (top[:, 0] - top[:, 1]).tolist()


def continue_greedily(next_logits, start, steps=GREEDY_TOKENS):
    """next_logits(ids) -> [vocab]. Returns `start` and the ids after it."""
    ids = list(start)
    for _ in range(steps):
        row = next_logits(ids)
        if margins_of(row[None])[0] < MARGIN_MIN:
            raise Unsuitable("a greedy id is in doubt")
        ids.append(int(row.argmax()))
        if len(ids) == len(start) + 24 and len(set(ids[len(start):])) < 4:
            raise Unsuitable("it repeats itself")
    return ids


def decoder_answers(ids, logits, start):
    """What the fixture keeps. ids: [T], the first `start` of them given; logits: [T - 1 or T]"""
    if len(set(ids[start:])) < 8:
        raise Unsuitable("it repeats itself")  # that shows little
    margins = margins_of(logits[start - 1:len(ids) - 1])
    if min(margins) < MARGIN_MIN:
        raise Unsuitable("a greedy id is in doubt")
    logprobs = torch.log_softmax(logits.double(), -1)
    last = len(ids) - 2
    chosen = sorted({0, (start - 1) // 8, (start - 1) // 2, start - 1, start + 29, last})
    return {
        "next_logprobs": [float(logprobs[i, ids[i + 1]]) for i in range(len(ids) - 1)],
        "rows": [{"position": p, "logprobs": logprobs[p].tolist()} for p in chosen],
        "greedy": ids[start:],
        "margins": margins,
    }


def error_when_rounded(model, ids, logprobs):
    """How far log-probabilities move when every linear map reads bfloat16, as programs with bf16
    weights do. ids: [T]; logprobs: [T, vocab]"""
    hooks = [module.register_forward_pre_hook(lambda _, given: (given[0].bfloat16().float(),))
             for module in model.modules() if isinstance(module, torch.nn.Linear)]
    rounded = torch.log_softmax(logits_of(model, ids).double(), -1)
    for hook in hooks:
        hook.remove()
    return float((rounded - logprobs).abs().max())


def is_same_model(one, other, prompt):
    def states_of(model):
        with torch.no_grad():
            answer = model(input_ids=torch.tensor([prompt]))
        return answer.logits if "logits" in answer else answer.last_hidden_state
    return torch.equal(states_of(one), states_of(other))


def decoder(model, prompt, is_stepwise, rounded_max=None):
    """The ids come through the cache; the log-probabilities of one pass must agree with them."""
    ids, logits = logits_step_by_step(model, prompt, GREEDY_TOKENS)
    if not is_stepwise:
        whole = logits_of(model, ids)
        difference = float((whole - logits).abs().max())
        if difference > DIFFERENCE_MAX:
            raise ValueError(f"with the cache logits differ by {difference}")
        logits = whole
    if rounded_max is not None:
        rounded = error_when_rounded(model, ids, torch.log_softmax(logits.double(), -1))
        if rounded > rounded_max:
            raise Unsuitable(f"rounding alone moves it by {rounded:.4f}")
    return decoder_answers(ids, logits, len(prompt))


def encoder_decoder(model, prompt, start_id):
    """The same for the decoder's side; `prompt` is read by the encoder."""
    def logits_after(ids):
        with torch.no_grad():
            return model(input_ids=torch.tensor([prompt]), decoder_input_ids=torch.tensor([ids]),
                         use_cache=False).logits[0]
    ids = continue_greedily(lambda ids: logits_after(ids)[-1], [start_id])
    return decoder_answers(ids, logits_after(ids), 1)


def pooled_by(hidden, way):
    return {"cls": hidden[0], "mean": hidden.mean(0), "lasttoken": hidden[-1]}[way]


ACTIVATIONS = {"Identity": lambda x: x, "Tanh": torch.tanh}


def embedding_of(hidden, modules, weights):
    """What sentence-transformers makes of the states. weights: [(matrix, bias or None)]"""
    x = pooled_by(hidden, modules["pooling"])
    for (matrix, bias), dense in zip(weights, modules.get("dense", ())):
        x = ACTIVATIONS[dense[3]](torch.nn.functional.linear(x, matrix, bias))
    return torch.nn.functional.normalize(x, dim=0) if modules.get("is_normalised") else x


def encoder(model, prompt, token_types, modules=None, weights=()):
    """The vectors that a text becomes: each way of pooling, a classifier's logits, an embedding."""
    given = {"input_ids": torch.tensor([prompt])}
    if any(token_types):
        given["token_type_ids"] = torch.tensor([token_types])
    with torch.no_grad():
        answer = model(**given)
    if "logits" in answer:
        return {"pooled": {"logits": answer.logits[0].tolist()}}
    hidden = answer.last_hidden_state[0]
    pooled = {"cls": hidden[0].tolist(), "mean": hidden.mean(0).tolist(),
              "last": hidden[-1].tolist()}
    if modules is None:
        return {"pooled": pooled}
    return {"pooled": {"embedding": embedding_of(hidden, modules, weights).tolist()}}
