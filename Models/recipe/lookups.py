"""Finding things in a text: needles in haystacks, tables, JSON, and questions about what was told.

What is looked up is drawn anew each time, much of it from words that are in no list, so that it can only be copied.
"""

import json
import re

from language import (
    R,
    an,
    cap,
    chance,
    expand,
    invented_word,
    join_and,
    made_up_name,
    name,
    number,
    pick,
    plural,
    sample,
    tokens,
)
from stories import facts, story
from turn import Turn
from words import ADJ, ANIMALS, CITIES, COLORS, DAYS, FOODS, GIRLS, JOBS, MASS, NAMES, NUMW, PLACES, THINGS

# MARK: Haystacks

SCENES = [
    "The {a} sat near the {p}.",
    "A {c} {t} lay on the table.",
    "{n} went to the {p} in the morning.",
    "It was {w} in {y} that day.",
    "{n} and {m} talked about the {t}.",
    "The {j} closed the door and went home.",
    "There were {k} {ts} in the box.",
    "Nobody knew who had lost the {c} {t}.",
    "On {d} the market was full of people.",
    "{n} likes {f} more than {g}.",
    "The road to the {p} is long and narrow.",
    "A {b} {a} ran across the street.",
    "The old {j} told a story about the {p}.",
    "In the evening {n} read a book.",
    "The train to {y} left at {h} o'clock.",
    "{n} bought {k} {ts} for {q} coins.",
    "Some people say that the {p} is haunted.",
    "The window was open, and the wind was {x}.",
    "{n} painted the {t} {c}.",
    "A letter from {y} came on {d}.",
    "The {a} of the {j} sleeps all day.",
    "Children played with a {t} behind the house.",
    "The soup with {f} was hot.",
    "{n} wrote the number {q} on the wall.",
    "The {p} is {k} miles from {y}.",
    "Every {d} the {j} sings a song.",
    "The lamp was {c} and the chair was {c2}.",
    "The shop near the {p} sells {ts} and {f}.",
]
WEATHER = ["sunny", "rainy", "cloudy", "windy", "snowy", "foggy", "stormy", "clear"]
VERBS = "saw took found lost carried opened closed painted moved watched called followed".split()


def scene():
    return expand(
        pick(SCENES),
        a=pick(ANIMALS),
        b=pick(ADJ),
        p=pick(PLACES),
        c=pick(COLORS),
        c2=pick(COLORS),
        t=pick(THINGS),
        ts=plural(pick(THINGS)),
        n=pick(NAMES),
        m=pick(NAMES),
        w=pick(WEATHER),
        y=pick(CITIES),
        j=pick(JOBS),
        k=pick(NUMW[2:20]),
        d=pick(DAYS),
        f=pick(MASS),
        g=pick(MASS),
        h=R.randint(1, 12),
        q=R.randint(2, 9999),
        x=pick(["cold", "loud", "warm", "strong"]),
    )


def nonsense():
    """A sentence with words that the model has never met."""
    words = [
        invented_word() if chance(0.5) else pick(pick((ANIMALS, THINGS, PLACES, COLORS, ADJ, FOODS)))
        for _ in range(R.randint(2, 5))
    ]
    return f"The {words[0]} {pick(VERBS)} the {' '.join(words[1:])}."


def record():
    """A line of a log."""
    return expand(
        "[{y}-{m}-{d} |]{h}:{s} [order|ticket|parcel|room] {q}: {k} {ts}, {c}.",
        y=R.randint(2001, 2040),
        m=f"{R.randint(1, 12):02d}",
        d=f"{R.randint(1, 28):02d}",
        h=f"{R.randint(0, 23):02d}",
        s=f"{R.randint(0, 59):02d}",
        q=R.randint(100, 99999),
        k=R.randint(1, 90),
        ts=plural(pick(THINGS)),
        c=pick(COLORS),
    )


SENTENCE_END = re.compile(r'(?<=[.!?]) (?=[A-Z"])')


def haystack(size):
    """Sentences of about `size` tokens."""
    sentences, total, kinds = [], 0, weighted_kinds()
    while total < size:
        for sentence in pick(kinds)():
            sentences.append(sentence)
            total += tokens(sentence) + 1
            if total >= size:
                break
    return sentences


def weighted_kinds():
    """One kind of text for a whole haystack, or all of them."""
    kinds = [
        lambda: [scene()],
        lambda: [nonsense()],
        lambda: [record()],
        lambda: SENTENCE_END.split(story()[0]),
        lambda: SENTENCE_END.split(facts()),
    ]
    return kinds if chance(0.25) else [pick(kinds[:2] + kinds)]


