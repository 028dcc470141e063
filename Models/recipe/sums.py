"""Sums, written out."""

from language import chance, expand, join_and, number, pick, R, sample
from turn import Turn
from words import NAMES

PLACES_OF_DIGITS = ("ones", "tens", "hundreds", "thousands", "ten thousands", "hundred thousands")


def addition(a, b):
    """The sum of two numbers written out, digit by digit."""
    lines, carry = [], 0
    first, second = (str(a)[::-1], str(b)[::-1])
    for index in range(max(len(first), len(second))):
        x = int(first[index]) if index < len(first) else 0
        y = int(second[index]) if index < len(second) else 0
        total = x + y + carry
        lines.append(
            f"{PLACES_OF_DIGITS[index]}: {x} + {y}"
            + (" + 1" if carry else "")
            + f" = {total}, put {total % 10}"
            + (", carry 1" if total > 9 else "")
        )
        carry = total // 10
    if carry:
        lines.append("carry: put 1")
    return "\n".join(lines) + f"\nresult: {a + b}"


def subtraction(a, b):
    """The difference of two numbers, the first not smaller, written out. A digit is taken from a teen after borrowing."""
    lines, borrow = [], 0
    first, second = (str(a)[::-1], str(b)[::-1])
    for index in range(len(first)):
        x, y = int(first[index]), int(second[index]) if index < len(second) else 0
        rest = f"- {y}" + (" - 1" if borrow else "")
        value = x - y - borrow
        if value < 0:
            lines.append(
                f"{PLACES_OF_DIGITS[index]}: {x} {rest} < 0, {x + 10} {rest} = {value + 10}, put {value + 10}, borrow 1"
            )
        else:
            lines.append(f"{PLACES_OF_DIGITS[index]}: {x} {rest} = {value}, put {value}")
        borrow = int(value < 0)
    return "\n".join(lines) + f"\nresult: {a - b}"


def sum_turn(user, steps, answer, value):
    return Turn(
        user,
        answer,
        reasoning=steps,
        worked=f"{steps}\n\n{answer}" if "\n" in steps else None,
        check=("last number", str(value)),
    )


def digits():
    return R.choices((1, 2, 3, 4), (6, 9, 10, 4))[0]


def add(a=None, b=None):
    a, b = number(digits()) if a is None else a, number(digits()) if b is None else b
    value = a + b
    user = expand(
        "[What is {a} + {b}?|What is {a} + {b}?|{a} + {b}|{a}+{b}|{a} + {b} = ?|What is {a} plus {b}?|Calculate {a} +"
        " {b}.|Add {a} and {b}.|How much is {a} + {b}?|Please compute {a} + {b}|And what is {a} + {b}?|What's {a} +"
        " {b}?]",
        a=a,
        b=b,
    )
    answer = expand("[{a} + {b} = {v}|{a} + {b} = {v}.|The answer is {v}.|{a} plus {b} is {v}.]", a=a, b=b, v=value)
    return sum_turn(user, addition(a, b) if max(a, b) > 9 else f"{a} + {b} = {value}", answer, value)


def subtract(a=None, b=None):
    a, b = number(digits()) if a is None else a, number(digits()) if b is None else b
    if a < b and chance(0.93):
        a, b = b, a
    value = a - b
    user = expand(
        "[What is {a} - {b}?|What is {a} - {b}?|{a} - {b}|{a}-{b}|{a} - {b} = ?|What is {a} minus {b}?|Calculate {a} -"
        " {b}.|Subtract {b} from {a}.|And what is {a} - {b}?|How much is {a} - {b}?]",
        a=a,
        b=b,
    )
    answer = expand("[{a} - {b} = {v}|{a} - {b} = {v}.|The answer is {v}.|{a} minus {b} is {v}.]", a=a, b=b, v=value)
    if a >= b:
        steps = subtraction(a, b) if a > 9 else f"{a} - {b} = {value}"
    else:
        steps = f"{b} is larger than {a}, so the result is negative.\n" + (
            subtraction(b, a) if b > 9 else f"{b} - {a} = {b - a}"
        )
    return sum_turn(user, steps, answer, value)


def long_sum():
    """Three or four numbers, added one after the other."""
    numbers = [number(R.choices((1, 2, 3), (2, 4, 3))[0]) for _ in range(pick((3, 3, 4)))]
    total, steps = numbers[0], []
    for value in numbers[1:]:
        steps.append(f"{total} + {value}:\n" + addition(total, value))
        total += value
    text = " + ".join(map(str, numbers))
    user = expand(
        "[What is {t}?|{t}|Calculate {t}.|Add {l}.|How much is {t}?]", t=text, l=join_and(list(map(str, numbers)))
    )
    return sum_turn(
        user, "\n".join(steps), expand("[{t} = {v}|The answer is {v}.|The sum is {v}.]", t=text, v=total), total
    )


def multiply():
    a, b = R.randint(0, 10), R.randint(0, 10)
    user = expand("[What is {a} times {b}?|{a} * {b}|{a} x {b}|What is {a} * {b}?|Multiply {a} by {b}.]", a=a, b=b)
    answer = expand("[{a} * {b} = {r}|{a} times {b} is {r}.|The answer is {r}.]", a=a, b=b, r=a * b)
    return Turn(user, answer, f"{a} * {b} = {a * b}", check=("last number", str(a * b)), closed=True)


def word_problem():
    n, m = sample(NAMES, 2)
    things = pick("apples books balls cookies stones shells coins eggs toys nuts".split())
    a, b = R.randint(2, 60), R.randint(1, 30)
    if chance(0.5):
        user = expand(
            "{n} has {a} {t}. [{m} gives {n} {b} more.|{n} finds {b} more.] How many {t} does {n} have[ now|]?",
            n=n,
            m=m,
            a=a,
            b=b,
            t=things,
        )
        steps, answer, value = (
            addition(a, b) if max(a, b) > 9 else f"{a} + {b} = {a + b}",
            f"{n} has {a + b} {things}.",
            a + b,
        )
    else:
        a, b = max(a, b), min(a, b)
        user = expand(
            "{n} has {a} {t}. {n} [loses {b}|gives {b} to {m}]. How many {t} are left?", n=n, m=m, a=a, b=b, t=things
        )
        steps, answer, value = (
            subtraction(a, b) if a > 9 else f"{a} - {b} = {a - b}",
            f"{n} has {a - b} {things} left.",
            a - b,
        )
    return sum_turn(user, steps, answer, value)


def sums():
    kind = R.random()
    if kind < 0.38:
        return add()
    if kind < 0.74:
        return subtract()
    if kind < 0.82:
        return long_sum()
    if kind < 0.90:
        return multiply()
    return word_problem()
