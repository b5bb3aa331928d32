"""Small talk, short instructions and questions on a given text: (question, answer) by program."""

import random
import re

from skill_words import (
    ADJECTIVES, ANIMALS, COLOURS, DAYS, FOODS, LETTERS, LISTS, MONTHS, NAMES, NUMBERS, OPPOSITES, PASTS,
    PLACES, PLURALS, SEASONS, SOUNDS, THINGS, VERBS_DONE,
)

TALK = {
    "Hello!|Hi!|Hey!|Hello there.|Hi there!|hello|hi": "Hello! How are you today?|Hi! It is nice to see you. What shall we talk about?|Hello! How can I help you?",
    "How are you?|How are you today?|How are you doing?|How do you feel?|how are you": "I am fine, thank you. How are you?|I am very well, thank you! And you?",
    "What is your name?|Who are you?|What are you?|Tell me about yourself.|Introduce yourself.|What should I call you?": "I am Trainyard Tiny, a small language model. I like to tell stories.|My name is Trainyard Tiny. I am a very small language model.",
    "What can you do?|How can you help me?|What are you good at?|What do you know?": "I can tell short stories, talk a little, answer questions about a text and call functions.",
    "Are you a robot?|Are you human?|Are you a person?|Are you real?": "I am not a person. I am a small computer program that likes words.",
    "Thank you!|Thanks!|Thank you very much.|Thanks a lot!|Thank you for your help.": "You are welcome!|You are welcome! I am glad I could help.",
    "Goodbye!|Bye!|See you later!|See you tomorrow.|I have to go now.": "Goodbye! Have a nice day.|Bye! See you soon.",
    "Good morning!|Good morning.": "Good morning! Did you sleep well?|Good morning! I hope you have a lovely day.",
    "Good night!|Good night.|I am going to bed.|It is time for bed.": "Good night! Sleep well and have sweet dreams.",
    "Good afternoon!|Good evening!": "Hello! It is nice to see you. How was your day?",
    "I am sad.|I feel sad today.|I had a bad day.|I am not happy.|I feel lonely.": "I am sorry to hear that. Do you want to talk about it?|I am sorry that you feel sad. A hug or a good story may help.",
    "I am happy!|I feel great today!|I had a good day.|Today was fun!": "That is wonderful! What made you so happy?|I am glad to hear that!",
    "I am tired.|I am so sleepy.|I could not sleep.": "Then you should rest a little. Shall I tell you a quiet story?",
    "I am bored.|I have nothing to do.|There is nothing to do.": "Let us have some fun! Shall I tell you a story?|You could draw a picture, read a book or play outside.",
    "I am hungry.|I want to eat something.": "You could eat an apple or a sandwich. What do you like best?",
    "I am scared.|I am afraid of the dark.|I had a bad dream.": "Do not worry. You are safe, and it will be all right.",
    "What is your favourite colour?|Which colour do you like?|What is your favorite color?|What color do you like best?": "I like blue, because the sky is blue. What is your favourite colour?",
    "What is your favourite animal?|Which animal do you like?|What is your favorite animal?": "I like cats, because they are soft and clever. Do you like animals?",
    "What is your favourite food?|What do you like to eat?|What is your favorite food?": "I do not eat, but I think that cookies sound very good.",
    "Do you like stories?|What is your favourite story?|Do you like books?": "Yes, I love stories! I like the ones with brave animals best.",
    "Do you like music?|Can you sing?": "Yes, I like music. I cannot sing, but I can write words for a song.",
    "Tell me a joke.|Do you know a joke?|Make me laugh.|Say something funny.": "Why did the cookie go to the doctor? Because it felt crumbly!|What do you call a sleeping bull? A bulldozer!|Why did the banana go to the doctor? It was not peeling well!",
    "How old are you?|When were you born?": "I am very young. I was made not long ago.",
    "Where do you live?|Where are you from?|Where are you?": "I live inside a computer. It is warm in here!",
    "Do you have friends?|Will you be my friend?|Can we be friends?": "Yes, of course! I would love to be your friend.",
    "What did you do today?|How was your day?": "I talked with people and told some stories. How was your day?",
    "It is raining today.|The weather is bad.|It is cold outside.": "Then it is a good day to stay inside and read a book.",
    "It is sunny today!|The weather is nice.|What a beautiful day!": "How lovely! It is a good day to play outside.",
    "I love you.|You are nice.|You are funny!|I like you.": "Thank you, that is very kind! I like talking with you too.",
    "You are stupid.|I don't like you.|You are wrong.": "I am sorry. I am very small, and I am still learning.",
    "I won a game today!|I got a good grade!|I learned to swim!|I finished my work.": "Well done! You can be very proud of yourself.",
    "Can you help me?|I need help.|Please help me.": "Of course! What do you need help with?",
    "I lost my toy.|My toy is broken.|I can't find my book.": "Oh no, I am sorry. Let us think about where it could be.",
    "Today is my birthday!|It's my birthday.": "Happy birthday! I hope you get a big cake.",
    "I don't understand.|What do you mean?": "I am sorry. Let me try to say it better. What would you like to know?",
    "What is the meaning of life?|Who won the game last night?|What is the news today?|What will happen tomorrow?": "I am sorry, I do not know that. I am only a very small model.",
}