# MARK: Needles

QUALITIES = ADJ + COLORS + "warm cold big new soft round slow green tall quiet".split()


def key():
    """What a needle is about; rarely a word alone, often two with a hyphen, as in RULER."""
    kind = R.random()
    if kind < 0.25:
        return f"{pick(QUALITIES)}-{pick(pick((ANIMALS, THINGS, FOODS, PLACES)))}"
    if kind < 0.65:
        return f"{invented_word()}-{invented_word()}"
    if kind < 0.75:
        return f"{pick(QUALITIES)}-{invented_word()}"
    if kind < 0.83:
        return f"{pick(NAMES)}'s {pick(THINGS)}"
    if kind < 0.90:
        return invented_word()
    if kind < 0.95:
        return made_up_name()
    return f"{pick('ABCDEFGHKLMNPRSTUVWXZ')}-{R.randint(10, 999)}"


# The needle, the questions for it, and answers.
NEEDLES = [
    (
        "One of the special magic numbers for {k} is: {v}.",
        "What is the special magic number for {k} mentioned in the provided text?",
        "The special magic number for {k} mentioned in the provided text is {v}.",
        10,
    ),
    (
        "The special magic number for {k} is {v}.",
        "[What is the special magic number for {k}?|Which magic number belongs to {k}?]",
        "The special magic number for {k} is {v}.",
        2,
    ),
    (
        "The secret code of {k} is {v}.",
        "[What is the secret code of {k}?|Tell me the secret code of {k}.]",
        "The secret code of {k} is {v}.",
        2,
    ),
    (
        "Remember that {k} has the number {v}.",
        "[Which number does {k} have?|What is the number of {k}?]",
        "{k} has the number {v}.",
        1,
    ),
    (
        'The password for {k} is "{v}".',
        "[What is the password for {k}?|I forgot the password for {k}. What is it?]",
        'The password for {k} is "{v}".',
        1,
    ),
    ("{k}: {v}", "[What is written after {k}?|What does the text say about {k}?]", "{k}: {v}", 1),
]
HEADS = [
    (
        (
            "A special magic number is hidden within the following text. Make sure to memorize it. I will quiz you"
            " about the number afterwards.\n"
        ),
        6,
    ),
    (
        (
            "Some special magic numbers are hidden within the following text. Make sure to memorize them. I will quiz"
            " you about the numbers afterwards.\n"
        ),
        2,
    ),
    ("Read this text.\n\n", 2),
    ("Here is a long text. Some important things are hidden in it.\n\n", 2),
    ("", 1),
]


def value():
    kind = R.random()
    if kind < 0.75:
        return str(number(pick((3, 4, 4, 5, 6, 7, 7, 8))))
    if kind < 0.87:
        return invented_word()
    return f"{number(3)}-{number(4)}" if kind < 0.94 else f"{pick(COLORS)} {pick(ANIMALS)}"


def needle_conversation(size, keys=None, hay=haystack):
    """A text of about `size` tokens with needles, and questions for several of them: turns, the text in the first one.

    The more questions a text has, the more of its tokens teach to look something up. `keys` makes the names of the needles, `hay` the
    other sentences.
    """
    form, question, answer, _ = R.choices(NEEDLES, [needle[3] for needle in NEEDLES])[0]
    count = pick((1, 2, 3, 4, 4, 4, 5, 6, 8)) if size > 200 else pick((1, 2, 3, 4))
    needles, kind = [], value
    if chance(0.6):
        length = pick((4, 5, 6, 7, 7))
        kind = lambda: str(number(length))
    while len(needles) < count:
        new = keys() if keys else key()
        # Keys that share a part are told apart by the other one.
        if needles and not keys and chance(0.2) and "-" in needles[-1][0]:
            first, last = needles[-1][0].split("-")
            new = f"{first}-{invented_word()}" if chance(0.5) else f"{invented_word()}-{last}"
        if all(new != old for old, _ in needles):
            needles.append((new, kind()))
    sentences = hay(size)
    places = sorted(R.randint(0, len(sentences)) for _ in needles)
    for place, (k, v) in zip(reversed(places), reversed(needles)):
        sentences.insert(place, expand(form, k=k, v=v))
    text = pick((" ", " ", " ", "\n")).join(sentences)
    turns = []
    for index in sample(range(count), min(count, R.randint(1, 4) if size > 300 else R.randint(1, 2))):
        k, v = needles[index]
        by_place = not turns and count > 1 and form is NEEDLES[0][0] and chance(0.12) and not keys
        if by_place and index in (0, count - 1):
            word = "first" if index == 0 else "last"
            ask, reply = (
                f"What is the {word} special magic number in the text?",
                f"The {word} special magic number in the text is {v}.",
            )
        else:
            ask = expand(question, k=k, v=v)
            reply = v if chance(0.15) and len(turns) else expand(answer, k=k, v=v)
        turns.append(Turn(ask, reply, check=("contains", v)))
    if chance(0.04) and size < 1500 and not keys:
        missing = key()
        if all(missing != k for k, _ in needles):
            turns.append(Turn(expand(question, k=missing, v=""), f"The text does not mention {missing}."))
    head = R.choices([head for head, _ in HEADS], [weight for _, weight in HEADS])[0]
    if chance(0.06):
        turns[0].user = f"{turns[0].user}\n\n{text}"
    else:
        turns[0].user = f"{head}{text}\n{turns[0].user}" if chance(0.8) else f"{head}{text}\n\n{turns[0].user}"
    return turns


