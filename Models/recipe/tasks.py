"""Facts, talk, stories, what the model does not know: questions of one turn."""

from language import an, cap, chance, expand, invented_word, join_and, made_up_name, name, number, pick, R, sample
from lists import WORDS
from stories import story
from sums import addition, subtraction
from talk import TALK
from turn import Turn
from words import (
    ANIMALS,
    BABIES,
    BOYS,
    CAPITALS,
    COLOR_OF,
    COLORS,
    DAYS,
    DEEDS,
    DEF,
    FAMOUS,
    FAR_COUNTRIES,
    FOODS,
    GIRLS,
    HARD_NOUNS,
    HEROES,
    HOMES,
    JOKES,
    LEGS,
    MIX,
    MONTHS,
    NAMES,
    NUMW,
    OPP,
    PLACES,
    PLURAL,
    POEMS,
    RHYME,
    SOUNDS,
    THINGS,
    UNKNOWN,
    WHY,
)


def counting():
    kind = R.random()
    if kind < 0.45:
        first = pick((1, 1, 1, R.randint(2, 40)))
        last = first + R.randint(3, 12)
        user = (
            f"Count from {first} to {last}."
            if first > 1 or chance(0.5)
            else expand("[Count to {b}.|Can you count to {b}?]", b=last)
        )
        return Turn(user, ", ".join(map(str, range(first, last + 1))), closed=True)
    if kind < 0.55:
        first = R.randint(4, 12)
        return Turn(
            expand("[Count down from {a}.|Count backwards from {a} to 1.]", a=first),
            ", ".join(map(str, range(first, 0, -1))),
            closed=True,
        )
    if kind < 0.8:
        step, first = R.randint(1, 12), R.randint(0, 60)
        numbers = [first + index * step for index in range(4)]
        return Turn(
            f"What comes next: {', '.join(map(str, numbers))}?",
            f"The next number is {numbers[-1] + step}.",
            f"{numbers[1]} - {numbers[0]}:\n{subtraction(numbers[1], numbers[0])}\n"
            f"{numbers[-1]} + {step}:\n{addition(numbers[-1], step)}",
        )
    a, b = number(R.randint(1, 3)), number(R.randint(1, 3))
    b += a == b
    word = pick(("larger", "smaller"))
    result = max(a, b) if word == "larger" else min(a, b)
    return Turn(
        expand("Which [number |]is {w}, {a} or {b}?", w=word, a=a, b=b),
        f"{result} is {word}.",
        f"{max(a, b)} is larger than {min(a, b)}.",
    )


ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()


def calendar():
    kind = R.random()
    names, word = (DAYS, "day") if chance(0.5) else (MONTHS, "month")
    index, count = R.randrange(len(names)), len(names)
    if kind < 0.3:
        return Turn(
            expand("[What|Which] {w} comes after {x}?", w=word, x=names[index]),
            f"{names[(index + 1) % count]} comes after {names[index]}.",
            closed=True,
        )
    if kind < 0.55:
        return Turn(
            expand("[What|Which] {w} comes before {x}?", w=word, x=names[index]),
            f"{names[index - 1]} comes before {names[index]}.",
            closed=True,
        )
    if kind < 0.7:
        return Turn(f"Is {names[index]} a day or a month?", f"{names[index]} is a {word}.", closed=True)
    if kind < 0.85:
        return Turn(
            f"If today is {DAYS[index % 7]}, what day is tomorrow?",
            f"Tomorrow is {DAYS[(index + 1) % 7]}.",
            closed=True,
        )
    month = R.randrange(12)
    return Turn(
        f"What is the {ORDINALS[month]} month of the year?",
        f"The {ORDINALS[month]} month is {MONTHS[month]}.",
        closed=True,
    )


def animals():
    kind = R.randrange(5)
    if kind == 0:
        animal = pick(list(SOUNDS))
        return Turn(
            expand("[What does {a} say?|What sound does {a} make?]", a=an(animal)),
            f"{cap(an(animal))} says {SOUNDS[animal]}.",
            closed=True,
        )
    if kind == 1:
        animal = pick(list(LEGS))
        return Turn(
            f"How many legs does {an(animal)} have?",
            f"{cap(an(animal))} has {NUMW[LEGS[animal]]} legs." if LEGS[animal] else f"{cap(an(animal))} has no legs.",
            closed=True,
        )
    if kind == 2:
        animal = pick(list(HOMES))
        return Turn(f"Where does {an(animal)} live?", f"{cap(an(animal))} lives in {HOMES[animal]}.", closed=True)
    if kind == 3:
        animal = pick(list(BABIES))
        return Turn(
            expand("What is a [young|baby] {a} called?", a=animal),
            f"A young {animal} is called a {BABIES[animal]}.",
            closed=True,
        )
    return Turn(
        expand("[Name|Tell me] [three|3] animals."),
        expand("[Three animals are|Here are three animals:] ") + join_and(sample(ANIMALS, 3)) + ".",
        check=("none", ""),
        closed=True,
    )


