"""What a user of the official client does first: list, complete, chat, stream, read usage and log-probabilities."""

import asyncio
import json

import pytest
from trinity_server import FIXTURES

MODEL = "trinity-tiny"
STORY = "Once upon a time, there was a little fox named Ruby."
GREETING = [{"role": "user", "content": "Hello!"}]

GOLDENS = json.loads((FIXTURES / "model" / "trinity-tiny-goldens.json").read_text())["cases"]


def cases(kind):
    """The reference answers of this kind that use no tools, no template options and no reasoning."""
    chosen = [
        case for case in GOLDENS
        if case["kind"] == kind and not case.get("tools") and not case.get("chat_template_kwargs")
        and case["finish_reason"] == "stop" and "<think>" not in case["decoded_until_eos"]
    ]
    return pytest.mark.parametrize("case", chosen, ids=[case["name"] for case in chosen])


def test_the_model_is_listed(client):
    assert [model.id for model in client.models.list()] == [MODEL]
    model = client.models.retrieve(MODEL)
    assert (model.id, model.object) == (MODEL, "model")


@cases("completion")
def test_a_completion_is_the_reference(client, case):
    completion = client.completions.create(model=MODEL, prompt=case["prompt"], temperature=0, max_tokens=200)
    choice = completion.choices[0]
    assert (choice.text, choice.finish_reason) == (case["decoded_until_eos"], "stop")
    assert completion.usage.prompt_tokens == len(case["prompt_ids"])
    assert completion.usage.completion_tokens == len(case["until_eos_ids"])
    assert completion.usage.total_tokens == len(case["prompt_ids"]) + len(case["until_eos_ids"])


@cases("chat")
def test_a_chat_answer_is_the_reference(client, case):
    completion = client.chat.completions.create(
        model=MODEL, messages=case["messages"], temperature=0, max_completion_tokens=200)
    choice = completion.choices[0]
    assert (choice.message.role, choice.message.content) == ("assistant", case["decoded_until_eos"])
    assert choice.finish_reason == "stop"
    assert completion.usage.prompt_tokens == len(case["prompt_ids"])
    assert completion.id.startswith("chatcmpl-") and completion.object == "chat.completion"


def test_a_completion_stream_joins_to_the_whole_text(client):
    arguments = dict(model=MODEL, prompt=STORY, temperature=0, max_tokens=40)
    whole = client.completions.create(**arguments)
    chunks = list(client.completions.create(**arguments, stream=True, stream_options={"include_usage": True}))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == whole.choices[0].text
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "length"
    assert len({chunk.id for chunk in chunks}) == 1 and chunks[0].id.startswith("cmpl-")
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == whole.usage.total_tokens
    assert whole.usage.completion_tokens == 40


def test_a_chat_stream_joins_to_the_whole_text(client):
    arguments = dict(model=MODEL, messages=GREETING, temperature=0, max_tokens=40)
    whole = client.chat.completions.create(**arguments)
    chunks = list(client.chat.completions.create(**arguments, stream=True, stream_options={"include_usage": True}))
    first, last = chunks[0].choices[0].delta, chunks[-1]
    assert (first.role, first.content) == ("assistant", "")
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == whole.choices[0].message.content
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason == "stop"
    assert last.choices == [] and last.usage.total_tokens == whole.usage.total_tokens
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}


def test_the_stream_helper_of_the_client_reads_a_chat(client):
    with client.chat.completions.stream(model=MODEL, messages=GREETING, temperature=0, max_tokens=40) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
        assert text == stream.get_final_completion().choices[0].message.content != ""


def test_a_completion_has_logprobs(client):
    completion = client.completions.create(model=MODEL, prompt=STORY, temperature=0, max_tokens=8, logprobs=3)
    text, logprobs = completion.choices[0].text, completion.choices[0].logprobs
    assert "".join(logprobs.tokens) == text
    assert logprobs.text_offset == [len("".join(logprobs.tokens[:index])) for index in range(8)]
    for token, logprob, top in zip(logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs, strict=True):
        assert 3 <= len(top) <= 4
        assert logprob == top[token] == max(top.values()) <= 0


def test_a_chat_has_logprobs(client):
    completion = client.chat.completions.create(
        model=MODEL, messages=GREETING, temperature=0, max_tokens=6, logprobs=True, top_logprobs=3)
    content = completion.choices[0].logprobs.content
    assert b"".join(bytes(entry.bytes) for entry in content).decode() == completion.choices[0].message.content
    for entry in content:
        assert len(entry.top_logprobs) == 3
        best = entry.top_logprobs[0]
        assert (entry.token, entry.logprob, entry.bytes) == (best.token, best.logprob, best.bytes)


