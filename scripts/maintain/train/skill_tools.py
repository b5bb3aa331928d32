"""Tool calls: functions put together from verb_noun names, parameters and requests that fit them.

One pair of verb and noun in eight never appears in training, so the held-out prompts ask for names that the
model can only have copied from the list.
"""

import json
import random
import zlib
from pathlib import Path

from skill_words import (
    CITIES, COLOURS, DAYS, FOODS, MONTHS, NAMES, NUMBERS, THINGS, TOOL_NOUNS, TOOL_VERBS,
)


HELD_OUT = {  # the functions of the evaluation
    tool["function"]["name"]
    for prompt in json.loads((Path(__file__).parent / "prompts.json").read_text())["tools"]
    for tool in prompt["tools"]
}


def held_out(verb: str, noun: str) -> bool:
    name = styled(verb, noun, 0)
    return name in HELD_OUT or zlib.crc32(name.encode()) % 8 == 0


def number(rng: random.Random, low: int, high: int):
    value = rng.randint(low, high)
    return (value, NUMBERS[value - 1]) if value <= 12 and rng.random() < 0.3 else (value, str(value))


def date(rng: random.Random):
    kind = rng.random()
    if kind < 0.4:
        value = rng.choice(DAYS)
    elif kind < 0.8:
        value = f"{rng.choice(MONTHS)} {rng.randint(1, 28)}"
    else:
        value = rng.choice(["today", "tomorrow", "next week"])
        return value, value
    return value, f"on {value}"


def time_of_day(rng: random.Random):
    value = f"{rng.randint(1, 12)} {rng.choice(['am', 'pm'])}" if rng.random() < 0.6 else f"{rng.randint(1, 12)}:{rng.choice(['15', '30', '45'])}"
    return value, f"at {value}"


def choice(values, phrase):
    def draw(rng: random.Random):
        value = rng.choice(values)
        return value, phrase.format(value)

    return draw


def counted(unit, low, high):
    def draw(rng: random.Random):
        value, word = number(rng, low, high)
        return value, f"for {word} {unit}"

    return draw


TITLES = [f"The {a} {b}" for a in ["Red", "Lost", "Brave", "Little", "Happy", "Blue"] for b in
          ["Ball", "Bear", "Boat", "Garden", "Dragon", "Star", "Train"]]

# name → (type, draw(rng) → (value, words in the request))
PARAMETERS = {
    "city": ("string", choice(CITIES, "in {}")),
    "location": ("string", choice(CITIES, "in {}")),
    "destination": ("string", choice(CITIES, "to {}")),
    "origin": ("string", choice(CITIES, "from {}")),
    "date": ("string", date),
    "day": ("string", choice(DAYS, "on {}")),
    "time": ("string", time_of_day),
    "name": ("string", choice(NAMES, "for {}")),
    "recipient": ("string", choice(NAMES, "to {}")),
    "person": ("string", choice(NAMES, "with {}")),
    "title": ("string", choice(TITLES, 'called "{}"')),
    "item": ("string", choice(THINGS, "with a {}")),
    "food": ("string", choice(FOODS, "with {}")),
    "color": ("string", choice(COLOURS, "in {}")),
    "people": ("integer", counted("people", 2, 12)),
    "days": ("integer", counted("days", 2, 14)),
    "minutes": ("integer", counted("minutes", 2, 60)),
    "amount": ("number", lambda rng: (lambda v: (v, f"for {v} dollars"))(rng.randint(2, 900))),
    "topic": ("string", choice(THINGS, "about a {}")),
}

