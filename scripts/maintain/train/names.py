"""Stories told again with other names: few stories, read many times, are learned by heart; who is who should not be."""

import random
import re
from collections import Counter, defaultdict

INTRODUCED = re.compile(r"\b(?:named|called|name was|name is) ([A-Z][a-z]+)\b(?!\.? [A-Z])")
PRONOUNS = {"he": "m", "him": "m", "his": "m", "she": "f", "her": "f", "hers": "f"}
LEAST_STORIES = 5  # a name of fewer stories is left as it is
CLEAR = 0.75  # share of the first pronouns after a name that must agree
SHARE = 0.6  # of the stories that are told with other names


class Names:
    """Learns which words are names of boys and of girls, and how frequent each is, from the stories themselves."""

    def __init__(self, stories: list[str]):
        stories_of, pronouns, lower = Counter(), defaultdict(Counter), Counter()
        for story in stories:
            lower.update(set(re.findall(r"\b[a-z]+\b", story)))
            for name in set(INTRODUCED.findall(story)):
                stories_of[name] += 1
                after = story[story.index(name) + len(name) :]
                found = re.search(r"\b(he|him|his|she|her|hers)\b", after, re.IGNORECASE)
                if found:
                    pronouns[name][PRONOUNS[found.group().lower()]] += 1
        self.of: dict[str, dict[str, int]] = {"m": {}, "f": {}}
        for name, count in stories_of.items():
            kind, agreed = max(pronouns[name].items(), key=lambda pair: pair[1], default=("m", 0))
            seen = sum(pronouns[name].values())
            if count >= LEAST_STORIES and agreed >= CLEAR * seen > 0 and lower[name.lower()] < count:
                self.of[kind][name] = count
        self.kind = {name: kind for kind, names in self.of.items() for name in names}
        self.words = re.compile(r"\b(" + "|".join(sorted(self.kind, key=len, reverse=True)) + r")\b")

    def tell(self, story: str, rng: random.Random) -> str:
        """The story as it is, or with each name replaced by another of its kind, as frequent as they are."""
        if rng.random() > SHARE:
            return story
        present = sorted(set(self.words.findall(story)))
        taken, other = set(present), {}
        for name in present:
            pool = [(n, c) for n, c in self.of[self.kind[name]].items() if n not in taken]
            if pool:
                other[name] = rng.choices([n for n, _ in pool], [c for _, c in pool])[0]
                taken.add(other[name])
        return self.words.sub(lambda match: other.get(match.group(), match.group()), story)
