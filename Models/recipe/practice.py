"""Lines of the last two stages: more of what the model of the first three stages answers wrongly too often.

The model finds what follows something that it knows, and hardly what stands before it. So where the beginning of a row or of a
sentence is asked for, the answer reads the text from its beginning until what is known is there. Where a text does not say something,
the quote ends before the value.
"""

import re

from conversations import for_training, length, line, maybe_system, messages_of, tool_chat
from language import R, cap, chance, city, expand, invented_word, made_up_name, name, number, pick, plural, sample, tokens
from lists import sort_numbers, sort_words
from lookups import COLUMNS, Person, dictionary_conversation, haystack, missing_thing, needle_conversation, quoting, row_turn, rows_of
from lookups import story_question, told, written
from sums import add, subtract
from tools import SUBJECTS, calculator_tool, rows_tool, search_tool, simple_tool, time_tool, two_argument_tool, weather_tool
from turn import Turn
from words import ANIMALS, JOBS, NAMES, NUMW, THINGS

# Without thinking, only the last answer is trained; then a text has few questions.
THINKING = 0.6


def conversation(make, fewest=3, most=8, share=THINKING):
    """A line of what `make` gives for a number of questions."""
    thinking = chance(share)
    count = R.randint(fewest, most) if thinking else pick((1, 1, 1, 2))
    return line(maybe_system() + messages_of(for_training(lambda: make(count)), thinking, varied=False), thinking)


def distinct(turns):
    """The turns without a question that was asked before."""
    return list({turn.user: turn for turn in turns}.values())


# MARK: Tables


def table(count):
    """A table, and questions for values and for names."""
    rows = rows_of(pick((2, 3, 4, 5, 6, 8, 10, 14)), sample(list(COLUMNS), R.randint(1, 4)))
    text, quotes = written(rows)
    # What is found by reading costs many tokens, so a table has one such question.
    turns = [row_turn(rows, quotes, by_value=index == 0 and chance(0.85), reads=True) for index in range(count)]
    R.shuffle(turns)
    turns = distinct(turns)
    if chance(0.04):
        missing, column = invented_word().capitalize(), list(rows[0])[1]
        turns.append(Turn(f"What is the {column} of {missing}?", f"I do not know. {missing} is not in the table."))
    if chance(0.04) and len(rows) <= 10:
        numbered = ", ".join(f"{index} {row['name']}" for index, row in enumerate(rows, 1))
        turns.append(Turn("How many rows does the table have?", f"The table has {NUMW[len(rows)]} rows.", numbered))
    head = expand("[Here is a table:\n|Look at this table.\n\n|Use this data:\n||Table:\n]")
    turns[0].user = f"{head}{text}\n\n{turns[0].user}" if chance(0.8) else f"{turns[0].user}\n\n{text}"
    return turns


# MARK: Reading


def is_backwards(question):
    """Whether a question asks for the beginning of a sentence."""
    return question.startswith(("Who ", "When ")) and not question.startswith("Who got ")


def quoted(sentence, question, text):
    """The quote for a question: the sentence, or the text up to it."""
    if not is_backwards(question):
        return f"The text says: {sentence}"
    return f"The text says: {text[: text.index(sentence)]}{sentence}"


def untold_turn(sentence, questions):
    """A question for what the text does not say: the quote ends where the value would follow."""
    question, _, right = questions[0]
    begin = re.sub(r" an?$", "", sentence.rpartition(right)[0].rstrip())
    return quoting(question, "The text does not say.", f"The text says: {begin} ...", "does not say")


def told_turn(person, text):
    sentence, questions = pick(person.facts)
    question, answer, right = pick(questions)
    backwards = [(each, asked) for each, questions in person.facts for asked in questions if is_backwards(asked[0])]
    if backwards and chance(0.4):
        sentence, (question, answer, right) = pick(backwards)
    elif chance(0.2) and sentence.startswith(f"{person.name} "):
        rest = sentence[len(person.name) : -1]
        if text.count(f"{rest}.") == 1:
            question, answer, right = f"Who{rest}?", sentence, person.name
    return quoting(question, answer, quoted(sentence, question, text), right)


def reading(count):
    """A text about some people, and questions that it answers, or does not."""
    names = sample(NAMES, pick((1, 2, 2, 3, 3, 4, 5, 6)))
    if chance(0.2):
        names[0] = made_up_name()
    people = [Person(each, names) for each in names]
    text = told(people, pick((0, 0, 1, 2, 4)))
    turns = []
    for _ in range(count):
        person = pick(people)
        is_untold = chance(0.35) and person.untold
        turns.append(untold_turn(*pick(person.untold)) if is_untold else told_turn(person, text))
    turns = distinct(turns)
    head = expand("[Read this story and answer the question.\n\n|Text: ||Read this: |Here is a text.\n]")
    turns[0].user = f"{head}{text}\n\n{turns[0].user}" if chance(0.85) else f"{turns[0].user}\n\n{text}"
    return turns


