"""Random choices and sentence patterns. All randomness is that of `R`, which a process seeds once for each file it writes."""

import random
from functools import lru_cache

from words import CITIES, NAMES, PLURAL, SYLLABLES

R = random.Random()


def pick(items):
    """One of a list."""
    return items[int(R.random() * len(items))]


def chance(probability):
    return R.random() < probability


def sample(items, count):
    return R.sample(items, count)


def weighted(pairs):
    """One of [(item, weight), ...]."""
    items, weights = zip(*pairs)
    return R.choices(items, weights)[0]


@lru_cache(maxsize=None)
def _parse(template):
    """A pattern as a list of texts, names of values (in a tuple) and choices (in a list)."""
    position = 0

    def sequence(ends):
        nonlocal position
        parts, text = [], []
        while position < len(template) and template[position] not in ends:
            character = template[position]
            position += 1
            if character == "[":
                parts, text = parts + ["".join(text)] * bool(text), []
                choices = []
                while True:
                    choices.append(sequence("|]"))
                    position += 1
                    if template[position - 1] == "]":
                        break
                parts.append(choices)
            elif character == "{":
                parts, text = parts + ["".join(text)] * bool(text), []
                end = template.index("}", position)
                parts.append((template[position:end],))
                position = end + 1
            else:
                text.append(character)
        return parts + ["".join(text)] * bool(text)

    return sequence("")


def expand(template, /, **values):
    """Replaces `[a|b|]` by one of the alternatives and `{name}` by a value."""
    output = []

    def add(parts):
        for part in parts:
            if type(part) is str:
                output.append(part)
            elif type(part) is tuple:
                output.append(str(values[part[0]]))
            else:
                add(pick(part))

    add(_parse(template))
    return "".join(output)


def tokens(text):
    """About the tokens of a text: a digit is one, and other characters are three to a token."""
    digits = sum(map(str.isdigit, text))
    return digits + (len(text) - digits) // 3


def cap(text):
    return text[:1].upper() + text[1:]


def an(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def plural(noun):
    return PLURAL.get(noun, noun + "s")


def join_and(items):
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


ONSETS = (
    "b c d f g h j k l m n p r s t v w z bl br ch cl cr dr fl fr gl gr pl pr sh sl sm sn sp st str sw th tr tw".split()
)
VOWELS = "a e i o u a e i o u ai ea ee oa oo ou ie ay".split()
CODAS = [
    "",
    "",
    "",
] + "b ck d g k l ll m n nd ng nt p r rd rk rm rn s ss st t th x y le er on ing et ow ish ard".split()


def invented_word():
    """A word that is in no list, such as "plandreck": keys of look-ups must be copied, not remembered."""
    return "".join(pick(ONSETS) + pick(VOWELS) + pick(CODAS) for _ in range(pick((1, 2, 2, 3))))


def made_up_name():
    return cap(
        "".join(pick(SYLLABLES) for _ in range(pick((2, 2, 3)))) + pick(["", "", "n", "s", "r", "ton", "ville", "x"])
    )


def name():
    return made_up_name() if chance(0.12) else pick(NAMES)


def city():
    return made_up_name() if chance(0.15) else pick(CITIES)


def number(digits):
    """A number with so many digits, without zeros in front."""
    return R.randint(0 if digits == 1 else 10 ** (digits - 1), 10**digits - 1)
