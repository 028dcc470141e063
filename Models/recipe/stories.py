"""Short stories, and other plain texts."""

from language import R, an, cap, chance, expand, pick, sample
from words import (
    ADJ,
    ANIMALS,
    BABIES,
    BOYS,
    CAPITALS,
    CITIES,
    COLORS,
    DEF,
    FOODS,
    GIRLS,
    HEROES,
    HOMES,
    LEGS,
    MASS,
    NAMES,
    NUMW,
    PLACES,
    POEMS,
    SOUNDS,
    THINGS,
    WHY,
)

INTRODUCTION = (
    "[Once upon a time, there was|There once was|Long ago, there lived|One day, there was"
    "|In a [small|quiet|green|faraway] {p}, there lived] {ana} {a} named {n}. "
)
HABIT = (
    "[{He} lived [in|near] {ap}.|{He} loved to [play|sing|run|dance|explore|read] [every day|all day long|in the"
    " {p}|with {his} friends].|{n} liked {mf} very much.|Every morning, {n} [walked|ran|went] to the {p2}.|{n} had a"
    " {c} {t}.] "
)
DAY = "[One day|One [sunny|rainy|cold|warm|windy] [day|morning]|That morning|One evening], "

# What happens, and how it ends.
PLOTS = [
    (
        (
            "{n} [could not find|lost] {his} {c} {t}. {He} looked [under the bed|behind the door|in the {p2}] and"
            " [under the table|behind the tree|in the box], but it was not there. {n} [was very sad|felt sad|began to"
            ' cry]. [Then|Just then|After a while], {abadj} {b} named {m} came by. "[Why are you sad|What is wrong]?"'
            ' asked {m}. "I lost my {t}," said {n}. "[Do not worry|Don\'t cry], I will help you," said {m}. They looked'
            " [together|all day|everywhere]. At last they found the {t} [near the {p2}|under a big tree|behind a"
            ' stone]. {n} was [so|very] happy. "Thank you, {m}!" {he} said. '
        ),
        (
            "[From that day on, they were best friends.|They played together until the sun went down."
            "|{n} learned that friends help each other.]"
        ),
    ),
    (
        (
            '{n} found a {c} {t} in the {p2}. It was [shiny|old|very small|beautiful]. "[What is this|Whose is it|Where'
            ' did it come from]?" {he} wondered. {n} took it to {his} friend {m}, {abadj} {b}. "That {t} is'
            ' [magic|special]!" said {m}. "[Make a wish|You can make one wish]." {n} thought for a long time. "I wish'
            ' for [{mf} for everyone|a sunny day|a new friend|a happy home]," {he} said. [And it came true.|At once the'
            " wish came true.] "
        ),
        "[Everyone in the {p} was happy.|{n} smiled all day.|{n} never forgot that day.]",
    ),
    (
        (
            "{n} wanted to [swim|fly a {c} kite|climb the hill|ride a bike|sing a song], but {he} was [afraid|too"
            ' scared]. "I can\'t do it," said {n}. {m} the {b} smiled. "[Try again|Just try|Take one small step],"'
            " {mhe} said. So {n} tried. [The first time|At first], {he} [fell|failed]. {n} tried again and again. [In"
            ' the end|At last], {he} did it! "I did it! I did it!" {n} shouted. {m} [clapped|laughed|was proud]. '
        ),
        "[{n} learned that it is good to keep trying.|After that, {n} was not afraid any more.|{n} felt very brave.]",
    ),
    (
        (
            '{n} had {k} [pieces of {mf}|cookies|nuts|berries]. {m} the {b} had none. "I am so hungry," said {m}. {n}'
            ' [looked at the food|thought about it]. {He} was hungry too. [But {he} was kind.|Then {he} smiled.] "Let'
            ' us share," said {n}. They sat [by the {p2}|under a tree|in the sun] and ate together. "You are [so kind|a'
            ' good friend]," said {m}. The next day, {m} brought {n} a big {f2}. '
        ),
        "[Sharing made them both happy.|They were friends from then on.|{n} learned that sharing is good.]",
    ),
    (
        (
            "a big storm came to the {p}. The wind was loud and the rain fell [hard|all night]. {n} heard a small"
            ' voice. "Help! Help!" It was {m}, {abadj} {b}. {m} was stuck in the [mud|water|tree]. {n} was'
            " [scared|afraid], but {he} [ran|went] out into the rain. {He} used {his} {t} to pull {m} [out|down|to"
            ' safety]. "You saved me!" said {m}. They went home and [drank warm milk|ate hot soup|sat by the fire]. '
        ),
        "[Soon the sun came out again.|{n} was a hero.|Everyone said that {n} was very brave.]",
    ),
    (
        (
            "it was {n}'s birthday. {He} waited for {his} friends, but nobody came. {n} waited and waited. {He} felt"
            " [sad|lonely]. {He} went for a walk to the {p2}. When {he} came home, the house was dark. {n} opened the"
            ' door. "Surprise!" shouted all {his} friends. There was a big {c} cake with {k} candles. {m} the {b} gave'
            " {him} {at_}. {n} [laughed|danced|smiled] with joy. "
        ),
        "[It was the best birthday ever.|They sang and danced until night.|{n} was not sad any more.]",
    ),
    (
        (
            '{n} and {m} the {b} had a race. "I am the fastest," said {m}. "[We will see|Maybe]," said {n}. They ran'
            " [past the {p2}|over the hill|along the river]. {m} was fast, but {mhe} stopped to [eat {af}|sleep|rest]."
            " {n} did not stop. {He} went on, step by step. [In the end|At the end], {n} won the race. {m} was"
            ' [surprised|sad at first]. "Well done," {mhe} said. '
        ),
        "[Slow and steady wins the race.|They shook hands and laughed.|{m} learned not to boast.]",
    ),
    (
        (
            "{n} saw a [tiny|small] seed. {He} put it in the ground and gave it water. [Every day|Each morning] {he}"
            ' came to look. Nothing happened. "[Be patient|Wait a little]," said {m} the {b}. {n} waited. After {k}'
            " days, a small green leaf came out. It grew and grew. Soon there was a big {c} flower. {n} was [so"
            " proud|very happy]. "
        ),
        (
            "[The flower made the whole {p} beautiful.|{n} learned that good things take time."
            "|Every day {n} sat next to the flower and smiled.]"
        ),
    ),
    (
        (
            '{n} did not want to go to bed. "I am not sleepy," {he} said. {His} friend {m} the {b} told {him} a story'
            ' about a {c} {t} on the moon. {n} listened. {His} eyes grew [heavy|small]. "What happened then?" {n}'
            ' asked. "Then the stars came out, and everyone slept," said {m} softly. [Soon|A moment later], {n} was'
            " asleep. "
        ),
        (
            "[Good night, {n}.|{He} dreamed of the moon and the stars.|In the morning, {n} wanted to hear the story"
            " again.]"
        ),
    ),
    (
        (
            "{n} broke {m}'s {t}. {n} was [afraid|sorry]. {He} wanted to hide it. But then {he} thought, \"I must tell"
            ' the truth." {n} went to {m} the {b} and said, "I broke your {t}. I am sorry." {m} was [sad|quiet] for a'
            ' moment. Then {mhe} said, "Thank you for telling the truth. [We can fix it together|It is only {at_}]."'
            " They worked all day with [paint and glue|paper and string]. "
        ),
        "[The {t} was even nicer than before.|{n} was glad that {he} told the truth.|They were still good friends.]",
    ),
    (
        (
            "{n} went on a trip to the {p2}. {He} packed {at_}, some {mf} and {at2}. On the way, {he} met {m}, {abadj}"
            ' {b}. "Where are you going?" asked {m}. "I am going to see the {p2}," said {n}. "May I come too?" "Of'
            ' course!" They walked [for {k} hours|all day], sang songs and ate {mf}. [At last|In the evening], they saw'
            " the {p2}. It was [big and beautiful|full of {c} flowers|quiet and warm]. "
        ),
        '[They stayed until the stars came out.|It was a wonderful day.|"Let us come back tomorrow," said {m}.]',
    ),
    (
        (
            '{n} heard a strange noise in the {p2}. "What is that?" {he} whispered. The noise came again. {n} walked'
            " [slowly|quietly] and looked [behind a tree|behind the {t2}|into the dark]. There was no monster. It was"
            ' only {m}, {abadj} {b} with {at_}. "I was [playing music|making a house|looking for {mf}]," said {m}. {n}'
            ' laughed. "I thought you were a monster!" '
        ),
        "[Both of them laughed and laughed.|Then they played together.|After that, {n} was not afraid of noises.]",
    ),
]