# Requests that do not name the verb: (verbs, noun, parameters, sentences).
KNOWN = [
    (["get", "check", "find"], "weather", ["city"], ["What is the weather like in {city}?", "Is it raining in {city}?", "How is the weather in {city} today?", "Do I need an umbrella in {city}?"]),
    (["find", "search"], "restaurant", ["food", "city"], ["I am hungry. Where can I eat {food} in {city}?", "Find me a place that has {food} in {city}."]),
    (["set", "create"], "alarm", ["time"], ["Wake me up at {time}.", "I need to get up at {time}."]),
    (["set", "create", "add"], "reminder", ["title", "date"], ["Remind me of {title} on {date}.", "Don't let me forget {title} on {date}."]),
    (["send", "write"], "message", ["recipient", "text"], ["Tell {recipient} that {text}.", "Let {recipient} know that {text}."]),
    (["play", "start"], "song", ["title"], ["I want to hear {title}.", "Put on {title}, please.", "Can you play {title}?"]),
    (["calculate", "get"], "tip", ["amount"], ["How much tip should I give for {amount} dollars?", "I paid {amount} dollars for dinner. What is the tip?"]),
    (["convert"], "currency", ["amount", "from", "to"], ["How much is {amount} {from} in {to}?", "Change {amount} {from} into {to}."]),
    (["get", "calculate", "find"], "distance", ["origin", "destination"], ["How far is it from {origin} to {destination}?", "How many miles are there between {origin} and {destination}?"]),
    (["book", "search", "find"], "flight", ["origin", "destination"], ["I want to fly from {origin} to {destination}.", "Get me on a plane from {origin} to {destination}."]),
    (["set", "start"], "timer", ["minutes"], ["Start counting {minutes} minutes.", "Tell me when {minutes} minutes are over."]),
    (["translate"], "word", ["text", "language"], ["How do you say {text} in {language}?", "What is {text} in {language}?"]),
    (["get", "find", "lookup"], "definition", ["word"], ["What does {word} mean?", "Tell me the meaning of {word}."]),
    (["get"], "time", ["city"], ["What time is it in {city}?", "Tell me the time in {city}."]),
    (["get", "tell"], "joke", ["topic"], ["Make me laugh with something about a {topic}.", "Do you know a joke about a {topic}?"]),
    (["check", "get"], "balance", ["name"], ["How much money does {name} have?", "What is on the account of {name}?"]),
]

KNOWN_VALUES = {
    "from": ["dollars", "euros", "pounds", "yen"], "to": ["dollars", "euros", "pounds", "yen"],
    "language": ["French", "Spanish", "German", "Italian", "Dutch"], "word": THINGS,
    "text": ["dinner is ready", "I am late", "the train is here", "I am at home", "we will meet soon", "the cake is good"],
}

ASKING = [
    "{verb} {noun} {rest}.", "Please {verb} {noun} {rest}.", "Can you {verb} {noun} {rest}?",
    "I want to {verb} {noun} {rest}.", "I need to {verb} {noun} {rest}.", "Could you {verb} {noun} {rest}, please?",
    "Hi, {verb} {noun} {rest}.", "I would like to {verb} {noun} {rest}.", "Help me {verb} {noun} {rest}.",
]
READING = ["What is {noun} {rest}?", "Tell me {noun} {rest}.", "Show me {noun} {rest}."]
NO_TOOL = [
    ("Hello!", "Hello! How can I help you?"), ("Hi there.", "Hi! What can I do for you?"),
    ("Thank you!", "You are welcome!"), ("Thanks a lot.", "You are welcome!"),
    ("How are you?", "I am fine, thank you. How can I help you?"), ("Good morning.", "Good morning! How can I help you?"),
    ("That is all.", "Good. Have a nice day!"), ("Who are you?", "I am Trainyard Tiny, a small language model."),
]
DONE = ["Done.", "All right, it is done.", "OK, I did that for you."]


def styled(verb: str, noun: str, style: float) -> str:
    """style: below 0.75 snake_case, below 0.9 camelCase, else PascalCase."""
    words = [verb, *noun.split()]
    if style < 0.75:
        return "_".join(words)
    return "".join(word.capitalize() if at or style >= 0.9 else word for at, word in enumerate(words))


def tool(name: str, description: str | None, parameters: dict[str, str]) -> dict:
    function = {"name": name, "parameters": {"type": "object", "properties": {k: {"type": t} for k, t in parameters.items()}}}
    if description:
        function["description"] = description
    return {"type": "function", "function": function}


def describe(rng: random.Random, verb: str, noun: str) -> str | None:
    words = [f"{verb.capitalize()} one {noun}", f"{verb.capitalize()} the {noun}", f"{verb.capitalize()} {noun}s for the user", None]
    return rng.choice(words)


