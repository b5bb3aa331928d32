"""The chat half of the data: story requests, questions, instructions, small talk, tool calls."""

import json
import random
import re
from collections import Counter
from pathlib import Path

import corpora
from chat import Chat
from mixture import Mixture, Source, book_chunks, chat_source, copy_source, plain_source, shuffled
from names import Names
from packing import Document
from skill_talk import NAMED, SYSTEM, a, instruction, name_recall, reading, repeat, small_talk, story_reading
from skill_tools import tool_dialogue
from skill_words import ANIMALS, CITIES, NAMES, PLACES, THINGS, TOOL_NOUNS, TOOL_VERBS


def tokenizer_samples(data: Path) -> list[str]:
    """Texts that give roles, JSON and function names their tokens."""
    texts = [
        f"{message['role']}\n{message['content']}"
        for messages in corpora.short_instructions(data)
        for message in messages
    ]
    for dialogue in corpora.glaive_dialogues(data):
        texts += [f"{m['role']}\n{m['content']}" for m in dialogue["messages"] if m["content"]]
    call = '<tool_call>\n{"name": "%s_%s", "arguments": {"city": "%s", "name": "%s"}}\n</tool_call>'
    line = '{"name": "%s_%s", "description": "%s the %s", "parameters": {"date": "string", "count": "integer"}}'
    for at, verb in enumerate(TOOL_VERBS * 4):
        for step in range(4):
            noun = TOOL_NOUNS[(at * 7 + step * 13) % len(TOOL_NOUNS)]
            city, name = CITIES[(at + step) % len(CITIES)], NAMES[(at * 3 + step) % len(NAMES)]
            texts.append("system\nFunctions:\n" + line % (verb, noun, verb.capitalize(), noun))
            texts.append(f"assistant\n{call % (verb, noun, city, name)}\nuser\n{verb} the {noun} for {name} in {city}.")
    return texts


ENDING = re.compile(r"(?<=[.!?\"])\s+")
WORD = re.compile(r"[a-z]+")
TOPIC_WORDS = set(ANIMALS + THINGS + PLACES)
STORY_TOKENS = 215  # a told story and its request fit one row

TELL = [
    "Tell me a story about {}.", "Tell me a story about {}.", "Write a short story about {}.", "Tell me a short story about {}.",
    "Can you tell me a story about {}?", "I want to hear a story about {}.", "Please tell a story about {}.",
    "Make up a story about {}.", "Write a story with {} in it.", "A story about {}, please.", "Tell me a bedtime story about {}.",
]
TELL_ANY = [
    "Tell me a story.", "Tell me a short story.", "Please tell me a story.", "Can you tell me a story?", "Write a story for children.",
    "I want a bedtime story.", "Once more, a story please!", "Tell me something nice.", "Write a short story.", "Story time!",
]
GO_ON = ["Finish this story: {}", "Continue the story: {}", "How does this story go on? {}", "Go on: {}"]


def story_topics(text: str) -> list[str]:
    """Phrases to ask for this story with: names, things, or both."""
    opening = text[:400]
    words = [word for word in WORD.findall(opening.lower()) if word in TOPIC_WORDS]
    topics = [a(word) for word in dict.fromkeys(words) if words.count(word) > 1 or word in ANIMALS][:3]
    named = NAMED.search(opening)
    if named:
        kind, name = named.groups()
        topics += [f"a {kind} named {name}", name, f"a {kind}"]
        topics += [f"{name} and {topic}" for topic in topics[:2] if name not in topic]
    return topics


