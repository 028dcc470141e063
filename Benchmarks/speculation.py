"""Compares decoding with and without --spec-method ngram: tokens per second of all clients together, for replies of only two
different tokens, which soon repeat, and for replies without repetition.

usage: speculation.py MODEL [tokens]        a model of random weights
"""

import statistics
import sys
import threading
import time

from served import Served

COUNTER = "vllm:spec_decode_num_{}_tokens_total"


def rate(server, clients, tokens, members):
    def run(number):
        prompt = [5 + (number * 31 + i * 7) % 4000 for i in range(64)]
        for _ in server.stream(prompt, tokens, **members):
            pass

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return clients * tokens / (time.monotonic() - start)


def counter(server, name):
    text = server.request("GET", "/metrics").read().decode()
    return float(next(line.split()[-1] for line in text.splitlines() if line.startswith(name)))


def main(model, tokens):
    with Served(model) as plain, Served(model, "--spec-method", "ngram") as guessing:
        for name, members in (("repeating", {"allowed_token_ids": [41, 42]}), ("not repeating", {})):
            for clients in (1, 4, 8):
                drafts, accepted = (counter(guessing, COUNTER.format(kind)) for kind in ("draft", "accepted"))
                rates = [(rate(plain, clients, tokens, members), rate(guessing, clients, tokens, members))
                         for _ in range(4)][1:]
                before, after = (statistics.median(column) for column in zip(*rates))
                drafts = counter(guessing, COUNTER.format("draft")) - drafts
                accepted = counter(guessing, COUNTER.format("accepted")) - accepted
                print(f"{name}, {clients} clients: {before:.0f} -> {after:.0f} tok/s, x{after / before:.2f}; "
                      f"{drafts:.0f} draft tokens, {accepted / max(drafts, 1):.0%} accepted")


main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 256)