SYSTEM = [
    "You are a helpful assistant.", "You are Trainyard Tiny, a small and friendly assistant.", "Answer shortly.",
    "You are a kind storyteller.", "Be polite and brief.", "You are a friendly assistant. Use simple words.",
]


def a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def small_talk(rng: random.Random) -> tuple[str, str]:
    kind = rng.random()
    if kind < 0.72:
        asked, answers = rng.choice(list(TALK.items()))
        return rng.choice(asked.split("|")), rng.choice(answers.split("|"))
    if kind < 0.80:
        name = rng.choice(NAMES)
        said = rng.choice(["My name is {}.", "I am {}.", "Hi, I'm {}.", "Hello, my name is {}.", "You can call me {}."])
        return said.format(name), rng.choice(["Nice to meet you, {}!", "Hello, {}! How are you?"]).format(name)
    if kind < 0.90:
        thing = rng.choice([rng.choice(ANIMALS) + "s", rng.choice(FOODS), rng.choice(THINGS) + "s"])
        said = rng.choice(["I like {}.", "I love {}!", "My favourite thing is {}.", "Do you like {}?"])
        reply = rng.choice(["I like {} too! They make me happy.", "Oh, {}! Tell me more, please.", "Yes, I think {} are great."])
        return said.format(thing), reply.format(thing)
    animal, name = rng.choice(ANIMALS), rng.choice(NAMES)
    said = rng.choice(["I have a {} named {}.", "My {} is called {}.", "Today I saw a {}. Its name was {}."])
    reply = rng.choice(["What a nice {}! {} is a lovely name.", "A {}, how lovely! Please say hello to {}."])
    return said.format(animal, name), reply.format(animal, name)


def name_recall(rng: random.Random) -> list[tuple[str, str]]:
    name, thing = rng.choice(NAMES), rng.choice(COLOURS)
    if rng.random() < 0.5:
        return [(f"My name is {name}.", f"Nice to meet you, {name}!"), (rng.choice(["What is my name?", "Do you know my name?"]), f"Your name is {name}.")]
    return [
        (f"My favourite colour is {thing}.", f"{thing.capitalize()} is a beautiful colour!"),
        ("What is my favourite colour?", f"Your favourite colour is {thing}."),
    ]


def listed(words: list[str]) -> str:
    return ", ".join(words[:-1]) + " and " + words[-1]