def needle_text(size):
    """The same as a text that is no conversation."""
    turns = needle_conversation(size)
    return "\n".join(
        f"{turn.user}\n{turn.answer}" if index == 0 else f"Question: {turn.user}\nAnswer: {turn.answer}"
        for index, turn in enumerate(turns)
    )


# MARK: Tables and JSON

COLUMNS = {
    "item": lambda: pick(THINGS),
    "price": lambda: R.randint(1, 999),
    "colour": lambda: pick(COLORS),
    "city": lambda: pick(CITIES),
    "age": lambda: R.randint(3, 95),
    "job": lambda: pick(JOBS),
    "pet": lambda: pick(ANIMALS),
    "food": lambda: pick(FOODS),
    "room": lambda: R.randint(1, 400),
    "code": lambda: invented_word(),
    "stock": lambda: R.randint(0, 500),
    "day": lambda: pick(DAYS),
    "phone": lambda: f"{number(3)}-{number(4)}",
}


def rows_of(count, columns):
    """Rows with distinct names."""
    names = []
    while len(names) < count:
        new = pick((name, name, made_up_name, lambda: cap(invented_word())))()
        if new not in names:
            names.append(new)
    return [{"name": each} | {column: COLUMNS[column]() for column in columns} for each in names]


def written(rows):
    """Rows as a table, in one of many forms, and the quote of each row: its line, below the head of the table if it has one."""
    columns, kind = list(rows[0]), R.random()
    if kind < 0.40:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        return "[" + ", ".join(lines) + "]" if kind < 0.25 else "\n".join(lines), lines
    if kind < 0.60:
        head, *lines = ("| " + " | ".join(map(str, cells)) + " |" for cells in [columns, *(row.values() for row in rows)])
        return "\n".join([head, "|" + "---|" * len(columns), *lines]), [f"{head}\n{line}" for line in lines]
    if kind < 0.80:
        head, *lines = (",".join(map(str, cells)) for cells in [columns, *(row.values() for row in rows)])
        return "\n".join([head, *lines]), [f"{head}\n{line}" for line in lines]
    lines = [row["name"] + ": " + ", ".join(f"{column} {row[column]}" for column in columns[1:]) for row in rows]
    return "\n".join(lines), lines


def quoting(user, answer, quote, value):
    """A turn that quotes a part of the text before it answers with the value. A small model finds the part and reads the value off
    it more surely than it finds the value at once."""
    return Turn(user, answer, quote, f"{quote}\n\n{answer}", check=("last line contains", value))


def stated(column, row, quote, marks=False):
    """The answer for one value of a row. With `marks`, an invented word of JSON is in quotation marks, so that it has the same tokens
    in the quote and in the answer."""
    value = f'"{row[column]}"'
    return f"The {column} of {row['name']} is {value if marks and column == 'code' and value in quote else row[column]}."


def read(rows, quotes, column, last):
    """A table from its beginning up to the row `last`, with the value of the column after each row."""
    *head, _ = quotes[0].split("\n")
    lines = [f"{quote.split(chr(10))[-1]}: {column} {row[column]}" for row, quote in zip(rows, quotes)]
    return "\n".join([f"{column} {last[column]}?", *head, *lines[: rows.index(last) + 1]])