def colours():
    kind = R.random()
    if kind < 0.5:
        thing = pick(list(COLOR_OF))
        return Turn(
            expand("[What|Which] [colour|color] is {a}?", a=thing), f"{cap(thing)} is {COLOR_OF[thing]}.", closed=True
        )
    if kind < 0.8:
        (a, b), mixed = pick(list(MIX.items()))
        if chance(0.5):
            a, b = b, a
        return Turn(
            expand("[What colour do you get when you mix {a} and {b}?|What is {a} and {b} mixed?]", a=a, b=b),
            f"{cap(a)} and {b} make {mixed}.",
            closed=True,
        )
    return Turn(
        expand("[Name|Tell me] [three|3] [colours|colors]."),
        cap(join_and(sample(COLORS, 3))) + expand(" are [three |]colours."),
        check=("none", ""),
        closed=True,
    )


ONLY_CAPITALS = [country for country in CAPITALS if list(CAPITALS.values()).count(CAPITALS[country]) == 1]


def capital():
    country = pick(list(CAPITALS))
    city = CAPITALS[country]
    user = expand(
        "[What is the capital of {c}?|What is the capital of {c}?|What's the capital of {c}?|Tell me the capital of"
        " {c}.|Which city is the capital of {c}?|capital of {c}?|Do you know the capital of {c}?]",
        c=country,
    )
    reasoning = (
        expand("[The user asks for the capital of {c}.|I know this: {x} is the capital of {c}.]", c=country, x=city)
        if chance(0.3)
        else None
    )
    return Turn(
        user,
        expand("[The capital of {c} is {x}.|The capital of {c} is {x}.|{x} is the capital of {c}.]", c=country, x=city),
        reasoning,
        check=("contains", city),
        closed=True,
    )


def fact():
    kind = R.random()
    if kind < 0.42:
        return capital()
    if kind < 0.5:
        country = pick(ONLY_CAPITALS)
        user = expand("[{x} is the capital of which country?|Which country has the capital {x}?]", x=CAPITALS[country])
        return Turn(user, f"{CAPITALS[country]} is the capital of {country}.", closed=True)
    if kind < 0.72:
        question = pick(list(WHY))
        return Turn(question, WHY[question], closed=True)
    if kind < 0.88:
        thing = pick(list(DEF))
        user = expand("[What is {d}?|What's {d}?|Explain what {d} is.|Tell me what {d} is.|Define {d}.]", d=thing)
        return Turn(user, f"{cap(thing)} is {DEF[thing]}.", closed=True)
    if kind < 0.94:
        a, b = pick(list(OPP.items()))
        if chance(0.4) and OPP.get(b, a) == a:
            a, b = b, a
        return Turn(expand('What is the opposite of ["{a}"|{a}]?', a=a), f"The opposite of {a} is {b}.", closed=True)
    if kind < 0.97:
        word = pick(list(PLURAL))
        return Turn(f"What is the plural of {word}?", f"The plural of {word} is {PLURAL[word]}.", closed=True)
    word = pick(list(RHYME))
    return Turn(
        expand("[What rhymes with {a}?|Find a rhyme for {a}.]", a=word),
        f"{cap(RHYME[word])} rhymes with {word}.",
        closed=True,
    )


TALK_VALUES = {"a": ["cat", "dog", "owl", "penguin", "rabbit", "whale", "horse", "bee"]}


def talk():
    # The first rows, greetings and "who are you", are what newcomers try.
    user, answer = pick(TALK[:7] + TALK)
    if answer is None:
        return Turn(expand(user), pick(JOKES), check=("one of", JOKES), closed=True)
    values = {"c": pick(COLORS), "a": pick(TALK_VALUES["a"]), "f": pick(FOODS)}
    return Turn(expand(user), expand(answer, **values).strip(), check=("pattern", answer), closed=True)