COUNTABLE = [food for food in FOODS if food not in MASS]


def story(kind=None, who=None, place=None, thing=None):
    """A story, and the values in it: `n` the hero, `a` its kind, `m` and `b` the friend, ..."""
    a = kind or pick(ANIMALS + ["boy", "girl"] * 6 + HEROES[:10])
    n = who or pick(GIRLS if a in ("girl", "princess", "queen", "witch", "fairy") else BOYS if a == "boy" else NAMES)
    female = a in ("girl", "princess", "queen", "witch", "fairy") or a != "boy" and n in GIRLS
    he, him, his = ("she", "her", "her") if female else ("he", "him", "his")
    m = pick([other for other in NAMES if other != n])
    t, p = thing or pick(THINGS), place or pick(PLACES)
    t2, f2, badj, adj = pick([x for x in THINGS if x != t]), pick(COUNTABLE), pick(ADJ), pick(ADJ)
    values = dict(
        n=n,
        a=a,
        m=m,
        b=pick([x for x in ANIMALS if x != a]),
        he=he,
        him=him,
        his=his,
        He=cap(he),
        His=cap(his),
        mhe="she" if m in GIRLS else "he",
        adj=adj,
        ana=an(adj),
        abadj=an(badj),
        p=p,
        ap=an(p),
        p2=pick(PLACES),
        t=t,
        at_=an(t),
        t2=t2,
        at2=an(t2),
        c=pick(COLORS),
        mf=pick(MASS),
        f2=f2,
        af=an(f2),
        k=pick(NUMW[2:8]),
    )
    body, end = pick(PLOTS)
    text = INTRODUCTION + (HABIT if chance(0.75) else "") + DAY + body + end
    return expand(text, **values), values


