"""Texts and tokenizers for measurements. All of them are generated from a seed or from Python's standard library."""

import json
import pathlib
import pydoc_data.topics
import random
import sysconfig

import probe

MEGABYTE = 1 << 20


def clip(text):
    """About a megabyte of UTF-8."""
    while len(text.encode()) < MEGABYTE:
        text += text
    return text.encode()[:MEGABYTE].decode(errors="ignore")


def prose():
    """English: Python's help texts."""
    return clip("\n".join(pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics)))


def code():
    """Source code of Python's standard library."""
    folder = pathlib.Path(sysconfig.get_path("stdlib"))
    return clip("".join(path.read_text(errors="ignore") for path in sorted(folder.glob("*.py"))))


def words(seed, alphabets, longest):
    source = random.Random(seed)
    result, size = [], 0
    while size < MEGABYTE:
        alphabet = source.choice(alphabets)
        word = "".join(chr(source.randint(*alphabet)) for _ in range(source.randint(2, longest))) + " "
        result.append(word)
        size += len(word.encode())
    return clip("".join(result))


def scripts():
    """Random words of many scripts; few of them repeat."""
    ranges = [(0x430, 0x44F), (0x3B1, 0x3C9), (0x4E00, 0x9FA5), (0x3041, 0x3096), (0xAC00, 0xD7A3), (0x627, 0x64A),
              (0xE01, 0xE30), (0x905, 0x939), (0x1F600, 0x1F64F), (0x61, 0x7A)]
    return words(2, ranges, 6)


def unseen():
    """Random words of Latin letters; few of them repeat, so a cache does not help."""
    return words(3, [(0x61, 0x7A)], 12)


def trained(kind, size):
    """A tokenizer with the components of a fixture and a vocabulary trained on Python's standard library."""
    from tokenizers import Tokenizer, pre_tokenizers, trainers
    file = json.loads((probe.FIXTURES / kind / "tokenizer.json").read_text())
    file = {**file, "added_tokens": [], "post_processor": None, "truncation": None, "padding": None}
    tokenizer = Tokenizer.from_str(json.dumps(file))
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    paths = sorted(pathlib.Path(sysconfig.get_path("stdlib")).glob("**/*.py"))
    tokenizer.train_from_iterator((path.read_text(errors="ignore") for path in paths), trainer)
    learned = json.loads(tokenizer.to_str())["model"]
    model = {**file["model"], "vocab": learned["vocab"], "merges": learned["merges"]}
    return {**file, "model": model}


def synthetic(tokens):
    """A vocabulary of random merges with the size and file layout of current models."""
    from tokenizers import pre_tokenizers
    source = random.Random(4)
    content = sorted(pre_tokenizers.ByteLevel.alphabet())
    known, merges = set(content), []
    while len(content) < tokens:
        left, right = source.choice(content), source.choice(content)
        if len(left + right) > 14 or left + right in known:
            continue
        known.add(left + right)
        content.append(left + right)
        merges.append(f"{left} {right}")
    file = json.loads((probe.FIXTURES / "trinity_like" / "tokenizer.json").read_text())
    model = {**file["model"], "vocab": {token: id for id, token in enumerate(content)}, "merges": merges}
    return {**file, "model": model, "added_tokens": [], "post_processor": None}