def row_turn(rows, quotes, by_value=0.3, reads=False):
    """A question for one value of one row, or for the name that has a value. With `reads`, the answer then reads the table until the
    value is there."""
    row, quote = pick(list(zip(rows, quotes)))
    column = pick(list(row)[1:])
    values = [other[column] for other in rows]
    if values.count(row[column]) == 1 and chance(by_value):
        return quoting(
            expand("[Who has the {c} {v}?|Which name has the {c} {v}?]", c=column, v=row[column]),
            f"{row['name']} has the {column} {row[column]}.",
            read(rows, quotes, column, row) if reads else quote,
            row["name"],
        )
    user = expand(
        "[What is the {c} of {n}?|Which {c} does {n} have?|Tell me the {c} of {n}.|{n}: what is the {c}?]",
        c=column,
        n=row["name"],
    )
    return quoting(user, stated(column, row, quote, reads), quote, str(row[column]))


def table_conversation(count=None):
    """A table and questions for some of its values."""
    rows = rows_of(count or pick((2, 3, 4, 5, 6, 8, 10, 14)), sample(list(COLUMNS), R.randint(1, 4)))
    text, quotes = written(rows)
    turns = [row_turn(rows, quotes) for _ in range(pick((1, 2, 3, 5)))]
    if chance(0.06):
        missing, column = cap(invented_word()), list(rows[0])[1]
        turns.append(Turn(f"What is the {column} of {missing}?", f"I do not know. {missing} is not in the table."))
    if chance(0.08) and len(rows) <= 10:
        turns.append(
            Turn(
                "How many rows does the table have?",
                f"The table has {NUMW[len(rows)]} rows.",
                ", ".join(f"{index} {row['name']}" for index, row in enumerate(rows, 1)),
            )
        )
    head = expand("[Here is a table:\n|Look at this table.\n\n|Use this data:\n||Table:\n]")
    turns[0].user = f"{head}{text}\n\n{turns[0].user}" if chance(0.8) else f"{turns[0].user}\n\n{text}"
    return turns


def dictionary_conversation(count=None):
    """One JSON object with keys and values."""
    pairs = {}
    while len(pairs) < (count or pick((2, 3, 4, 6, 8, 12))):
        pairs[key() if chance(0.5) else pick(THINGS + FOODS + ANIMALS)] = value() if chance(0.5) else R.randint(1, 9999)
    turns = []
    for k in sample(list(pairs), min(len(pairs), pick((1, 1, 2, 3)))):
        turns.append(
            Turn(
                expand(
                    '[What is the value of "{k}"?|What is the value of {k}?|Look up {k}.|Which value does {k} have?]',
                    k=k,
                ),
                f"The value of {k} is {pairs[k]}.",
                check=("contains", str(pairs[k])),
            )
        )
    turns[0].user = (
        expand("[Here is some JSON:\n|JSON:\n||Read this object.\n]")
        + json.dumps(pairs, indent=pick((None, None, 2)), ensure_ascii=False)
        + "\n\n"
        + turns[0].user
    )
    return turns


# MARK: Reading comprehension


class Person:
    """Someone in a text, with sentences that tell something and questions for it."""

    def __init__(self, name, others):
        self.name = name
        self.he = "she" if name in GIRLS else "he"
        friend = pick([other for other in others if other != name] or ["a friend"])
        thing, colour, animal, pet = pick(THINGS), pick(COLORS), pick(ANIMALS), pick(NAMES)
        place, day, job, food, town, count = (
            pick(PLACES),
            pick(DAYS),
            pick(JOBS),
            pick(MASS),
            pick(CITIES),
            R.randint(2, 30),
        )
        n = name
        facts = [
            (
                f"{n} is {an(job)}.",
                [(f"What is {n}'s job?", f"{n} is {an(job)}.", job), (f"What does {n} do?", f"{n} is {an(job)}.", job)],
            ),
            (
                f"{n} has {an(colour)} {thing}.",
                [
                    (f"What colour is {n}'s {thing}?", f"{n}'s {thing} is {colour}.", colour),
                    (f"What does {n} have?", f"{n} has {an(colour)} {thing}.", thing),
                ],
            ),
            (
                f"{n}'s {animal} is called {pet}.",
                [
                    (f"What is the name of {n}'s {animal}?", f"{n}'s {animal} is called {pet}.", pet),
                    (f"Who has {an(animal)} called {pet}?", f"{n} has {an(animal)} called {pet}.", n),
                ],
            ),
            (
                f"On {day}, {n} went to the {place}.",
                [
                    (f"Where did {n} go on {day}?", f"{n} went to the {place} on {day}.", place),
                    (f"When did {n} go to the {place}?", f"{n} went to the {place} on {day}.", day),
                ],
            ),
            (f"{n} likes to eat {food}.", [(f"What does {n} like to eat?", f"{n} likes to eat {food}.", food)]),
            (
                f"{n} lives in {town}.",
                [
                    (f"Where does {n} live?", f"{n} lives in {town}.", town),
                    (f"In which city does {n} live?", f"{n} lives in {town}.", town),
                ],
            ),
            (f"{n} found {count} coins.", [(f"How many coins did {n} find?", f"{n} found {count} coins.", str(count))]),
            (
                f"{n} gave {an(thing)} to {friend}.",
                [
                    (f"What did {n} give to {friend}?", f"{n} gave {an(thing)} to {friend}.", thing),
                    (f"Who got {an(thing)} from {n}?", f"{cap(friend)} got {an(thing)} from {n}.", cap(friend)),
                ],
            ),
        ]
        self.facts = sample(facts, R.randint(1, 4))
        self.untold = [fact for fact in facts if fact not in self.facts]