def drill():
    """A page of small sums: the tables that sums written out need."""
    lines = []
    for _ in range(R.randint(8, 20)):
        x, y, kind = R.randint(0, 9), R.randint(0, 9), R.random()
        if kind < 0.35:
            lines.append(f"{x} + {y} = {x + y}")
        elif kind < 0.55:
            lines.append(f"{x} + {y} + 1 = {x + y + 1}")
        elif kind < 0.65:
            lines.append(f"{max(x, y)} - {min(x, y)} = {abs(x - y)}")
        elif kind < 0.72:
            lines.append(f"{max(x, y) + 1} - {min(x, y)} - 1 = {abs(x - y)}")
        elif kind < 0.84 and x < y:
            lines.append(f"{x + 10} - {y} = {x + 10 - y}")
        elif kind < 0.95 and x <= y:
            lines.append(f"{x + 10} - {y} - 1 = {x + 9 - y}")
        else:
            lines.append(f"{x} * {y} = {x * y}")
    return ("Sums:\n" if chance(0.3) else "") + "\n".join(lines)


def facts():
    """A few sentences from the tables."""
    kind = R.random()
    if kind < 0.35:
        return " ".join(
            expand(
                "[The capital of {x} is {y}.|{Y} is the capital of {x}.|{Y} is a city. It is the capital of {x}.]",
                x=x,
                y=CAPITALS[x],
                Y=CAPITALS[x],
            )
            for x in sample(list(CAPITALS), R.randint(2, 5))
        )
    if kind < 0.6:
        return " ".join(f"{cap(x)} is {DEF[x]}." for x in sample(list(DEF), R.randint(2, 4)))
    if kind < 0.8:
        return " ".join(WHY[question] for question in sample(list(WHY), R.randint(2, 4)))
    animal = pick(list(SOUNDS))
    parts = [f"{cap(an(animal))} says {SOUNDS[animal]}."]
    if animal in LEGS:
        parts.append(f"It has {NUMW[LEGS[animal]]} legs." if LEGS[animal] else "It has no legs.")
    if animal in HOMES:
        parts.append(f"It lives in {HOMES[animal]}.")
    if animal in BABIES:
        parts.append(f"A young {animal} is called a {BABIES[animal]}.")
    return " ".join(parts)


def counting():
    first, step, count = R.randint(1, 60), pick((1, 1, 1, 2, 5, 10)), R.randint(5, 14)
    title = "Counting" + (f" in steps of {step}" if step > 1 else "") + ": " if chance(0.5) else ""
    return title + ", ".join(str(first + index * step) for index in range(count))


def letter():
    n, m = sample(NAMES, 2)
    return expand(
        "Dear {m},\n\n[how are you?|I hope you are well.] [I am in {c} now.|We are having a [good|great|quiet] time in"
        " {c}.] [The weather is [warm|cold|sunny|rainy].] [Yesterday|Today|Last week] [we|I] [visited a {p}|saw a"
        " {a}|ate {f}|bought a {k} {t}]. [I miss you.|See you soon!|Write back soon.]\n\n[Love|Your friend|Best"
        " wishes],\n{n}",
        n=n,
        m=m,
        c=pick(CITIES),
        p=pick(PLACES),
        a=pick(ANIMALS),
        f=pick(MASS),
        k=pick(COLORS),
        t=pick(THINGS),
    )


def dialogue():
    n, m = sample(NAMES, 2)
    return expand(
        '"[Good morning|Hello|Hi], {n}!" said {m}. "[How are you|Where are you going|What are you doing] today?" "[I am'
        ' fine|I am going to the {p}|I am reading a book|I am making {f}]," said {n}. "[Do you want to come|Would you'
        ' like some {f}|Can I help you]?" "[Yes, please|That is very kind|Of course]!" said {m}. [And so they spent the'
        " day together.|They both smiled.|It was a good day.]",
        n=n,
        m=m,
        p=pick(PLACES),
        f=pick(MASS),
    )


def plain_text():
    """A text without a conversation."""
    kind = R.random()
    if kind < 0.25:
        return drill()
    if kind < 0.70:
        text, values = story()
        if chance(0.2):
            text = expand("[The {adj} {a}|{n} and {m}|{n} and the {t}|The {t}]", **values).title() + "\n\n" + text
        return text
    if kind < 0.82:
        return facts()
    if kind < 0.86:
        return counting()
    if kind < 0.90:
        title = pick(list(POEMS))
        return (cap(title) + "\n\n" if chance(0.4) else "") + POEMS[title]
    return letter() if chance(0.5) else dialogue()
