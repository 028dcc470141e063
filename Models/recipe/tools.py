"""Conversations in which the model calls tools, and JSON from texts and schemas."""

import json

from language import R, an, cap, chance, city, expand, invented_word, join_and, name, number, pick, plural, sample
from lookups import COLUMNS, WEATHER, rows_of, stated
from lists import WORDS
from turn import Turn
from words import ANIMALS, CAPITALS, CITIES, COLORS, DAYS, FOODS, JOBS, NAMES, NUMW, THINGS, UNKNOWN, WHY


def dump(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# MARK: Definitions


def function(name, description, properties, required=None):
    body = {"name": name}
    if description:
        body["description"] = description
    body["parameters"] = {"type": "object", "properties": properties}
    if required != []:
        body["parameters"]["required"] = required or list(properties)
    if chance(0.06):
        body = {member: body[member] for member in sorted(body)}
    return {"type": "function", "function": body} if chance(0.9) else body


class Tool:
    """A tool, and how a user asks for it: `use` gives the user's text, a reason, arguments, a result, the answer, its check, and
    maybe what the answer quotes."""

    def __init__(self, definition, use):
        self.definition = definition
        self.name = definition.get("function", definition)["name"]
        self.use = use


def weather_tool():
    tool = pick(["get_weather"] * 8 + ["weather", "get_current_weather", "weather_lookup"])
    argument = pick(["city"] * 7 + ["location", "place"])
    description = expand(
        "[Get the [current |]weather [in|for|of] a city.|Get weather|Weather for a city|Returns the weather|Look up the"
        " weather in a given city|Get the current weather for a location|]"
    )
    properties = {argument: {"type": "string"}}
    if chance(0.25):
        properties[argument]["description"] = pick(
            ["The city", "City name", "The city name", "Name of the city", "The city to look up"]
        )
    if chance(0.1):
        properties["unit"] = {"type": "string", "enum": ["celsius", "fahrenheit"]}

    def use():
        c, t, w = city(), R.randint(-9, 38), pick(WEATHER)
        user = expand(
            "[What is the weather in {c}?|What is the weather in {c}?|What's the weather in {c}?|What's the weather"
            " like in {c}?|How is the weather in {c}[ today|]?|Is it [cold|warm|raining|sunny] in {c}?|Weather in"
            " {c}[?|]|Tell me the weather in {c}.|Do I need an umbrella in {c}?|What is the temperature in {c}?|What is"
            " the weather like in {c} [today|right now]?]",
            c=c,
        )
        reason = expand(
            "[I need the weather in {c}.|The user wants the weather in {c}. I use {n}.|I should call {n} for {c}.]",
            c=c,
            n=tool,
        )
        degrees, sky = pick(["temperature", "temp", "temp_c", "degrees", "temperature_c"]), pick(
            ["condition", "sky", "weather", "conditions", "description"]
        )
        result = pick(
            [
                {degrees: t, sky: w},
                {"city": c, degrees: t, sky: w},
                {sky: w, degrees: t},
                f"{w}, {t} degrees",
                f"{t} C, {w}",
                {degrees: t, "unit": "celsius", sky: w},
            ]
        )
        answer = expand(
            "[It is {t} degrees and {w} in {c}.|The weather in {c} is {w} with {t} degrees.|In {c} it is {w} and {t}"
            " degrees.]",
            t=t,
            w=w,
            c=c,
        )
        return user, reason, {argument: c}, result, answer, ("contains all", [str(t), w])

    return Tool(function(tool, description, properties, [argument] if chance(0.85) else []), use)


def time_tool():
    tool = pick(["get_time"] * 8 + ["current_time", "get_current_time", "clock"])
    argument = pick(["city"] * 7 + ["location", "place"])

    def use():
        c, h = city(), f"{R.randint(0, 23):02d}:{R.randint(0, 59):02d}"
        user = expand(
            "[What time is it in {c}?|What is the time in {c}?|Time in {c}?|Tell me the time in {c}.|How late is it in"
            " {c}?|What's the [local |current |]time in {c}?]",
            c=c,
        )
        reason = expand(
            "[I need the time in {c}.|The user wants the time in {c}. I use {n}.|I should call {n} for {c}.]",
            c=c,
            n=tool,
        )
        result = pick([{"time": h}, {"city": c, "time": h}, h, {"local_time": h}])
        return (
            user,
            reason,
            {argument: c},
            result,
            expand("[It is {h} in {c}.|The time in {c} is {h}.]", h=h, c=c),
            ("contains", h),
        )

    return Tool(
        function(
            tool,
            expand("[Get the [current |local |]time in a city.|Get time|Time in a city|Returns the local time|]"),
            {argument: {"type": "string"}},
        ),
        use,
    )


def calculator_tool():
    tool = pick(["calculator"] * 8 + ["calculate", "calc", "math"])
    argument = pick(["expression"] * 8 + ["formula", "query"])

    def use():
        operator, x, y = pick("+-*+-*/"), number(R.randint(1, 4)), number(R.randint(1, 3))
        if operator == "/":
            y = y % 20 or 1
            x = y * R.randint(1, 40)
        value = {"+": x + y, "-": x - y, "*": x * y, "/": x // max(y, 1)}[operator]
        expression = f"{x} {operator} {y}"
        if chance(0.2):
            z = number(1)
            expression, value = f"{expression} + {z}", value + z
        words = expression
        if chance(0.2):
            words = (
                expression.replace("*", "times").replace("/", "divided by").replace("+", "plus").replace("-", "minus")
            )
        user = expand(
            "[What is {e}?|Calculate {e}.|Calculate {e}|Compute {e}.|How much is {e}?|{e}|Please work out {e}.|Use the"
            " calculator for {e}.|What's {e}?]",
            e=words,
        )
        reason = expand("[I use {n} for {e}.|This is a sum. I call {n}.|I should calculate {e}.]", n=tool, e=expression)
        result = pick([str(value), {"result": value}, {"value": value}, {"result": value}])
        answer = expand("[{e} = {v}|{e} = {v}.|The result is {v}.|The answer is {v}.]", e=expression, v=value)
        return user, reason, {argument: expression}, result, answer, ("last number", str(value))

    return Tool(
        function(
            tool,
            expand(
                "[Compute [an expression|a sum].|Calculator|Evaluate a math expression|Does arithmetic.|Calculate the"
                " value of an expression|]"
            ),
            {argument: {"type": "string"}},
        ),
        use,
    )


def search_tool():
    tool, argument = pick(["search", "web_search", "search_web", "find", "lookup"]), pick(
        ["query", "query", "q", "text"]
    )

    def use():
        x = (
            pick(UNKNOWN + ["whales", "robots", "bread", "trains", "dragons", "volcanoes", "honey bees"])
            if chance(0.7)
            else invented_word()
        )
        user = expand("[Search for {x}.|Find information about {x}.|Look up {x}.|Search the web for {x}.]", x=x)
        text = pick(list(WHY.values()))
        result = pick([text, {"text": text}])
        return (
            user,
            expand("[I should search for {x}.|I use {n}.]", x=x, n=tool),
            {argument: x},
            result,
            expand("[I found this: {b}|Here is what I found: {b}]", b=text),
            ("contains", text),
        )

    return Tool(
        function(tool, expand("[Search the web.|Search for information|Find facts|]"), {argument: {"type": "string"}}),
        use,
    )


SIMPLE = [
    ("send_email", "Send an email.", "to", lambda: name(), "Send an email to {v}."),
    ("set_timer", "Start a timer.", "minutes", lambda: R.randint(1, 90), "Set a timer for {v} minutes."),
    (
        "play_music",
        "Play a song.",
        "song",
        lambda: pick(["Blue Moon", "The Happy Song", "Winter Tale"]) if chance(0.5) else cap(invented_word()),
        "Play {v}.",
    ),
    ("translate", "Translate text.", "text", lambda: pick(WORDS), "Translate {v}."),
    ("roll_dice", "Roll dice.", "sides", lambda: pick([4, 6, 8, 12, 20, 100]), "Roll a dice with {v} sides."),
    (
        "get_news",
        "Get the news.",
        "topic",
        lambda: pick(["sport", "music", "science", "animals", "weather"]),
        "Show me news about {v}.",
    ),
    ("open_door", "Open a door.", "door", lambda: pick(COLORS) + " door", "Open the {v}."),
    (
        "read_file",
        "Read a file.",
        "path",
        lambda: pick([pick(WORDS), invented_word()]) + pick([".txt", ".json", ".md"]),
        "Read the file {v}.",
    ),
]


def simple_tool():
    tool, description, argument, value, request = pick(SIMPLE)

    def use():
        v = value()
        return (
            request.format(v=v),
            f"I use {tool}.",
            {argument: v},
            pick(["ok", "done", {"status": "ok"}]),
            pick(["Done!", "It is done.", "All done."]),
            ("none", ""),
        )

    kind = "integer" if argument in ("minutes", "sides") else "string"
    return Tool(function(tool, description if chance(0.8) else "", {argument: {"type": kind}}), use)


def two_argument_tool():
    """A tool with two arguments, one of which is a number."""
    tool, first, second, request, things = pick(
        [
            ("add_item", "item", "quantity", "[Add {b} {a} to my list.|Put {b} {a} on the list.]", THINGS + FOODS),
            ("order_food", "food", "count", "[Order {b} {a}.|I want {b} {a}, please.]", FOODS),
            (
                "book_room",
                "name",
                "nights",
                "[Book a room for {a} for {b} nights.|{a} needs a room for {b} nights.]",
                NAMES,
            ),
            (
                "set_price",
                "item",
                "price",
                "[Set the price of the {a} to {b}.|The {a} now costs {b}. Please set it.]",
                THINGS,
            ),
        ]
    )

    def use():
        a, b = pick(things), R.randint(2, 60)
        shown = plural(a) if tool == "add_item" else a
        return (
            expand(request, a=shown, b=b),
            f"I use {tool}.",
            {first: shown, second: b},
            pick(["ok", {"status": "ok"}]),
            pick(["Done!", "It is done."]),
            ("none", ""),
        )

    return Tool(function(tool, "", {first: {"type": "string"}, second: {"type": "integer"}}), use)


SUBJECTS = ["people", "orders", "products", "students", "rooms", "flights", "guests", "books"]


def rows_tool(count=None, subject=None, marks=False):
    """A tool whose result has many rows, one of which is asked for. `marks` as for `stated`."""
    subject = subject or pick(SUBJECTS)
    tool = expand("[list_{s}|get_{s}|find_{s}|search_{s}]", s=subject)
    one = subject[:-1] if subject != "people" else "person"

    def use():
        rows = rows_of(
            count or R.choices((3, 5, 8, 12, 20, 30), (3, 4, 4, 3, 2, 1))[0], sample(list(COLUMNS), R.randint(1, 3))
        )
        row = pick(rows)
        column = pick(list(row)[1:])
        user = expand(
            "[What is the {c} of the {o} {n}?|Which {c} does the {o} {n} have?|Tell me the {c} of the {o} {n}.|Look up"
            " the {c} of {n} in the {s}.]",
            c=column,
            o=one,
            n=row["name"],
            s=subject,
        )
        reason = expand("[I use {t} to find {n}.|I need the {s}. I call {t}.]", t=tool, n=row["name"], s=subject)
        result = pick(
            [rows, {subject: rows}, {"count": len(rows), "results": rows}, "\n".join(dump(each) for each in rows)]
        )
        return (
            user,
            reason,
            {},
            result,
            stated(column, row, dump(row), marks),
            ("last line contains", str(row[column])),
            dump(row),
        )

    return Tool(function(tool, expand("[List [all |]{s}.|Returns the {s}.|]", s=subject), {}, []), use)


def toolset():
    tools = [make() for make in (weather_tool, time_tool, calculator_tool) if chance(0.5)]
    if chance(0.40):
        tools.append(rows_tool())
    if chance(0.20):
        tools.append(two_argument_tool())
    if chance(0.15):
        tools.append(search_tool())
    if chance(0.25):
        tools.append(simple_tool())
    if not tools:
        tools = [pick([weather_tool, weather_tool, time_tool, calculator_tool, rows_tool, simple_tool])()]
    R.shuffle(tools)
    return list({tool.name: tool for tool in tools}.values())


def call_messages(tool, arguments, reason):
    return {
        "role": "assistant",
        "content": "",
        "reasoning_content": reason,
        "tool_calls": [{"type": "function", "function": {"name": tool.name, "arguments": arguments}}],
    }


def tool_messages(tools, used=None):
    """The messages of one use of a tool: user, call, result, answer. Also the check of the answer."""
    tool = used or pick(tools)
    user, reason, arguments, result, answer, check, *quote = tool.use()
    return [
        {"role": "user", "content": user},
        call_messages(tool, arguments, reason),
        {"role": "tool", "content": dump(result)},
        {"role": "assistant", "content": answer} | ({"reasoning_content": quote[0]} if quote else {}),
    ], check


# MARK: JSON


def quantity():
    count, price, thing = R.randint(2, 20), R.randint(1, 99), pick(THINGS)
    return (
        ["item", "quantity", "price"],
        expand("[I bought {q} {t} for {p} dollars.|{q} {t} cost {p} dollars.]", q=count, t=plural(thing), p=price),
        {"item": thing, "quantity": count, "price": price},
    )


def described():
    """A sentence and all that it says as an object."""
    n, c, age, job, pet, colour = name(), city(), R.randint(3, 90), pick(JOBS), pick(ANIMALS), pick(COLORS)
    kind, a = R.randrange(7), an(job)
    if kind == 0:
        return (
            ["name", "age"],
            expand("[{n} is {g} years old.|My name is {n} and I am {g}.|{n} is {g}.]", n=n, g=age),
            {"name": n, "age": age},
        )
    if kind == 1:
        return (
            ["name", "age", "city"],
            expand(
                "[{n} is {g} years old and lives in {c}.|{n}, {g}, lives in {c}.|{n} lives in {c}. {n} is {g} years"
                " old.|My name is {n}, I am {g} and I live in {c}.]",
                n=n,
                g=age,
                c=c,
            ),
            {"name": n, "age": age, "city": c},
        )
    if kind == 2:
        return (
            ["name", "job", "city"],
            expand("[{n} is {a} in {c}.|{n} works as {a} in {c}.|{n} lives in {c} and is {a}.]", n=n, a=a, c=c),
            {"name": n, "job": job, "city": c},
        )
    if kind == 3:
        return ["name", "job"], expand("[{n} is {a}.|{n} works as {a}.]", n=n, a=a), {"name": n, "job": job}
    if kind == 4:
        return quantity()
    if kind == 5:
        return (
            ["name", "pet", "color"],
            expand("[{n} has {x} {p}.|{n} owns {x} {p}.]", n=n, x=an(colour), p=pet),
            {"name": n, "pet": pet, "color": colour},
        )
    day, hour, event = (
        pick(DAYS),
        R.randint(1, 12),
        pick(["party", "meeting", "concert", "dinner", "picnic", "lesson", "race", "market"]),
    )
    return (
        ["event", "day", "hour", "city"],
        expand(
            "[The {e} is on {d} at {h} o'clock in {c}.|There is {e1} in {c} on {d} at {h} o'clock.]",
            e=event,
            e1=an(event),
            d=day,
            h=hour,
            c=c,
        ),
        {"event": event, "day": day, "hour": hour, "city": c},
    )


def extract_json():
    if chance(0.08):
        n, age = name(), R.randint(3, 90)
        answer = json.dumps({"name": n, "age": age}, ensure_ascii=False)
        return Turn(
            f"{n} is {age} years old. " + expand("[Give me JSON.|Answer in JSON.|Return JSON.|As JSON please.]"),
            answer,
            check=("json", answer),
        )
    keys, text, value = described()
    if chance(0.35) and len(keys) > 2:
        keys = sample(keys, R.randint(1, len(keys)))
    answer = json.dumps({key: value[key] for key in keys}, ensure_ascii=False)
    named = join_and(keys) if chance(0.5) else ", ".join(keys)
    user = expand(
        "[Extract {k} as JSON: {s}|Extract {k} from this text as JSON: {s}|Turn this into JSON with {k}: {s}|Give me"
        " JSON with the keys {k}. Text: {s}|{s} Answer with JSON: {k}.|Return a JSON object with {k}. {s}]",
        k=named,
        s=text,
    )
    return Turn(user, answer, check=("json", answer))


TYPES = {"age": "integer", "quantity": "integer", "price": "integer", "hour": "integer"}


def schema_json():
    """JSON by a schema that the message has, with its keys in its order."""
    keys, text, value = described()
    keys = sample(keys, R.randint(1, len(keys)))
    properties = {key: {"type": TYPES.get(key, "string")} for key in keys}
    value = {key: value[key] for key in keys}
    if chance(0.25):
        words = sample(WORDS, R.randint(2, 4))
        text += f" The words are {join_and(words)}."
        properties["words"], value["words"] = {"type": "array", "items": {"type": "string"}}, words
    if chance(0.2):
        flag = pick(("open", "new", "free"))
        properties[flag], value[flag] = {"type": "boolean"}, chance(0.5)
        text += f" It is {flag}." if value[flag] else f" It is not {flag}."
    schema = {"type": "object", "properties": properties}
    if chance(0.7):
        schema["required"] = list(properties)
    user = expand(
        "[Answer with JSON that matches this schema: {s}\n\n{t}|{t}\n\nAnswer with JSON by this schema:\n{s}|Schema:"
        " {s}\nText: {t}\nJSON:|Fill this JSON schema from the text.\n{s}\nText: {t}]",
        s=json.dumps(schema),
        t=text,
    )
    answer = json.dumps(value, ensure_ascii=False)
    return Turn(user, answer, check=("json", answer))


def list_json():
    kind, count = R.randrange(5), R.randint(2, 4)
    if kind >= 3:
        values = {
            "name": pick(NAMES),
            "age": R.randint(3, 90),
            "city": pick(CITIES),
            "color": pick(COLORS),
            "pet": pick(ANIMALS),
            "food": pick(FOODS),
            "job": pick(JOBS),
        }
        keys = sample(list(values), R.randint(1, 3))
        user = expand("[Give me|Write|Make|Create] a JSON [object |]with {k}.", k=join_and([an(key) for key in keys]))
        if chance(0.3):
            user = expand("[Give me some JSON.|Show me JSON.|Write JSON.|Write a JSON example.]")
        return Turn(user, json.dumps({key: values[key] for key in keys}), check=("json keys", keys), closed=True)
    if kind == 0:
        words = sample(WORDS, R.randint(2, 6))
        user = expand(
            "[Write this list as|Give me this list as|Turn this list into] [a JSON array|JSON]: "
        ) + ", ".join(words)
        return Turn(user, json.dumps(words), check=("json", json.dumps(words)))
    if kind == 1:
        return Turn(
            expand("Give me a JSON [array|list] with {n} colours.", n=NUMW[count]),
            json.dumps(sample(COLORS, count)),
            check=("none", ""),
            closed=True,
        )
    country = pick(list(CAPITALS))
    answer = json.dumps({"country": country, "capital": CAPITALS[country]})
    return Turn(
        expand("[What is the capital of {c}? Answer in JSON.|Answer in JSON: what is the capital of {c}?]", c=country),
        answer,
        check=("json", answer),
        closed=True,
    )


def json_turn():
    kind = R.random()
    if kind < 0.55:
        return extract_json()
    return schema_json() if kind < 0.8 else list_json()
