"""Lists to sort, to reverse and to ask about."""

from language import chance, expand, number, pick, R, sample
from turn import Turn
from words import ANIMALS, COLORS, FOODS, NUMW, PLACES, THINGS

MORE_WORDS = (
    "sun moon star rain snow tree house king yes hello water jam lemon onion yard vase ink egg nest zoo".split()
)
WORDS = sorted(set(ANIMALS + COLORS + THINGS + FOODS + PLACES + MORE_WORDS))


def selection(keys, words):
    """Sorting by selection, written out: the keys that are left, the smallest of them, and its word."""
    lines, left = [", ".join(f"{key} {word}" for key, word in zip(keys, words))], list(zip(keys, words))
    while left:
        smallest = min(left)
        lines.append(", ".join(key for key, _ in left) + f": {smallest[0]} {smallest[1]}")
        left.remove(smallest)
    return "\n".join(lines)


def sort_words(count=None):
    """Words with different first letters, or sometimes with equal ones; then two letters are compared."""
    by_letter = {}
    for word in R.sample(WORDS, 60):
        by_letter.setdefault(word[0], []).append(word)
    count = count or R.randint(3, 6)
    words = [group[0] for group in R.sample(list(by_letter.values()), count)]
    letters = 1
    if chance(0.2):
        groups = [group for group in by_letter.values() if len({word[:2] for word in group}) > 1]
        if groups:
            group = pick(groups)
            other = next(word for word in group if word[:2] != group[0][:2])
            words = [word for word in words if word[0] != group[0][0]][: count - 2] + [group[0], other]
            R.shuffle(words)
            letters = 2
    ordered = sorted(words)
    user = expand(
        "[Sort these words|Sort these words [alphabetically|from A to Z]|Put these words in alphabetical order|Sort the"
        " list]: "
    ) + ", ".join(words)
    steps = selection([" ".join(word[:letters]) for word in words], words)
    answer = ", ".join(ordered)
    return Turn(user, answer, steps, worked=f"{steps}\n\n{answer}", check=("last line", answer))


def sort_numbers():
    numbers = list(dict.fromkeys(number(pick((1, 2))) for _ in range(R.randint(3, 6))))
    descending = chance(0.25)
    left, lines = list(numbers), []
    while left:
        best = max(left) if descending else min(left)
        lines.append(" ".join(map(str, left)) + f": {best}")
        left.remove(best)
    user = "Sort these numbers" + (" from large to small" if descending else "") + ": " + ", ".join(map(str, numbers))
    answer, steps = ", ".join(map(str, sorted(numbers, reverse=descending))), "\n".join(lines)
    return Turn(user, answer, steps, worked=f"{steps}\n\n{answer}", check=("last line", answer))


def reverse():
    words = sample(WORDS, R.randint(3, 6))
    pairs = [f"{index} {word}" for index, word in enumerate(words, 1)]
    user = expand(
        "[Reverse this list|Reverse the order of these words|Reverse the list|Write these words in reverse order]: "
    ) + ", ".join(words)
    return Turn(user, ", ".join(words[::-1]), ", ".join(pairs) + "\n" + ", ".join(pairs[::-1]))


def upper_case():
    words = sample(WORDS, R.randint(1, 4))
    user = expand(
        "[Write [this|these] in upper case|Uppercase|Make this uppercase|Write in capital letters]: "
    ) + ", ".join(words)
    return Turn(user, ", ".join(words).upper(), closed=len(words) == 1)


def list_question():
    words = sample(WORDS, R.randint(3, 6))
    text, kind = ", ".join(words), R.random()
    if kind < 0.4:
        return Turn(
            f"How many words are in this list: {text}?",
            f"There are {NUMW[len(words)]} words in the list.",
            "I count them: " + ", ".join(f"{index} {word}" for index, word in enumerate(words, 1)),
        )
    if kind < 0.7:
        return Turn(f"What is the first word in this list: {text}?", f"The first word is {words[0]}.")
    return Turn(f"What is the last word in this list: {text}?", f"The last word is {words[-1]}.")


def lists():
    kind = R.random()
    if kind < 0.40:
        return sort_words()
    if kind < 0.55:
        return sort_numbers()
    if kind < 0.72:
        return reverse()
    return upper_case() if kind < 0.86 else list_question()