# MARK: Tools


def subjects(count):
    """What tools list: the subjects of the other stages, things, and invented words."""
    things = [thing + "s" for thing in THINGS if plural(thing) == thing + "s" and " " not in thing]
    names = [pick((SUBJECTS, SUBJECTS, things)) for _ in range(4)]
    found = list(dict.fromkeys([pick(name) for name in names] + [invented_word() + "s"]))
    return sample(found, min(count, len(found)))


def some_tools(lists, share):
    """Tools of which so many list something, and others, each with this chance. The first are told apart by what they list."""
    made = [rows_tool(pick((3, 3, 4, 5, 8, 12, 20)), subject, marks=True) for subject in subjects(lists)]
    kinds = (weather_tool, time_tool, calculator_tool, two_argument_tool, search_tool, simple_tool)
    made += [make() for make in kinds if chance(share)]
    R.shuffle(made)
    return list({tool.name: tool for tool in made or [weather_tool()]}.values())


def tools_of_rows():
    """Calls of tools that list something, mostly beside others of this kind. The verb of a tool's name stands before the subject by
    which it is found, so the thought reads the names of the tools until it is there."""
    result = tool_chat(some_tools(pick((1, 1, 2, 2, 3)), pick((0.1, 0.4))))
    names = [tool.get("function", tool)["name"] for tool in result["tools"]]
    for message in result["messages"]:
        for call in message.get("tool_calls", []) if "reasoning_content" in message else []:
            name = call["function"]["name"]
            if not call["function"]["arguments"]:
                message["reasoning_content"] = "I look for a tool: " + ", ".join(names[: names.index(name) + 1])
    return result


def calls_of_rows():
    """The same, without names in the thought: without thinking, these calls are right more often than after reading the names."""
    result = tools_of_rows()
    for message in result["messages"]:
        if message.get("reasoning_content", "").startswith("I look for a tool: "):
            message["reasoning_content"] = "One of the tools finds this."
    return result


def tools():
    return tool_chat(some_tools(0, 0.4))


# MARK: Needles


def numbered_lines(size):
    """Sentences of one pattern with numbers that go on, of about `size` tokens: no word of it differs but a needle's."""
    thing, other = sample([each for each in THINGS if each != "box"], 2)
    first, step, shift = R.randint(0, 300), pick((1, 1, 1, 2, 5, 10)), R.randint(1, 90)
    pattern = expand(
        "[The {t} number % is [in|beside|under|behind] the {o} #.|The {t} % [belongs|goes] to the {o} #.|{T} %: {o} #.|Line %: the {t} has the"
        " number #.|In the year %, [there were|we had] # {ts}.|[Row|Step|Page] % of the list is about the {t}.]",
        t=thing, T=cap(thing), o=other, ts=plural(thing),
    )
    lines, total = [], 0
    while total < size:
        number = first + step * len(lines)
        lines.append(pattern.replace("%", str(number)).replace("#", str(number + shift)))
        total += tokens(lines[-1]) + 1
    return lines


def known_key():
    """A name that the model knows from elsewhere."""
    return pick((city, name, lambda: f"the {pick(ANIMALS)}", lambda: f"the {pick(JOBS)}"))()


def needles():
    """Long texts with needles: as in the other stages, with known names, or in numbered lines."""
    thinking, size = chance(0.7), length(400, 3500)
    turns = needle_conversation(size, pick((None, None, known_key)), pick((haystack, numbered_lines)))
    return line(messages_of(turns, thinking), thinking)


# MARK: Others


def sorts():
    kinds = (sort_numbers, sort_numbers, sort_words)
    return conversation(lambda count: [for_training(pick(kinds)) for _ in range(count)])


def subtractions():
    def turn():
        a, b = sorted((R.randint(100, 9999), R.randint(10, 9999)), reverse=True)
        return subtract(a, b)

    return conversation(lambda count: [for_training(turn) for _ in range(count)])


def short_sums():
    """Sums of one digit, which are known by heart without thinking."""

    def turn():
        make = pick((add, subtract))
        return make(*sorted((number(1), number(1)), reverse=make is subtract))

    return conversation(lambda count: [for_training(turn) for _ in range(count)], share=0.1)


def other_lookups():
    """The look-ups that are as in the other stages."""
    thinking, kind = chance(0.7), R.random()
    if kind < 0.6:
        make = lambda: needle_conversation(R.choices((60, 150, 300, 600, 900), (2, 4, 4, 3, 2))[0] * (0.5 + R.random()))
    else:
        make = dictionary_conversation if kind < 0.8 else story_question if kind < 0.95 else missing_thing
    return line(maybe_system() + messages_of(for_training(make), thinking, varied=False), thinking)


def tables(share=THINKING):
    return conversation(table, 1, 4, share)


def readings():
    return conversation(reading, 2, 6)
