"""The tokenizer and the chat format: one byte-level BPE, one Jinja template, shared by both models."""

import json
from pathlib import Path

from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL = [END_OF_TEXT, TURN_START, TURN_END]
# One token each, yet ordinary text: a stream shows them, so tool parsers see them.
MARKERS = ["<tool_call>", "</tool_call>"]
# Words with the sign before them, single digits, runs of signs, spaces: the usual split of recent BPEs.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEMPLATE_PATH = Path(__file__).parent / "chat_template.jinja"


def train_tokenizer(texts, vocab_size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(MARKERS),
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(marker, special=False, normalized=False) for marker in MARKERS])
    return tokenizer


def tokenizer_config(template: str) -> dict:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 1024,
        "add_bos_token": False,
        "bos_token": None,
        "eos_token": TURN_END,
        "pad_token": END_OF_TEXT,
        "unk_token": None,
        "clean_up_tokenization_spaces": False,
        "additional_special_tokens": [TURN_START],
        "chat_template": template,
    }


class Chat:
    """Renders and encodes messages; says which tokens are the assistant's own."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self.end_of_text, self.turn_start, self.turn_end = (
            tokenizer.token_to_id(token) for token in SPECIAL
        )
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
        self.template = environment.from_string(TEMPLATE_PATH.read_text())
        self.assistant = tokenizer.encode("assistant\n", add_special_tokens=False).ids

    def render(self, messages, tools=None, generate=False) -> str:
        return self.template.render(
            messages=messages, tools=tools, add_generation_prompt=generate
        )

    def prompt_ids(self, messages, tools=None) -> list[int]:
        return self.tokenizer.encode(self.render(messages, tools, True)).ids

    def document(self, messages, tools=None) -> tuple[list[int], list[int]]:
        """(ids, learn): learn is 1 on the assistant's words and its end of turn, else 0."""
        ids = self.tokenizer.encode(self.render(messages, tools)).ids + [self.end_of_text]
        learn, speaking = [0] * len(ids), False
        for at, token in enumerate(ids):
            if speaking:
                learn[at] = 1
                speaking = token != self.turn_end
            else:
                head = ids[max(0, at - len(self.assistant)) : at + 1]
                speaking = head == [self.turn_start, *self.assistant]
        return ids, learn

    def plain(self, text: str, with_start: bool = True) -> tuple[list[int], list[int]]:
        """A bare text between end-of-text tokens; every token but the first is learned."""
        ids = self.tokenizer.encode(text).ids + [self.end_of_text]
        if with_start:
            ids = [self.end_of_text, *ids]
        return ids, [0] + [1] * (len(ids) - 1)
