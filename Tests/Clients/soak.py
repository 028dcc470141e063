"""Loads a server with clients that stream, finish and leave, then checks that nothing was left behind.

Passes when every third of the run ends with nothing running, waiting or held, and the last third did not need more
memory than the second. The seed is printed, so that a failing run can be had again.
"""

import argparse
import asyncio
import random
import time

import openai
from trinity_server import Server, eventually

PROMPTS = ["Once upon a time", "Dear Anna,\n\n", "The capital of France is", "Counting: 1, 2, 3, 4,"]
# What an allocator may keep more than before without a leak: some hundred bytes a request in a run of ten minutes.
ALLOWED_GROWTH = 4 * 2**20


async def visit(client, choose, counts):
    """One request: whole or streamed, some cut off by the client."""
    arguments = dict(
        model="trinity-tiny", prompt=choose.choice(PROMPTS) * choose.randint(1, 20), max_tokens=choose.randint(1, 64),
        temperature=choose.choice([0, 1]), seed=choose.randrange(1000), n=choose.choice([1, 1, 1, 3]))
    leaves_after = choose.choice([None, None, 0, 1, 10])
    try:
        if choose.random() < 0.3:
            await client.completions.create(**arguments)
        else:
            stream = await client.completions.create(**arguments, stream=True)
            seen = 0
            async for _ in stream:
                if seen == leaves_after:
                    await stream.close()
                    counts["left"] += 1
                    return
                seen += 1
        counts["finished"] += 1
    except openai.InternalServerError as error:
        if error.status_code != 503:
            raise
        counts["refused"] += 1
        await asyncio.sleep(0.1)


async def load(server, seconds, requests, clients, choose, counts):
    """For so long, or until so many requests have been sent."""
    deadline = time.monotonic() + seconds
    left = requests
    async with openai.AsyncOpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=120) as client:
        async def visitor(seed):
            nonlocal left
            own = random.Random(seed)
            while time.monotonic() < deadline and left > 0:
                left -= 1
                await visit(client, own, counts)

        await asyncio.gather(*(visitor(choose.random()) for _ in range(clients)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--requests", type=int, help="how many in all, however long it takes")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    # A third of either.
    seconds, requests = (options.seconds / 3, float("inf")) if options.requests is None else (
        float("inf"), options.requests // 3 + 1)
    length = f"{options.seconds:g} s" if options.requests is None else f"{options.requests} requests"
    print(f"soak: {length}, {options.clients} clients, seed {options.seed}", flush=True)

    choose = random.Random(options.seed)
    counts = {"finished": 0, "left": 0, "refused": 0}
    memory = []
    with Server() as server:
        for third in range(3):
            asyncio.run(load(server, seconds, requests, options.clients, choose, counts))
            eventually(server.is_idle, 30)
            memory.append(server.resident_bytes())
            print(f"soak: third {third + 1}: {counts}, {memory[-1] / 2**20:.1f} MiB resident", flush=True)
    assert counts["finished"] > 0 and counts["left"] > 0, "the load was no load"
    assert memory[2] <= memory[1] + ALLOWED_GROWTH, f"memory grew from {memory[1]} to {memory[2]} bytes"
    print("3 passed, 0 failed")


if __name__ == "__main__":
    main()