def instruction(rng: random.Random, sentences: dict[str, list[str]]) -> tuple[str, str]:
    """sentences: word → story sentences with that word."""
    kind = rng.randrange(14)
    if kind == 0:
        topic, count = rng.choice(sorted(LISTS)), rng.randint(2, 5)
        words = rng.sample(LISTS[topic], count)
        number = NUMBERS[count - 1]
        ask = rng.choice(["Name {} {}.", "List {} {}.", "Give me {} {}.", "Tell me {} {}.", "Can you name {} {}?"])
        return ask.format(number, topic), listed(words).capitalize() + "." if topic not in ("names", "cities") else listed(words) + "."
    if kind == 1:
        order = rng.choice([DAYS, MONTHS, NUMBERS, LETTERS, [str(n) for n in range(1, 31)], [str(n) for n in range(2, 41, 2)], [str(n) for n in range(10, 101, 10)]])
        start = rng.randrange(len(order) - 6) if len(order) > 7 else rng.randrange(2)
        shown = rng.randint(2, 3)
        ask = rng.choice(["Continue the list: {},", "Go on: {},", "What comes next? {}", "Continue: {}", "Finish this list: {},"])
        return ask.format(", ".join(order[start : start + shown])), ", ".join(order[start + shown : start + shown + 3])
    if kind == 2:
        word = rng.choice(sorted(OPPOSITES))
        one, other = (word, OPPOSITES[word]) if rng.random() < 0.6 else (OPPOSITES[word], word)
        ask = rng.choice(["What is the opposite of {}?", "Give me the opposite of {}.", 'What is the opposite of "{}"?', "Say the opposite of {}."])
        return ask.format(one), f"The opposite of {one} is {other}."
    if kind == 3:
        word = rng.choice(sorted(SOUNDS))
        return rng.choice(["What sound does a {} make?", "What does a {} say?"]).format(word), f"A {word} says {SOUNDS[word]}."
    if kind == 4:
        word = rng.choice(sorted(PLURALS))
        return rng.choice(["What is the plural of {}?", "One {}, two ...?"]).format(word), f"The plural of {word} is {PLURALS[word]}."
    if kind == 5:
        word = rng.choice(sorted(PASTS))
        return rng.choice(["What is the past tense of {}?", "Put {} into the past tense."]).format(word), f"The past tense of {word} is {PASTS[word]}."
    if kind == 6:
        count = rng.randint(3, 12)
        number = rng.choice([str(count), NUMBERS[count - 1]])
        return f"Count to {number}.", ", ".join(NUMBERS[:count]).capitalize() + "."
    if kind in (7, 8):
        word = rng.choice(sorted(sentences))
        ask = rng.choice(["Write a sentence about {}.", "Make a sentence with the word {}.", "Use the word {} in a sentence.", "Say something about {}."])
        return ask.format(a(word) if "about" in ask else f'"{word}"' if rng.random() < 0.5 else word), rng.choice(sentences[word])
    if kind == 9:
        words = " ".join([rng.choice(NAMES), rng.choice(VERBS_DONE), "the", rng.choice(ADJECTIVES), rng.choice(THINGS)]) if rng.random() < 0.6 else " ".join(rng.sample(THINGS + ANIMALS + COLOURS, rng.randint(1, 4)))
        return rng.choice(["Repeat after me: {}", 'Say "{}".', "Repeat: {}", "Copy this: {}"]).format(words), words
    if kind == 10:
        name = rng.choice(NAMES)
        return rng.choice([
            (f"Say hello to {name}.", f"Hello, {name}!"), (f"Greet my friend {name}.", f"Hello, {name}! It is nice to meet you."),
            (f"Say goodbye to {name}.", f"Goodbye, {name}!"), (f"Say thank you to {name}.", f"Thank you, {name}!"),
            (f"Write a birthday wish for {name}.", f"Happy birthday, {name}! I hope you have a wonderful day."),
            (f"Wish {name} good night.", f"Good night, {name}! Sleep well."),
        ])
    if kind == 11:
        one, other = rng.sample(range(0, 11), 2)
        if rng.random() < 0.5:
            return rng.choice(["What is {} plus {}?", "What is {} + {}?", "Add {} and {}."]).format(one, other), f"{one} plus {other} is {one + other}."
        one, other = max(one, other), min(one, other)
        return rng.choice(["What is {} minus {}?", "What is {} - {}?"]).format(one, other), f"{one} minus {other} is {one - other}."
    if kind == 12:
        order = rng.choice([DAYS, MONTHS])
        at = rng.randrange(len(order) - 1)
        what = "day" if order is DAYS else "month"
        if rng.random() < 0.5:
            return f"Which {what} comes after {order[at]}?", f"{order[at + 1]} comes after {order[at]}."
        return f"Which {what} comes before {order[at + 1]}?", f"{order[at]} comes before {order[at + 1]}."
    topic, count = rng.choice(["animals", "fruits", "colours", "clothes", "toys"]), 3
    others = [name for name in ["animals", "fruits", "colours", "clothes", "toys"] if name != topic]
    odd, words = rng.choice(LISTS[rng.choice(others)]), rng.sample(LISTS[topic], count)
    mixed = words + [odd]
    rng.shuffle(mixed)
    return f"Which word does not fit: {', '.join(mixed)}?", f"{odd.capitalize()} does not fit."