def test_streamed_logprobs_are_those_of_the_whole_reply(client):
    arguments = dict(
        model=MODEL, messages=GREETING, temperature=0, max_tokens=8, logprobs=True, top_logprobs=2)
    whole = client.chat.completions.create(**arguments).choices[0].logprobs.content
    streamed = []
    for chunk in client.chat.completions.create(**arguments, stream=True):
        if chunk.choices[0].logprobs:
            streamed += chunk.choices[0].logprobs.content or []
    assert streamed == whole


def test_a_prompt_may_come_in_four_forms(client):
    case = next(case for case in GOLDENS if case["name"] == "story_completion")

    def texts(prompt):
        completion = client.completions.create(model=MODEL, prompt=prompt, temperature=0, max_tokens=8)
        assert [choice.index for choice in completion.choices] == list(range(len(completion.choices)))
        return [choice.text for choice in completion.choices]

    single = texts(case["prompt"])
    assert texts(case["prompt_ids"]) == single
    assert texts([case["prompt"], "Dear Anna,\n\n"])[0] == single[0]
    assert texts([case["prompt_ids"], case["prompt_ids"]]) == single * 2


def test_several_choices_are_numbered_and_reproducible(client):
    def texts():
        completion = client.completions.create(
            model=MODEL, prompt=STORY, n=4, seed=7, temperature=1.2, max_tokens=24)
        assert [choice.index for choice in completion.choices] == [0, 1, 2, 3]
        return [choice.text for choice in completion.choices]

    first = texts()
    assert first == texts()
    assert len(set(first)) > 1


def test_a_seed_makes_the_same_text_and_another_seed_another(client):
    def text(seed):
        return client.completions.create(
            model=MODEL, prompt=STORY, seed=seed, temperature=1.2, max_tokens=24).choices[0].text

    assert text(1) == text(1)
    assert len({text(seed) for seed in range(4)}) > 1


def test_a_stop_string_ends_the_text_before_it(client):
    arguments = dict(model=MODEL, prompt=STORY, temperature=0, max_tokens=40)
    whole = client.completions.create(**arguments).choices[0].text
    stop = whole[17:25]
    stopped = client.completions.create(**arguments, stop=[stop]).choices[0]
    assert (stopped.text, stopped.finish_reason) == (whole[:whole.index(stop)], "stop")
    streamed = list(client.completions.create(**arguments, stop=stop, stream=True))
    assert "".join(chunk.choices[0].text for chunk in streamed) == stopped.text


def test_a_bias_decides_the_next_token(client):
    completion = client.completions.create(
        model=MODEL, prompt=STORY, temperature=0, max_tokens=3, logit_bias={"1315": 100},
        extra_body={"ignore_eos": True, "return_token_ids": True})
    assert completion.choices[0].token_ids == [1315] * 3


def test_all_roles_and_text_parts_are_understood(client):
    messages = [
        {"role": "system", "content": "You are Salty, a pirate."},
        {"role": "user", "name": "anna", "content": [{"type": "text", "text": "Hello!"}]},
        {"role": "assistant", "content": "Arr!"},
        {"role": "user", "content": "Who are you?"},
    ]
    completion = client.chat.completions.create(model=MODEL, messages=messages, temperature=0, max_tokens=16)
    assert completion.choices[0].message.content


def test_a_text_does_not_depend_on_what_runs_beside_it(async_client):
    prompts = [case["prompt"] for case in GOLDENS if case["kind"] == "completion"] * 4

    async def stream(prompt):
        text = ""
        async for chunk in await async_client.completions.create(
                model=MODEL, prompt=prompt, temperature=0, max_tokens=24, stream=True):
            text += chunk.choices[0].text
        return text

    async def run():
        alone = {prompt: await stream(prompt) for prompt in set(prompts)}
        together = await asyncio.gather(*map(stream, prompts))
        assert together == [alone[prompt] for prompt in prompts]

    asyncio.run(run())


def test_every_reply_has_a_request_id(client):
    first, second = (
        client.completions.with_raw_response.create(model=MODEL, prompt=STORY, max_tokens=1) for _ in range(2))
    assert first.headers["x-request-id"] and first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.parse().choices[0].finish_reason == "length"


def test_evaluation_programs_score_a_continuation(client):
    """What lm-eval sends and reads: lists of ids, one generated token, and equal numbers where tokens are equal."""
    prompts = [[5, 6, 7, 8], [9, 10, 11]]
    completion = client.completions.create(
        model=MODEL, prompt=prompts, max_tokens=1, temperature=0, logprobs=1, echo=True, seed=1234)
    choices = sorted(completion.choices, key=lambda choice: choice.index)
    for prompt, choice in zip(prompts, choices):
        scores = choice.logprobs.token_logprobs
        tops = choice.logprobs.top_logprobs
        assert len(scores) == len(tops) == len(prompt) + 1 and scores[0] is None and tops[0] is None
        for token, score, top in list(zip(choice.logprobs.tokens, scores, tops))[1:]:
            assert top[token] == score <= max(top.values())
        # Greedy: the generated token is the most probable one, as an exact equality of floats.
        assert scores[-1] == max(tops[-1].values())