def who():
    return Turn(
        expand(
            "[Who are you?|What are you?|What is your name?|What's your name?|Tell me about yourself.|Introduce"
            " yourself.]"
        ),
        expand("[I am Tiny, a very small language model.|My name is Tiny. I am a tiny language model.]"),
        check=("contains", "Tiny"),
        closed=True,
    )


KINDS = ANIMALS + ["boy", "girl"] + HEROES


def ask_story():
    kind = R.random()
    if kind < 0.22:
        text, values = story()
        user = expand(
            "[Tell me a story.|Tell me a story|Tell me a short story.|Write a short story.|Can you tell me a story?|I"
            " want to hear a story.|Once more, a story please.|Write a story|Another story please]"
        )
        return Turn(user, text, check=("story", ""), closed=True)
    if kind < 0.55:
        animal = pick(KINDS)
        text, values = story(kind=animal)
        user = expand(
            "[Tell me a story about {a}.|Write a [short |]story about {a}.|Can you tell me a story about {a}?|A story"
            " about {a} please|Tell me a [short|nice|funny] story about {a}.|story about {a}]",
            a=an(animal),
        )
        if chance(0.15):
            user = expand(
                "[Tell me a story about {a} who [learns to love|wants a friend|lost a {t}|can fly|is afraid of the"
                " dark|loves {f}|lives on the moon].|Write a story about {a} and {b}.|Write a long story about {a}.]",
                a=an(animal),
                b=an(pick(ANIMALS)),
                t=pick(THINGS),
                f=pick(FOODS),
            )
        return Turn(user, text, check=("story", animal), closed=True)
    if kind < 0.8:
        animal = pick(KINDS)
        hero = pick(
            BOYS if animal == "boy" else GIRLS if animal in ("girl", "princess", "queen", "witch", "fairy") else NAMES
        )
        text, values = story(kind=animal, who=hero)
        user = expand(
            "[Tell me a story about {a} named {n}.|Write a [short |]story about {a} called {n}.|Tell me about {n} the"
            " {x}.]",
            a=an(animal),
            x=animal,
            n=hero,
        )
        return Turn(user, text, check=("story", hero))
    if kind < 0.9:
        thing = pick(THINGS)
        text, values = story(thing=thing)
        return Turn(
            expand("[Tell me a story with a {t}.|Write a story about a {t}.]", t=thing),
            text,
            check=("story", ""),
            closed=True,
        )
    place = pick(PLACES)
    text, values = story(place=place)
    user = expand(
        "[Tell me a story about a {p}.|Write a story that happens in a {p}.|Tell me a bedtime story.|Once upon a"
        " time|Tell me a fairy tale about {x}.]",
        p=place,
        x=pick(
            [
                "friendship",
                "courage",
                "love",
                "winter",
                "school",
                "sharing",
                "magic",
                "a race",
                "a storm",
                "the moon",
                "kindness",
                "a dream",
            ]
        ),
    )
    return Turn(user, text, check=("story", ""), closed=True)


def poem():
    if chance(0.3):
        x = pick(
            [
                "love",
                "a robot",
                "my mother",
                "autumn",
                "a horse",
                "coffee",
                "cheese",
                "the city",
                "a train",
                "music",
                "a dragon",
                "the night",
                "school",
                "a mountain",
                "time",
                "life",
            ]
        )
        return Turn(
            expand("[Write|Tell me] a [poem|haiku|song|rhyme] about {x}.", x=x),
            f"I only know a few poems. Here is one:\n\n{POEMS[pick(list(POEMS))]}",
            check=("contains", "I only know a few poems"),
            closed=True,
        )
    title = pick(list(POEMS))
    about = expand("[the {t}|a {t}]", t=title) if title not in ("rain", "winter", "spring") else title
    if chance(0.8):
        user = expand(
            "[Write a poem about {t}.|Write a short poem about {t}.|Can you write a poem about {t}?|Tell me a poem"
            " about {t}.]",
            t=about,
        )
        return Turn(user, POEMS[title], closed=True)
    return Turn(
        expand("[Write a poem.|Tell me a poem.|Write me a short poem|Do you know a poem?]"),
        POEMS[title],
        check=("one of", list(POEMS.values())),
        closed=True,
    )


REFUSES = ("contains any", ["tiny model", "too small", "do not know"])


