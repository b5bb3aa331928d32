"""Two tiny tokenizers: byte-level BPE, and SentencePiece-style BPE with byte fallback."""
from __future__ import annotations

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

# Prose of our own, so that the merges are somebody's words and nobody's corpus.
PROSE = """
The train leaves the yard at noon, and the yard is quiet until the next train comes in.
A small engine pulls the wagons to the platform; the guard counts them and writes the number down.
When the signal turns green, the driver waits for one more second, then lets the brake go.
In the evening the workers walk home along the river, and the lamps are lit one after another.
There are twelve wagons in the long train and seven in the short one, which makes nineteen.
"Where does this one go?" she asked. "To the sea," he said, "and then back again tomorrow."
The table has rows and columns: the first column is the time, the second is the platform.
Nobody knows who painted the old wagon blue, but everybody likes it, and so it stays blue.
It rains on the roof of the station, and the water runs down into the garden behind the wall.
They read the numbers aloud, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, and then they start again from the end.
"""

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_level(size: int, special: list[str], bos: str | None, nfc: bool) -> Tokenizer:
    """As Llama 3 and Qwen have it: special tokens after the vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(PROSE.strip().splitlines(), trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
    return tokenizer


def sentence_piece(size: int, special: list[str]) -> Tokenizer:
    """As Llama 2 and Mistral have it: ▁ for space, one before the text, <0xNN> for other bytes."""
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=True)
    base = ["<unk>", "<s>", "</s>", *special, *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(base), special_tokens=[], show_progress=False
    )
    trained.train_from_iterator(PROSE.strip().splitlines(), trainer)
    import json

    state = json.loads(trained.to_str())["model"]
    words = sorted(state["vocab"], key=lambda token: state["vocab"][token])
    vocabulary = {token: index for index, token in enumerate([*base, *words])}
    merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in state["merges"]]
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = trained.normalizer
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("▁", " "),
        decoders.ByteFallback(),
        decoders.Fuse(),
        decoders.Strip(" ", 1, 0),
    ])
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True) for token in ["<unk>", "<s>", "</s>", *special]]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return tokenizer