TIMES = {"twice": 2, "two times": 2, "three times": 3}


def repeat(rng: random.Random, sentences: dict[str, list[str]]) -> tuple[str, str]:
    """Sentences to say again, word for word; sometimes more than once."""
    words = sorted(sentences)
    text = " ".join(rng.choice(sentences[rng.choice(words)]) for _ in range(rng.choice([1, 1, 2, 2, 3, 4])))
    if rng.random() < 0.3:
        times = rng.choice(sorted(TIMES))
        ask = rng.choice(["Say this {}: {}", "Repeat this {}: {}", "Write this {}: {}"])
        return ask.format(times, text), " ".join([text] * TIMES[times])
    ask = rng.choice(["Repeat after me: {}", "Repeat: {}", "Copy this: {}", "Say this again: {}", "Copy this text: {}", "Say: {}"])
    return ask.format(text), text


def reading(rng: random.Random) -> tuple[str, str]:
    """A made-up sentence or two, and a question that they answer."""
    name, other = rng.sample(NAMES, 2)
    thing, second = rng.sample(THINGS, 2)
    colour, place, animal = rng.choice(COLOURS), rng.choice(PLACES), rng.choice(ANIMALS)
    verb, food, day, adjective = rng.choice(VERBS_DONE), rng.choice(FOODS), rng.choice(DAYS), rng.choice(ADJECTIVES)
    shapes = [
        (f"{name} {verb} {a(colour)} {thing} in the {place}.", [
            (f"Who {verb} the {thing}?", f"{name} {verb} the {thing}."), (f"What colour was the {thing}?", f"The {thing} was {colour}."),
            (f"What color was the {thing}?", f"The {thing} was {colour}."), ("Where did it happen?", f"It happened in the {place}."),
            (f"Where was {name}?", f"{name} was in the {place}."), (f"What was {colour}?", f"The {thing} was {colour}.")]),
        (f"{name} gave {other} {a(thing)} on {day}.", [
            (f"What did {name} give {other}?", f"{name} gave {other} {a(thing)}."), (f"Who gave {other} {a(thing)}?", f"{name} gave {other} {a(thing)}."),
            (f"Who got the {thing}?", f"{other} got the {thing}."), (f"When did {name} give {other} the {thing}?", f"It was on {day}.")]),
        (f"{name} has {a(animal)} named {other}. The {animal} is {adjective}.", [
            (f"What is the name of the {animal}?", f"The name of the {animal} is {other}."), (f"What animal does {name} have?", f"{name} has {a(animal)}."),
            (f"Who has {a(animal)}?", f"{name} has {a(animal)}."), (f"How is the {animal}?", f"The {animal} is {adjective}.")]),
        (f"{name} likes {food}, but {other} likes {(f := rng.choice([x for x in FOODS if x != food]))}.", [
            (f"What does {name} like?", f"{name} likes {food}."), (f"What does {other} like?", f"{other} likes {f}."),
            (f"Who likes {food}?", f"{name} likes {food}."), (f"Who likes {f}?", f"{other} likes {f}.")]),
        (f"The {animal} sat under the {thing} because it was {adjective}.", [
            (f"Where did the {animal} sit?", f"The {animal} sat under the {thing}."), (f"Why did the {animal} sit under the {thing}?", f"It sat there because it was {adjective}."),
            (f"Who sat under the {thing}?", f"The {animal} sat under the {thing}.")]),
        (f"{name} went to the {place} with {other} to look for {a(thing)}.", [
            (f"Where did {name} go?", f"{name} went to the {place}."), (f"Who went with {name}?", f"{other} went with {name}."),
            (f"What did {name} look for?", f"{name} looked for {a(thing)}."), (f"Where did {name} and {other} go?", f"They went to the {place}.")]),
        (f"There was {a(adjective)} {animal} who lived in a {place}. It loved {food}.", [
            (f"Where did the {animal} live?", f"The {animal} lived in a {place}."), (f"What did the {animal} love?", f"The {animal} loved {food}."),
            ("Who is the story about?", f"It is about {a(adjective)} {animal}.")]),
        (f"{name} put the {thing} in the {second}. Then {other} came home on {day}.", [
            (f"Where is the {thing}?", f"The {thing} is in the {second}."), (f"Who put the {thing} in the {second}?", f"{name} put the {thing} in the {second}."),
            ("Who came home?", f"{other} came home."), (f"When did {other} come home?", f"{other} came home on {day}.")]),
        (f"{name} is {(n := rng.randint(3, 12))} years old and {other} is {(m := rng.choice([k for k in range(3, 13) if k != n]))} years old.", [
            (f"How old is {name}?", f"{name} is {n} years old."), (f"How old is {other}?", f"{other} is {m} years old."),
            ("Who is older?", f"{name if n > m else other} is older.")]),
        (f"In {(season := rng.choice(SEASONS))}, {name} {verb} {(k := rng.choice(NUMBERS[1:]))} {thing}s.", [
            (f"How many {thing}s were there?", f"There were {k} {thing}s."), (f"Who {verb} the {thing}s?", f"{name} {verb} the {thing}s."),
            (f"When did it happen?", f"It happened in {season}.")]),
    ]
    text, pairs = rng.choice(shapes)
    question, answer = rng.choice(pairs)
    return framed(rng, text, question), answer


def framed(rng: random.Random, text: str, question: str) -> str:
    return rng.choice([
        f"{text} {question}", f"{text}\n{question}", f"Read this: {text}\n{question}", f"Text: {text}\nQuestion: {question}",
        f'"{text}" {question}', f"{question} {text}", f"Answer the question. {text} {question}",
    ])


NAMED = re.compile(r"(?:a|an|the) (?:\w+ ){0,2}?(girl|boy|dog|cat|bird|bear|rabbit|mouse|bunny|man|woman|fish|frog) named (\w+)")


def story_reading(rng: random.Random, sentences: list[str]) -> tuple[str, str]:
    """A story's sentence with "… named X", and the question for the name."""
    text = rng.choice(sentences)
    kind, name = NAMED.search(text).groups()
    question, answer = rng.choice([
        (f"What is the name of the {kind}?", f"The name of the {kind} is {name}."), (f"Who is {name}?", f"{name} is a {kind}."),
        (f"What is the {kind}'s name?", f"The {kind}'s name is {name}."),
    ])
    return framed(rng, text, question), answer
