"""The prompts of the evaluation, by group. None is in the training data as it is worded here.

Groups with few questions ask those that were trained, after a beginning such as "So, " that was not. Sums may have been trained with
the same numbers in other words.

Each is a line: `group`, `messages`, maybe `tools` and `chat_template_kwargs`, the `check` of a reply (evaluate.py), and `asks`, the number of
the message that must be new.
"""

import conversations as c
import lists
import lookups
import sums
import tasks
import tools
from language import R, chance, number, pick
from turn import Turn

COUNT = 200
# A group with few questions has fewer prompts.
MOST_DRAWS = 60


def ordered(a, b):
    return (max(a, b), min(a, b))


def new_turn(make):
    """A turn whose question was kept, or is worded as no question of the training data; `None` if this draw is not."""
    made = make()
    turn = made[0] if isinstance(made, list) else made
    if turn.check[0] == "none":
        return None
    if turn.closed:
        return Turn(pick(c.KEPT_BEGINNINGS) + turn.user, turn.answer, check=turn.check)
    # Texts that are drawn anew are all new; their questions are checked against the training data all the same.
    return turn if c.is_kept(turn.user) else None


def told():
    told, asked = c.memory()
    while "name" not in asked.user:
        told, asked = c.memory()
    return told, asked


TURNS = {
    **{f"add {d} digits": lambda d=d: sums.add(number(d), number(d)) for d in (1, 2, 3, 4)},
    **{f"subtract {d} digits": lambda d=d: sums.subtract(*ordered(number(d), number(d))) for d in (1, 2, 3, 4)},
    "sums of three and more": sums.long_sum,
    "sums in words": sums.word_problem,
    "multiply": sums.multiply,
    "small talk": tasks.talk,
    "who are you": tasks.who,
    "capitals": tasks.capital,
    "facts": tasks.fact,
    "animals": tasks.animals,
    "colours": tasks.colours,
    "calendar": tasks.calendar,
    "counting": tasks.counting,
    "sort words": lists.sort_words,
    "sort numbers": lists.sort_numbers,
    "reverse a list": lists.reverse,
    "upper case": lists.upper_case,
    "questions for a list": lists.list_question,
    "JSON from a text": tools.extract_json,
    "JSON by a schema": tools.schema_json,
    "story": tasks.ask_story,
    "poem": tasks.poem,
    "refusal": tasks.unknown,
    "repeat": tasks.repeat,
    "needle in 300 tokens": lambda: lookups.needle_conversation(300),
    "needle in 900 tokens": lambda: lookups.needle_conversation(900),
    "table": lookups.table_conversation,
    "JSON look-up": lookups.dictionary_conversation,
    "reading": lookups.comprehension,
    "story question": lookups.story_question,
}
# With few questions, 1-digit sums are asked in kept words.
FEW = {"add 1 digits", "subtract 1 digits"}
ALSO_WITHOUT_THINKING = {
    "add 1 digits",
    "add 2 digits",
    "add 3 digits",
    "subtract 1 digits",
    "subtract 2 digits",
    "subtract 3 digits",
    "small talk",
    "capitals",
    "sort words",
    "JSON from a text",
    "reading",
    "table",
}


def prompt(group, messages, check, thinking=True, definitions=None, asks=-1):
    result = {
        "group": group + ("" if thinking else " (no think)"),
        "messages": messages,
        "check": list(check),
        "asks": asks % len(messages),
    }
    if definitions:
        result["tools"] = definitions
    if not thinking:
        result["chat_template_kwargs"] = {"enable_thinking": False}
    return result


def turn_prompts(group, make, thinking):
    found, seen = [], set()
    for _ in range(COUNT * MOST_DRAWS):
        if len(found) == COUNT:
            break
        if group in FEW:
            turn = make()
            turn.user = pick(c.KEPT_BEGINNINGS) + turn.user
        else:
            turn = new_turn(make)
        if turn is None or turn.user in seen:
            continue
        seen.add(turn.user)
        found.append(prompt(group, [{"role": "user", "content": turn.user}], turn.check, thinking))
    return found


def memory_prompts():
    found = []
    while len(found) < COUNT:
        told_turn, asked = told()
        turns = [told_turn] + ([c.for_training(tasks.fact)] if chance(0.5) else [])
        messages = c.messages_of(turns, True, varied=False) + [
            {"role": "user", "content": pick(c.KEPT_BEGINNINGS) + asked.user}
        ]
        found.append(prompt("recall a name", messages, asked.check))
    return found


def tool_prompts(group, sets, thinking):
    """The call, and the answer from its result."""
    calls, answers, seen = [], [], set()
    for _ in range(COUNT * MOST_DRAWS):
        if len(calls) == COUNT:
            break
        available = sets()
        messages, check = tools.tool_messages(available, available[0])
        text = messages[0]["content"]
        if not c.is_kept(text) or text in seen:
            continue
        seen.add(text)
        definitions = [tool.definition for tool in available]
        call = messages[1]["tool_calls"][0]["function"]
        calls.append(prompt(f"{group}: call", messages[:1], ("call", call), thinking, definitions))
        messages[1].pop("reasoning_content")
        if check[0] != "none":
            answers.append(prompt(f"{group}: answer", messages[:3], check, thinking, definitions, asks=0))
    return calls + answers


def prompts():
    found = []
    for group, make in TURNS.items():
        found += turn_prompts(group, make, True)
        if group in ALSO_WITHOUT_THINKING:
            found += turn_prompts(group, make, False)
    found += memory_prompts()
    for thinking in (True, False):
        found += tool_prompts("tools", tools.toolset, thinking)
        found += tool_prompts(
            "tool with many rows", lambda: [tools.rows_tool(R.randint(5, 30))] + tools.toolset()[:1], thinking
        )
    return found
