"""llama-index with OpenAILike, as a chat and as a completion, its function calls, and a search over embeddings."""

import pydantic
import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

QUESTION = "What is 12 + 30?"


class Person(pydantic.BaseModel):
    """A person"""

    name: str
    age: int


def make(base_url, **options):
    return OpenAILike(
        model="trinity-tiny", api_base=base_url, api_key="none", context_window=2048, temperature=0, max_tokens=200,
        max_retries=0, **options)


@pytest.fixture
def chat(base_url):
    return make(base_url, is_chat_model=True, is_function_calling_model=True)


def test_a_chat_whole_and_streamed(chat):
    messages = [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content=QUESTION)]
    whole = chat.chat(messages).message.content
    *_, last = chat.stream_chat(messages)
    assert whole and last.message.content == whole


def test_a_completion_whole_and_streamed(base_url):
    plain = make(base_url, is_chat_model=False)
    whole = plain.complete("Once upon a time").text
    *_, last = plain.stream_complete("Once upon a time")
    assert whole and last.text == whole


def test_a_required_tool_is_called(chat):
    def get_weather(city: str) -> str:
        """Get the weather of a city"""
        return "rainy in " + city

    tool = FunctionTool.from_defaults(get_weather)
    reply = chat.chat_with_tools([tool], user_msg="What is the weather in Paris?", tool_required=True)
    [call] = chat.get_tool_calls_from_response(reply)
    assert call.tool_name == "get_weather" and set(call.tool_kwargs) == {"city"}
    messages = [
        ChatMessage(role="user", content="What is the weather in Paris?"), reply.message,
        ChatMessage(role="tool", content="rainy", additional_kwargs={"tool_call_id": call.tool_id})]
    assert chat.chat(messages).message.content


def test_a_structured_answer(base_url):
    bound = make(base_url, is_chat_model=True, should_use_structured_outputs=True).as_structured_llm(Person)
    assert isinstance(bound.chat([ChatMessage(role="user", content="Tom is 7 years old.")]).raw, Person)


def test_a_search_over_embeddings_finds_the_text_itself(chat, base_url):
    """Texts are embedded in batches; the question is the text of one document, which must come first with a score of 1."""
    embedding = OpenAILikeEmbedding(model_name="trinity-tiny", api_base=base_url, api_key="none", embed_batch_size=2, max_retries=0)
    texts = ["The sky is blue today.", "A dog ran to the park.", "Two and three are five.", "She has a red hat.", "It rains."]
    index = VectorStoreIndex.from_documents([Document(text=text) for text in texts], embed_model=embedding)
    first = index.as_retriever(similarity_top_k=2).retrieve(texts[1])[0]
    assert first.text == texts[1] and first.score == pytest.approx(1, abs=1e-4)
    assert index.as_query_engine(llm=chat).query("What ran to the park?").response