def random_pair(rng: random.Random, taken: set[str], words: list[str]) -> tuple[str, str]:
    """Half of the pairs are of any words at all, so that names must be copied and cannot be known."""
    while True:
        verb, noun = rng.choice(TOOL_VERBS), rng.choice(TOOL_NOUNS)
        if words and rng.random() < 0.5:
            verb = rng.choice(words) if rng.random() < 0.5 else verb
            noun = f"{rng.choice(words)} {rng.choice(words)}" if rng.random() < 0.3 else rng.choice(words)
        if verb != noun and noun not in taken and not held_out(verb, noun):
            taken.add(noun)
            return verb, noun


class Function:
    """One function on offer: its tool entry, and any number of requests for it."""

    def __init__(self, rng: random.Random, taken: set[str], style: float, words: list[str]):
        self.known = rng.choice(KNOWN) if rng.random() < 0.35 else None
        if self.known:
            self.verb, self.noun, self.parameters = rng.choice(self.known[0]), *self.known[1:3]
            if self.noun in taken or held_out(self.verb, self.noun):
                self.known = None
        if self.known:
            taken.add(self.noun)
        else:
            self.verb, self.noun = random_pair(rng, taken, words)
            self.parameters = rng.sample(sorted(PARAMETERS), rng.choice([1, 1, 2, 2, 3]))
        self.name = styled(self.verb, self.noun, style)
        kinds = {name: PARAMETERS.get(name, ("string", None))[0] for name in self.parameters}
        self.tool = tool(self.name, describe(rng, self.verb, self.noun), kinds)

    def request(self, rng: random.Random) -> tuple[str, dict]:
        """(the user's words, the arguments)."""
        arguments, words = {}, []
        for name in self.parameters:
            if name in PARAMETERS:
                arguments[name], phrase = PARAMETERS[name][1](rng)
                words.append(phrase)
            else:
                arguments[name] = rng.choice(KNOWN_VALUES[name])
        if self.known:
            return rng.choice(self.known[3]).format(**arguments), arguments
        one = "an " if self.noun[0] in "aeiou" else "a "
        article = rng.choice([one, "the ", one, "the ", "my ", ""])
        reads = self.verb in ("get", "check", "show", "lookup") and rng.random() < 0.5
        frame = rng.choice(READING if reads else ASKING)
        text = frame.format(verb=self.verb, noun=article + self.noun, rest=" ".join(words))
        return text[0].upper() + text[1:], arguments


def tool_dialogue(rng: random.Random, words: list[str]):
    """(messages, tools): a list of one to four functions and one to five requests, or none.
    words: any lower-case words, for names."""
    taken: set[str] = set()
    style = rng.random()
    functions = [Function(rng, taken, style, words) for _ in range(rng.choice([1, 1, 2, 2, 3, 3, 4]))]
    messages = []
    if rng.random() < 0.15:
        messages.append({"role": "system", "content": "You are a helpful assistant."})
    if rng.random() < 0.1:
        hello, answer = rng.choice(NO_TOOL)
        messages += [{"role": "user", "content": hello}, {"role": "assistant", "content": answer}]
    # Several calls per list: the list is the dear part, the names copied from it are what is learned.
    for _ in range(rng.choice([1, 1, 2, 3, 4])):
        function = rng.choice(functions)
        request, arguments = function.request(rng)
        call = {"type": "function", "function": {"name": function.name, "arguments": json.dumps(arguments)}}
        messages += [
            {"role": "user", "content": request},
            {"role": "assistant", "content": None, "tool_calls": [call]},
        ]
        if rng.random() < 0.15:
            messages += outcome(rng, function.noun)
    return messages, [function.tool for function in functions]


def outcome(rng: random.Random, noun: str) -> list[dict]:
    """The tool's answer and a sentence that repeats it."""
    kind = rng.random()
    if kind < 0.5:
        value = rng.choice([str(rng.randint(2, 99)), rng.choice(COLOURS), rng.choice(CITIES), rng.choice(["sunny", "rainy", "cold", "warm", "cloudy"])])
        return [
            {"role": "tool", "content": json.dumps({noun: value})},
            {"role": "assistant", "content": f"The {noun} is {value}."},
        ]
    ok = {"status": "ok"} if kind < 0.8 else {"success": True}
    return [
        {"role": "tool", "content": json.dumps(ok)},
        {"role": "assistant", "content": rng.choice(DONE)},
    ]