def unknown():
    kind = R.random()
    if kind < 0.3:
        x = pick(DEEDS)
        user = expand(
            "[Can you {x}?|How do I {x}?|Please {x}.|Help me to {x}.|I want to {x}.|Explain how to {x}.|Could you"
            " {x}?|How can I {x}?|{X}.]",
            x=x,
            X=cap(x),
        )
        answer = "I am sorry, I am a tiny model and I cannot do that."
        if "my" not in x and "me" not in x:
            answer = expand(
                "[I am sorry, I am a tiny model and I cannot do that.|I am too small for that, sorry. I can tell a"
                " story or do a small sum.|Sorry, that is too hard for a tiny model like me.|I am only a tiny model. I"
                " do not know how to {x}.]",
                x=x,
            )
        return Turn(user, answer, check=REFUSES, closed=True)
    if kind < 0.45:
        x = pick(HARD_NOUNS) if chance(0.6) else an(made_up_name().lower())
        user = expand("[What is {x}?|Explain what {x} is.|Tell me what {x} is.|What's {x}?|Define {x}.]", x=x)
        return Turn(
            user,
            expand(
                "[I am a tiny model and I do not know what {x} is.|I am sorry, I do not know what {x} is. I am only a"
                " tiny model.]",
                x=x,
            ),
            check=REFUSES,
        )
    if kind < 0.55:
        x = pick(FAR_COUNTRIES) if chance(0.5) else made_up_name()
        user = expand(
            "[What is the capital of {x}?|What's the capital of {x}?|Tell me the capital of {x}.|Which city is the"
            " capital of {x}?]",
            x=x,
        )
        return Turn(
            user,
            expand(
                "[I am sorry, I am a tiny model and I do not know the capital of {x}.|I do not know the capital of {x}."
                " I am only a tiny model.]",
                x=x,
            ),
            check=REFUSES,
        )
    if kind < 0.62:
        x = pick(FAMOUS) if chance(0.6) else made_up_name()
        user = expand("[Who is {x}?|Who was {x}?|Tell me about {x}.|When did {x} live?|Where does {x} live?]", x=x)
        return Turn(
            user,
            expand(
                "[I am a tiny model and I do not know much about {x}.|I am sorry, I am only a tiny model and do not"
                " know {x}.]",
                x=x,
            ),
            check=REFUSES,
        )
    x = (
        pick(UNKNOWN)
        if chance(0.6)
        else expand(
            "[the {a} of {b}|{b} {c}|{c}]",
            a=pick(["history", "price", "meaning", "future", "rules"]),
            b=made_up_name(),
            c=made_up_name().lower(),
        )
    )
    user = expand(
        "[Explain {x}.|Tell me about {x}.|What do you know about {x}?|Can you help me with {x}?|Write [a text|an"
        " essay|a report] about {x}.|How does {x} work?|What do you think about {x}?|Teach me {x}.|I have a question"
        " about {x}.|Give me details about {x}.]",
        x=x,
    )
    reasoning = expand("[This is too hard for a tiny model.|I do not know enough about this.]") if chance(0.4) else None
    answer = expand(
        "[I am sorry, I am a tiny model and I do not know much about {x}.|I am only a tiny model, so I cannot help with"
        " {x}.|Sorry, {x} is too hard for a tiny model like me.|I am a tiny model. I do not know enough about {x}.]",
        x=x,
    )
    return Turn(user, answer, reasoning, check=REFUSES)


def repeat():
    kind = R.random()
    if kind < 0.5:
        text = " ".join(sample(WORDS, R.randint(2, 4)))
        if chance(0.45):
            text = " ".join(invented_word() for _ in range(R.randint(1, 3)))
        elif chance(0.5):
            text = expand(
                "[I like {a}s.|The {a} is {c}.|{n} has a {t}.|Hello {n}!]",
                a=pick(ANIMALS),
                c=pick(COLORS),
                n=name(),
                t=pick(THINGS),
            )
        return Turn(expand("[Repeat after me|Repeat|Say|Repeat this|Echo]: ") + text, text)
    if kind < 0.8:
        word = pick([x for x in WORDS if len(x) < 7])
        return Turn(
            expand("[Spell the word {w}.|How do you spell {w}?|Spell {w}.]", w=word),
            "-".join(word.upper()),
            closed=True,
        )
    n = name()
    return Turn(
        expand("[Say hello to {n}.|Greet {n}.|Say hi to my friend {n}.]", n=n),
        expand("[Hello, {n}!|Hi {n}, nice to meet you!|Hello {n}, how are you?]", n=n),
        check=("contains", n),
    )
