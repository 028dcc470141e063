"""Embeddings, by the official client."""

import base64
import concurrent.futures
import struct

import pytest


def test_the_official_client_reads_them(client):
    """It asks for base64 by itself."""
    reply = client.embeddings.create(model="trinity-tiny", input=["Once upon a time", "Es war einmal"])
    assert [item.index for item in reply.data] == [0, 1]
    assert all(sum(value * value for value in item.embedding) == pytest.approx(1, abs=1e-5) for item in reply.data)
    plain = client.embeddings.create(model="trinity-tiny", input="Once upon a time", encoding_format="float")
    assert plain.data[0].embedding == pytest.approx(reply.data[0].embedding, abs=1e-7)
    assert reply.usage.prompt_tokens == reply.usage.total_tokens > plain.usage.prompt_tokens > 0


def test_load_changes_no_bit(server, client):
    def embed(text):
        reply = server.post("/v1/embeddings", {"input": text, "encoding_format": "base64"}).json
        return struct.unpack("<256f", base64.b64decode(reply["data"][0]["embedding"]))

    texts = [f"{number} little words " * (1 + number * 7) for number in range(8)]
    alone = [embed(text) for text in texts]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        chats = [
            pool.submit(server.post, "/v1/completions", {"prompt": text, "max_tokens": 40, "ignore_eos": True})
            for text in texts]
        assert list(pool.map(embed, texts)) == alone
        assert all(chat.result().status == 200 for chat in chats)
