"""Conversations: tasks, look-ups, tools, personas and things to remember, with thinking on or off.

A conversation is a line of the data: `messages`, maybe `tools`, and `chat_template_kwargs` where thinking is off. Then only the last
message of the assistant is trained, since those before it were not written behind the empty block of reasoning that the chat
template puts into the prompt.
"""

import json
import re
import zlib

from language import R, an, chance, city, expand, invented_word, name, pick, tokens
from lookups import comprehension, dictionary_conversation, lookup, needle_conversation, needle_text, table_conversation
from stories import plain_text
from lists import WORDS, lists
from sums import sums
from tasks import animals, ask_story, calendar, capital, colours, counting, fact, poem, repeat, talk, unknown, who
from turn import Turn
from tools import json_turn, rows_tool, tool_messages, toolset
from words import ADJ, ANIMALS, COLORS, NAMES

# MARK: What is kept for the evaluation

# One in so many questions of the tasks with many questions is never trained.
KEPT = 12
# Words before the questions of tasks with few questions; training has other ones.
KEPT_BEGINNINGS = ["So, ", "Quick question: ", "One more thing: ", "Now tell me: ", "I wonder: "]
BEGINNINGS = [
    (
        "[Please|Hey|Hi|Hello|Tiny|Well|OK|Oh|Hm|Right|Listen|Look|And|But|Now|Then|Again|Sorry|Thanks|Great|My friend"
        "|Dear Tiny|Good morning|By the way|First|Next|Question|Tell me|Say]{m} "
    ),
    (
        "[A|One|My|Another|The next|The last|Here is a|This is a|I have a] [little |small |short |easy |hard |new |{a} ||]"
        "[question|problem|wish|task|riddle|request|idea|puzzle|{x}]{m} "
    ),
    "[Please|Can you|Could you|Will you|I want you to|You must] [answer|tell me|say|help me|explain|think]{m} ",
    (
        "I [want to know|would like to know|need to know|must know|am curious|ask|was thinking|forgot|do not know|need"
        " help|{x}]{m} "
    ),
    "[{w}|{w} {x}|{x}|{x} {w}|{a} {x}|The {a} {x}]{m} ",
]
MARKS = [":", ":", ":", ",", ",", ".", "!", " -", "..."]


def beginning():
    """Words that can stand before any question. Most are drawn at random, so that the model learns to answer what follows."""
    while True:
        words = expand(pick(BEGINNINGS), a=pick(ADJ), x=pick(WORDS), w=invented_word(), m=pick(MARKS))
        text = words[0].upper() + words[1:] if chance(0.8) else words
        if normalized(text) not in map(normalized, KEPT_BEGINNINGS):
            return text


def normalized(text):
    return " ".join(re.findall(r"[a-z0-9+*/-]+", text.lower()))


def is_kept(text):
    """Whether a question is for the evaluation only. Depends on its words alone, so that all processes agree."""
    return zlib.crc32(normalized(text).encode()) % KEPT == 0


def for_training(make):
    """A turn, or turns, of which the first question is not kept for the evaluation."""
    while True:
        made = make()
        first = made[0] if isinstance(made, list) else made
        if first.closed or not is_kept(first.user):
            return made


# MARK: Tasks

TASKS = [
    (talk, 12),
    (who, 1),
    (sums, 34),
    (counting, 4),
    (calendar, 4),
    (animals, 4),
    (colours, 3),
    (fact, 10),
    (capital, 4),
    (lists, 17),
    (json_turn, 13),
    (ask_story, 5),
    (poem, 2),
    (unknown, 8),
    (repeat, 6),
]
MAKERS, WEIGHTS = zip(*TASKS)


def task():
    return for_training(R.choices(MAKERS, WEIGHTS)[0])


def casual(text):
    """The text as people type it."""
    if chance(0.12):
        text = text.lower()
    elif chance(0.06) and text[:1].isalpha() and not text.startswith("I "):
        text = text[0].lower() + text[1:]
    if chance(0.10):
        text = text.rstrip(".?!")
    if chance(0.20):
        text = beginning() + text
    elif chance(0.04):
        text = text.rstrip(".?!") + pick([", please.", " please", " please?", " now", "!"])
    return text


def is_casual(turn):
    """Whether the letters' case and the last mark do not matter for the answer."""
    return turn.closed or turn.check[0] in ("last number", "contains any")


def messages_of(turns, thinking, varied=True):
    messages = []
    for turn in turns:
        messages.append({"role": "user", "content": casual(turn.user) if varied and is_casual(turn) else turn.user})
        answer = {"role": "assistant", "content": turn.answer if thinking else turn.worked or turn.answer}
        if thinking and turn.reasoning:
            answer["reasoning_content"] = turn.reasoning
        messages.append(answer)
    return messages


