#!/usr/bin/env python3
"""Encodes and decodes random texts with the tokenizer of every fixture and with Hugging Face's, and counts differences."""

import argparse
import random
import unicodedata

import probe

FRAGMENTS = [
    "the ", " The", "don't", "I'LL", "'\u017f", "HTTPServer", "snake_case", "  ", "\n", "\r\n", "\t\t", "1234567", "\u0663\u0664",
    "\u00bd", "\u2167", "...", "!?", "-->", "`` ", "~~", "@@", "##", "<s>", "</s>", "<unk>", "<|im_end|>", "<think>",
    "<|begin_of_text|>", "[INST]", "<start_of_turn>", "word", "Hello World", "caf\u00e9 bar", "cafe\u0301", "\uff26ull", "<lstrip>",
    " <both> ", "<rstrip>", "<single>", "ab", "\u65e5\u672c\u8a9e", "\ud55c\uad6d\uc5b4", "\u0e20\u0e32\u0e29\u0e32", "\u2581", "\u2581\u2581", "\u200d", "\ufe0f",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0301", "\u0327\u0301", "\u212b", "\ufb01", "\u0130", "\u03a3", "\u1e9e", "\u00a0", "\u3000", "\u2028", "\u0085",
    "\x00", "\x1f", "\x7f", "\ufeff", "\u00ad", "<0x41>", "<0xE9>", "\U000e0001", "\U0001f1e9\U0001f1ea",
]
RANGES = [(0x20, 0x7e), (0xa0, 0x24f), (0x300, 0x36f), (0x370, 0x5ff), (0x600, 0x1fff), (0x2000, 0x2bff),
          (0x3000, 0xd7ff), (0xe000, 0xffff), (0x10000, 0x1ffff), (0x20000, 0x10ffff), (0, 0x1f)]


def random_text(source):
    parts = []
    for _ in range(source.randint(1, 14)):
        if source.random() < 0.6:
            parts.append(source.choice(FRAGMENTS))
        else:
            low, high = source.choice(RANGES)
            parts.append("".join(chr(source.randint(low, high)) for _ in range(source.randint(1, 4))))
    return "".join(parts)


def compare(ours, kind, count, seed):
    from tokenizers import Tokenizer
    path = str(probe.FIXTURES / kind / "tokenizer.json")
    size = ours("load", path=path)["size"]
    reference = Tokenizer.from_file(path)
    reference.no_truncation()
    reference.no_padding()
    source = random.Random(seed)
    wrong = {"ids": 0, "as text": 0, "decode": 0, "decode random": 0}
    shown = 0
    for _ in range(count):
        text = random_text(source)
        for name, as_text in [("ids", False), ("as text", True)]:
            reference.encode_special_tokens = as_text
            expected = reference.encode(text, add_special_tokens=False).ids
            found = ours("encode", text=text, special_as_text=as_text)["ids"]
            if found != expected:
                wrong[name] += 1
                if shown < 8:
                    shown += 1
                    print(kind, name, ascii(text), [hex(ord(c)) for c in text if unicodedata.category(c) == "Cn"][:4],
                          [a for a, b in zip(found, expected) if a != b][:3])
        skip = source.random() < 0.5
        for name, ids in [("decode", expected), ("decode random", [source.randrange(size + 3) for _ in range(12)])]:
            answer = ours("decode", ids=ids, skip_special_tokens=skip)
            if answer["text"] != reference.decode(ids, skip_special_tokens=skip):
                wrong[name] += 1
                if shown < 8:
                    shown += 1
                    print(kind, name, ids, ascii(answer["text"]), ascii(reference.decode(ids, skip_special_tokens=skip)))
    print(f"{kind}: {count} texts, differences: {wrong}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append")
    arguments = parser.parse_args()
    probe.use_reference()
    ours = probe.Probe()
    for kind in arguments.kind or sorted(path.name for path in probe.FIXTURES.iterdir()):
        compare(ours, kind, arguments.count, arguments.seed)
