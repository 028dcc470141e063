"""Haystack: chat generators of both APIs with a tool and a stream, and a search over embeddings in a pipeline."""

import pytest
from haystack import Document, Pipeline
from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator, OpenAIResponsesChatGenerator
from haystack.components.retrievers import InMemoryEmbeddingRetriever
from haystack.dataclasses import ChatMessage
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.tools import tool
from haystack.utils import Secret

KEY = Secret.from_token("none")


@tool
def get_weather(city: str) -> str:
    """Get the weather of a city"""
    return "rainy"


@pytest.fixture(params=[OpenAIChatGenerator, OpenAIResponsesChatGenerator])
def generator(request, base_url):
    limit = "max_tokens" if request.param is OpenAIChatGenerator else "max_output_tokens"
    return request.param(
        api_key=KEY, api_base_url=base_url, model="trinity-tiny", max_retries=0,
        generation_kwargs={"temperature": 0, limit: 200})


def test_a_chat_whole_and_streamed(generator):
    question = [ChatMessage.from_user("What is 12 + 30?")]
    [whole] = generator.run(question)["replies"]
    pieces = []
    [streamed] = generator.run(question, streaming_callback=pieces.append)["replies"]
    assert "42" in whole.text and streamed.text == whole.text and len(pieces) > 2


def test_a_tool_loop(generator):
    question = ChatMessage.from_user("What is the weather in Paris?")
    [reply] = generator.run([question], tools=[get_weather])["replies"]
    [call] = reply.tool_calls
    result = ChatMessage.from_tool(get_weather.invoke(**call.arguments), origin=call)
    [last] = generator.run([question, reply, result], tools=[get_weather])["replies"]
    assert "rain" in last.text


def test_a_search_over_embeddings_finds_the_text_itself(base_url):
    texts = ["The sky is blue today.", "A dog ran to the park.", "Two and three are five."]
    options = {"api_key": KEY, "api_base_url": base_url, "model": "trinity-tiny", "max_retries": 0}
    store = InMemoryDocumentStore()
    store.write_documents(OpenAIDocumentEmbedder(**options).run([Document(content=text) for text in texts])["documents"])
    pipeline = Pipeline()
    pipeline.add_component("embedder", OpenAITextEmbedder(**options))
    pipeline.add_component("retriever", InMemoryEmbeddingRetriever(store))
    pipeline.connect("embedder.embedding", "retriever.query_embedding")
    found = pipeline.run({"embedder": {"text": texts[1]}})["retriever"]["documents"]
    assert found[0].content == texts[1]