def line(messages, thinking, tools=None):
    result = {"messages": messages}
    if tools:
        result["tools"] = tools
    if not thinking:
        result["chat_template_kwargs"] = {"enable_thinking": False}
    return result


# MARK: Personas and memory

PERSONAS = [
    ("pirate", "[Arr, matey! {a}|Ahoy! {a}|Arr! {a}|{a} Arr!]"),
    ("robot", "[Beep boop. {a}|{a} Beep.]"),
    ("cat", "[Meow! {a}|{a} Purr.]"),
    ("wizard", "[By my magic hat! {a}|{a} So say the stars.]"),
    ("butler", "[Certainly, dear guest. {a}|At your service. {a}]"),
    ("cowboy", "[Howdy, partner! {a}|Yee-haw! {a}]"),
    ("king", "[Hear me, good people! {a}|The king says: {a}]"),
    ("dragon", "[Roar! {a}|{a} Roar!]"),
    ("teacher", "[Good question! {a}|Listen well. {a}]"),
    ("ghost", "[Boo! {a}|Whooo! {a}]"),
]
SYSTEMS = [
    "You are a helpful assistant.",
    "You are a helpful assistant.",
    "You are a friendly assistant.",
    "You are Tiny, a small and friendly language model.",
    "You are a kind helper.",
    "Answer in simple English.",
    "Be short and friendly.",
    "You are a helpful AI assistant.",
]
WHO = ("who are you", "what are you", "what is your name", "what's your name")


def maybe_system():
    return [{"role": "system", "content": pick(SYSTEMS)}] if chance(0.2) else []


def persona(count, thinking):
    kind, style = pick(PERSONAS)
    own = pick(NAMES + ["Luna", "Rex", "Bolt", "Salty", "Whiskers", "Merlin"]) if chance(0.5) else None
    if own:
        text = expand(
            "[You are {m}, {x}.|You are {x} named {m}.|Your name is {m}. You are {x}.|You are {x} called {m}.]",
            m=own,
            x=an(kind),
        )
    else:
        text = expand(
            "[You are {x}.|You talk like {x}.|Answer like {x}.|Speak like {x}.|You are {x} who helps people.|Pretend to"
            " be {x}.]",
            x=an(kind),
        )
    turns = []
    for _ in range(count):
        turn = for_training(pick((talk, talk, fact, animals, colours, calendar, sums)))
        if turn.user.lower().strip("?!.") in WHO or chance(0.3):
            answer = (
                expand("[I am {m}, {x}.|My name is {m} and I am {x}.]", m=own, x=an(kind))
                if own
                else f"I am {an(kind)}."
            )
            turn = Turn(
                expand("[Who are you?|What is your name?|What are you?|Who am I talking to?]"), answer, closed=True
            )
        work, answer = (turn.worked or "").rpartition("\n\n")[0], expand(style, a=turn.answer)
        turns.append(
            Turn(turn.user, answer, turn.reasoning, f"{work}\n\n{answer}" if work else None, turn.check, turn.closed)
        )
    return [{"role": "system", "content": text}] + messages_of(turns, thinking)


def memory():
    """Something that the user tells, and the question for it later."""
    kind, n = R.randrange(6), name()
    if kind <= 2:
        told = Turn(
            expand(
                "[My name is {n}.|I am {n}.|Hi, I am {n}.|Hello, my name is {n}.|I'm {n}.|Call me {n}.|Hi! My name is"
                " {n}.]",
                n=n,
            ),
            expand(
                "[Hello, {n}! Nice to meet you.|Hi {n}! How can I help you?|Nice to meet you, {n}!|Hello {n}!]", n=n
            ),
        )
        asked = Turn(
            expand("[What is my name?|What's my name?|Do you remember my name?|Who am I?|Do you know my name?]"),
            expand("[Your name is {n}.|You are {n}.|Your name is {n}!]", n=n),
            expand("[The user said the name {n}.|The name was {n}.]", n=n),
            check=("contains", n),
        )
    elif kind == 3:
        c = pick(COLORS)
        told = Turn(
            expand("[My favourite colour is {c}.|I like {c} best.|I love the colour {c}.]", c=c),
            expand("[{C} is a beautiful colour!|I like {c} too.|Nice! {C} is lovely.]", c=c, C=c.capitalize()),
        )
        asked = Turn(
            expand("[What is my favourite colour?|Which colour do I like?|Do you remember my favourite colour?]"),
            f"Your favourite colour is {c}.",
            f"The user likes {c}.",
            check=("contains", c),
        )
    elif kind == 4:
        a = pick(ANIMALS)
        told = Turn(
            expand("[I have {a} called {n}.|My {x} is called {n}.|My {x}'s name is {n}.]", a=an(a), x=a, n=n),
            expand("[{n} is a nice name for {a}!|What a nice {x}! Say hello to {n}.]", n=n, a=an(a), x=a),
        )
        asked = Turn(
            expand("[What is my {x} called?|What is the name of my {x}?|Do you remember my {x}?]", x=a),
            f"Your {a} is called {n}.",
            f"The {a} is called {n}.",
            check=("contains", n),
        )
    else:
        c = city()
        told = Turn(
            expand("[I live in {c}.|I am from {c}.|I come from {c}.]", c=c),
            expand("[{c} is a nice place!|I hope it is nice in {c}.|Oh, {c}! How nice.]", c=c),
        )
        asked = Turn(
            expand("[Where do I live?|Where am I from?|Which city do I live in?]"),
            f"You live in {c}.",
            f"The user lives in {c}.",
            check=("contains", c),
        )
    return told, asked