class Skills:
    """Makes chat documents: each method is make_messages(rng) → (messages, tools or None)."""

    def __init__(self, chat: Chat, data: Path):
        stories = corpora.tiny_stories(data)["train"]
        short = [s for s in stories if len(s) < STORY_TOKENS * 4.6]
        lengths = [len(e.ids) for e in chat.tokenizer.encode_batch(short)]
        self.stories = [s for s, n in zip(short, lengths) if 60 < n <= STORY_TOKENS]
        self.draw_story = shuffled(self.stories)
        counts = Counter(word for story in stories for word in re.findall(r"\b[a-z]{3,10}\b", story))
        self.words = sorted(word for word, count in counts.items() if count >= 8)
        self.sentences: dict[str, list[str]] = {}
        self.naming: list[str] = []
        for story in stories:
            for sentence in ENDING.split(story.replace("\n", " ")):
                if not (25 < len(sentence) < 110) or sentence.count('"') % 2 or sentence[-1] not in ".!?":
                    continue
                if NAMED.search(sentence):
                    self.naming.append(sentence)
                elif '"' not in sentence:
                    for word in TOPIC_WORDS.intersection(WORD.findall(sentence)):
                        self.sentences.setdefault(word, []).append(sentence)
        self.sentences = {word: found for word, found in self.sentences.items() if len(found) >= 5}
        self.draw_instruction = shuffled(corpora.short_instructions(data))
        self.draw_glaive = shuffled([d for d in corpora.glaive_dialogues(data) if d["tools"]])

    def story(self, rng: random.Random):
        story = self.draw_story(rng)
        topics, kind = story_topics(story), rng.random()
        if kind < 0.12:
            head, _, rest = story.partition(". ")
            if 15 < len(head) < 160 and len(rest) > 60:
                return self._turns(rng, [(rng.choice(GO_ON).format(head + "."), rest)]), None
        ask = rng.choice(TELL).format(rng.choice(topics)) if topics and kind < 0.85 else rng.choice(TELL_ANY)
        return self._turns(rng, [(ask, story)], short=len(story) > 800), None

    def _turns(self, rng: random.Random, pairs, short=False):
        messages = []
        if rng.random() < (0.0 if short else 0.2):
            messages.append({"role": "system", "content": rng.choice(SYSTEM)})
        for asked, answer in pairs:
            messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        return messages

    def talk(self, rng: random.Random):
        if rng.random() < 0.15:
            return self._turns(rng, name_recall(rng)), None
        return self._turns(rng, [small_talk(rng) for _ in range(rng.choice([1, 1, 2, 3]))]), None

    def reading(self, rng: random.Random):
        pair = story_reading(rng, self.naming) if rng.random() < 0.2 else reading(rng)
        return self._turns(rng, [pair]), None

    def instruction(self, rng: random.Random):
        return self._turns(rng, [instruction(rng, self.sentences) for _ in range(rng.choice([1, 1, 2]))]), None

    def repeat(self, rng: random.Random):
        return self._turns(rng, [repeat(rng, self.sentences)]), None

    def corpus_instruction(self, rng: random.Random):
        return self.draw_instruction(rng), None

    def mixed(self, rng: random.Random):
        """Several short turns of different kinds."""
        kinds = [small_talk, reading, lambda r: instruction(r, self.sentences)]
        return self._turns(rng, [rng.choice(kinds)(rng) for _ in range(rng.choice([2, 3]))]), None

    def tools(self, rng: random.Random):
        return tool_dialogue(rng, self.words)

    def glaive(self, rng: random.Random):
        dialogue = self.draw_glaive(rng)
        return dialogue["messages"][: rng.choice([2, 4, 6])], dialogue["tools"]


def full_mixtures(chat: Chat, options, seed: int) -> tuple[Mixture, Mixture]:
    """(short rows, long rows): shares are of tokens; the long rows are for long tool dialogues and whole stories."""
    skills = Skills(chat, options.data)
    stories = corpora.tiny_stories(options.data)
    names, draws = Names(stories["train"]), stories["draws"]
    books = book_chunks(corpora.picture_books(options.data))
    tales = book_chunks(corpora.fairy_tales(options.data))
    chats = {
        "story": (skills.story, 0.26),
        "tools": (skills.tools, 0.30),
        "repeat": (skills.repeat, 0.08),
        "talk": (skills.talk, 0.06),
        "reading": (skills.reading, 0.10),
        "instruction": (skills.instruction, 0.10),
        "corpus": (skills.corpus_instruction, 0.05),
        "mixed": (skills.mixed, 0.07),
    }
    plain = options.plain_share
    short = {name: chat_source(chat, make, share * (0.97 - plain)) for name, (make, share) in chats.items()}
    short["plain"] = plain_source(chat, draws, plain, names)
    if options.copy_share:
        short["copies"] = copy_source(chat, options.copy_share)
    short["books"] = plain_source(chat, books, 0.03)
    if options.tale_share:
        short["tales"] = plain_source(chat, tales, options.tale_share)
    long = {
        "tools": chat_source(chat, skills.tools, 0.20),
        "glaive": chat_source(chat, skills.glaive, 0.30),
        "plain": plain_source(chat, draws, 0.50, names),
    }
    if options.rollouts:
        answers = [json.loads(line) for line in options.rollouts.read_text().splitlines()]
        share = options.rollout_share / (1 - options.rollout_share)
        short["rollouts"] = rollout_source(chat, shuffled(answers), share)
    return Mixture(short, seed), Mixture(long, seed + 1)


def rollout_source(chat: Chat, draw, share: float) -> Source:
    """The target's own answers to fresh prompts, learned as they stand."""

    def make(rng: random.Random) -> Document:
        answer = draw(rng)
        prompt = answer["prompt"]
        ids = prompt + answer["answer"] + [chat.end_of_text]
        return Document(ids, [0] * len(prompt) + [1] * len(answer["answer"]) + [0], False)

    return Source(make, share)