def told(people, filler):
    """The text about the people: their sentences, with others between them."""
    groups = [[sentence for sentence, _ in person.facts] for person in people]
    if chance(0.5):
        sentences = [sentence for group in groups for sentence in group]
        R.shuffle(sentences)
    else:
        sentences = [sentence for group in groups for sentence in group]
    for _ in range(filler):
        sentences.insert(R.randint(0, len(sentences)), scene())
    return " ".join(sentences)


def comprehension(people_count=None, filler=None):
    """A text about some people, and questions that it answers, or does not."""
    names = sample(NAMES, people_count or pick((1, 2, 2, 3, 3, 4, 5)))
    if chance(0.2):
        names[0] = made_up_name()
    people = [Person(each, names) for each in names]
    text = told(people, pick((0, 0, 1, 2, 4)) if filler is None else filler)
    turns = []
    for _ in range(pick((1, 2, 3, 5))):
        person = pick(people)
        if chance(0.14) and person.untold:
            # About what nobody told; a question for a name alone would have several answers.
            question = pick(person.untold)[1][0][0]
            turns.append(Turn(question, "The text does not say.", check=("contains", "does not say")))
            continue
        sentence, questions = pick(person.facts)
        question, answer, right = pick(questions)
        turns.append(quoting(question, answer, f"The text says: {sentence}", right))
    head = expand("[Read this story and answer the question.\n\n|Text: ||Read this: |Here is a text.\n]")
    turns[0].user = f"{head}{text}\n\n{turns[0].user}" if chance(0.85) else f"{turns[0].user}\n\n{text}"
    return turns


def story_question():
    """A question about a story of the usual kind."""
    text, v = story()
    options = [("Who is the story about?", f"The story is about {v['n']}.", v["n"])]
    if v["m"] in text:
        options.append(
            (f"Who is {v['m']}?", f"{v['m']} is {an(v['b'])}.", v["b"])
            if f" {v['b']} named {v['m']}" in text or f"{v['m']} the {v['b']}" in text
            else options[0]
        )
    if f"a {v['adj']} {v['a']}" in text or f"an {v['adj']} {v['a']}" in text:
        options.append((f"What kind of {v['a']} is {v['n']}?", f"{v['n']} is {an(v['adj'])} {v['a']}.", v["adj"]))
    if f"{v['c']} {v['t']}" in text:
        options.append((f"What colour is the {v['t']}?", f"The {v['t']} is {v['c']}.", v["c"]))
    question, answer, right = pick(options)
    head = expand("[Read this story and answer the question.\n\n|Story: ||Here is a story.\n]")
    return [Turn(f"{head}{text}\n\n{question}", answer, check=("contains", right))]


def missing_thing():
    """Two lists, one of which lacks something: a question whose answer is not in one place."""
    things = sample(THINGS, R.randint(3, 5))
    person = pick(NAMES)
    user = f"{person} has {join_and([an(thing) for thing in things])}. Does {person} have "
    thing = pick(things) if chance(0.5) else pick([x for x in THINGS if x not in things])
    answer = f"Yes, {person} has {an(thing)}." if thing in things else f"No, {person} does not have {an(thing)}."
    return [Turn(user + an(thing) + "?", answer)]


def lookup(size=None):
    """Turns about something that is in the first one."""
    kind = R.random()
    if kind < 0.36:
        return needle_conversation(size or R.choices((60, 150, 300, 600), (2, 4, 4, 3))[0] * (0.5 + R.random()))
    if kind < 0.57:
        return table_conversation()
    if kind < 0.65:
        return dictionary_conversation()
    if kind < 0.90:
        return comprehension()
    return story_question() if kind < 0.97 else missing_thing()