def remembering(between):
    told, asked = memory()
    turns = [told]
    if chance(0.3):
        other, _ = memory()
        if other.user[:6] != told.user[:6]:
            turns.append(other)
    return turns + [task() for _ in range(between)] + [asked]


# MARK: Kinds of lines


def chat(turns=None):
    """A conversation without tools."""
    thinking, count = chance(0.7), turns or R.choices((1, 2, 3, 4), (52, 24, 15, 9))[0]
    kind = R.random()
    if kind < 0.16:
        return line(
            maybe_system()
            + messages_of(remembering(R.choices((0, 1, 2, 3), (3, 4, 2, 1))[0] + (turns or 0)), thinking),
            thinking,
        )
    if kind < 0.26:
        return line(persona(count, thinking), thinking)
    made = [for_training(talk) for _ in range(count)] if chance(0.2) and not turns else [task() for _ in range(count)]
    return line(maybe_system() + messages_of(made, thinking), thinking)


def tool_chat(sets=None, count=None):
    """A conversation with tools; with thinking off it may end with the call, which is what is trained then."""
    thinking, tools = chance(0.65), sets or toolset()
    messages = maybe_system()
    for _ in range(count or pick((1, 1, 2))):
        if chance(0.15):
            messages += messages_of([for_training(pick((talk, talk, fact, colours, animals)))], thinking)
            continue
        while True:
            new, _ = tool_messages(tools)
            if not is_kept(new[0]["content"]):
                break
        if chance(0.4) and len(new[0]["content"]) < 60:
            new[0] = {"role": "user", "content": new[0]["content"].rstrip("?.")}
        messages += new
    if chance(0.15):
        messages += messages_of(
            [Turn(*pick([("Thanks!", "You are welcome!"), ("Thank you.", "Happy to help!")]))], thinking
        )
    if not thinking:
        for message in messages:
            quote = message.pop("reasoning_content", None)
            # The reason of a call is left out; what an answer quotes is a part of it then.
            if quote and "tool_calls" not in message:
                message["content"] = f"{quote}\n\n{message['content']}"
        calls = [index for index, message in enumerate(messages) if "tool_calls" in message]
        if calls and chance(0.55):
            messages = messages[: calls[-1] + 1]
    return line(messages, thinking, [tool.definition for tool in tools])


def lookup_chat(size=None):
    thinking = chance(0.7)
    return line(maybe_system() + messages_of(for_training(lambda: lookup(size)), thinking, varied=False), thinking)


def plain():
    return {"text": plain_text()}


def recall_text():
    return {"text": needle_text(pick((60, 120, 250, 500, 800)))}


# MARK: Long lines, sizes in tokens

# The most tokens of a line, as `tokens` counts them; some texts have a fifth more, and a row has 8,192.
LONGEST = 6500


def length(shortest, longest):
    """Uniform in its logarithm."""
    return int(shortest * (longest / shortest) ** R.random())


def long_needle(shortest=1200, longest=LONGEST):
    thinking, size = chance(0.7), length(shortest, longest)
    return line(messages_of(needle_conversation(size), thinking), thinking)


def fitting(make):
    """What `make` gives, once it is not too long."""
    while True:
        made = make()
        if tokens(json.dumps(made)) <= LONGEST:
            return made


def long_table():
    return fitting(any_long_table)


def any_long_table():
    thinking = chance(0.7)
    kind = R.random()
    if kind < 0.5:
        turns = table_conversation(R.randint(15, 150))
    elif kind < 0.7:
        turns = dictionary_conversation(R.randint(20, 250))
    else:
        turns = comprehension(people_count=R.randint(8, 40), filler=R.randint(0, 60))
    return line(messages_of(turns, thinking), thinking)


def long_tools():
    return fitting(lambda: tool_chat([rows_tool(R.randint(30, 160))] + toolset()[:2], 1))


def long_chat():
    return fitting(lambda: chat(turns=R.randint(8, 60)))


def long_text():
    parts, size = [], length(1200, LONGEST)
    while sum(map(tokens, parts)) < size:
        parts.append(plain_text())
    return {"text": "\n\n".join(parts)}
