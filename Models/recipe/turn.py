"""A question of a user and the answer to it."""

from dataclasses import dataclass


@dataclass
class Turn:
    user: str
    answer: str
    # Before the answer, if thinking is on.
    reasoning: str | None = None
    # The answer with its work, for a model that may not think and would have to guess.
    worked: str | None = None
    # How an evaluation checks a reply: the kind and its value. By default the answer is the only right one.
    check: tuple | None = None
    # Whether there are only few such questions, so that an evaluation must word them differently.
    closed: bool = False

    def __post_init__(self):
        self.check = self.check or ("exact", self.answer)
