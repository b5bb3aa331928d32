"""Small WordPiece and Unigram vocabularies as encoders and T5 save them, and their ids by transformers.

    python vocabularies.py [DATA]    writes test/conformance/models/vocabularies/NAME.json

Trained on prose of our own; DATA is the folder of published tokenizers' goldens, of whose texts only
the ids are kept. Needs transformers and sentencepiece.
"""
from __future__ import annotations

import gzip
import json
import sys
import tempfile
from pathlib import Path

import sentencepiece
import transformers
from make_goldens import TEXTS
from tiny_tokenizers import PROSE
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

OUT = Path(__file__).resolve().parents[3] / "test" / "conformance" / "models" / "vocabularies"
MORE = [
    "Don't stop! The trains' drivers aren't here, do not wait. It's late; they've gone.",
    "[CLS] the [MASK] leaves [SEP] the yard",
    "Ｆｕｌｌ ｗｉｄｔｈ ①②③ ﬁne\u00a0line\u3000end",
    "unbelievably-long/compound_word... (twelve) #wagons @noon $5.00 100%",
    "x" * 120 + " " + "the" * 50,
    "a\u0301 e\u0308 ß Σς İi\u200b\ufeff\u0000\ufffd end",
    "``quoted'' \"text\"   with   runs\n\n\nof space ",
    "<s> the </s> <mask> <extra_id_0> wagons",
]
# Of SentencePiece's normalisation, as much as shows that it is heard (source, target: code points).
RULES = "FF21\t41\nFF46\t66\n2460\t31\nA0\t20\n3000\t20\n9\t20\nA\t20\nFB01\t66 69\n200B\t20\n"


def word_piece(size: int, special: list[str], lowercase: bool) -> list[str]:
    trained = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    trained.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    trained.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=size - len(special), show_progress=False)
    trained.train_from_iterator(PROSE.strip().splitlines(), trainer)
    vocabulary = trained.get_vocab()
    return [*special, *sorted(vocabulary, key=lambda token: vocabulary[token])]


def unigram(folder: Path, name: str, **options: object) -> None:
    (folder / "rules.tsv").write_text(RULES)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(PROSE.strip().splitlines() * 3), model_prefix=str(folder / "m"),
        vocab_size=320, hard_vocab_limit=False, model_type="unigram",
        normalization_rule_tsv=str(folder / "rules.tsv"), minloglevel=2, character_coverage=1.0, **options,
    )
    (folder / "m.model").rename(folder / name)


BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MPNET = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]
ALBERT = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "user_defined_symbols": ["[CLS]", "[SEP]", "[MASK]"]}
# name, class, file of the vocabulary, how it is made, what the class is told
KINDS = [
    ("bert-uncased", "BertTokenizer", "vocab.txt", lambda _: word_piece(320, BERT, True), {}),
    ("bert-cased", "BertTokenizer", "vocab.txt", lambda _: word_piece(320, BERT, False),
     {"do_lower_case": False, "tokenize_chinese_chars": False, "strip_accents": True}),
    ("mpnet", "MPNetTokenizer", "vocab.txt", lambda _: word_piece(320, MPNET, True), {}),
    ("t5", "T5Tokenizer", "spiece.model",
     lambda folder: unigram(folder, "spiece.model", pad_id=0, eos_id=1, unk_id=2, bos_id=-1), {}),
    ("xlm-roberta", "XLMRobertaTokenizer", "sentencepiece.bpe.model",
     lambda folder: unigram(folder, "sentencepiece.bpe.model"), {}),
    ("albert", "AlbertTokenizer", "spiece.model", lambda folder: unigram(folder, "spiece.model", **ALBERT), {}),
    ("deberta-v2", "DebertaV2Tokenizer", "spm.model",
     lambda folder: unigram(folder, "spm.model", byte_fallback=True), {}),
]


def corpus(data: Path) -> list[str]:
    with gzip.open(data / "gpt2.golden.jsonl.gz", "rt", encoding="utf8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    inputs = (data / "llama.cpp-golden" / "all-vocabs.inp").read_text(encoding="utf8")
    return texts + inputs.split("\n__ggml_vocab_test__\n")


def make(name: str, cls: str, file: str, vocabulary, told: dict, texts: list[str]) -> dict:
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        words = vocabulary(folder)
        if words is not None:
            (folder / file).write_text("\n".join(words) + "\n", encoding="utf8")
            (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": cls, **told}))
        tokenizer = getattr(transformers, cls).from_pretrained(folder, **told)
        tokenizer.save_pretrained(folder / "saved")
        saved = folder / "saved"
        # Read as a user's folder is read, by nothing but its files.
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(saved / "tokenizer.json"))

        def ids(text: str, special: bool) -> list[int]:
            return tokenizer.encode(text, add_special_tokens=special)

        def decoded(text: str) -> str:
            return tokenizer.backend_tokenizer.decode(ids(text, True), skip_special_tokens=True)

        return {
            "name": name,
            "tokenizer": json.loads((saved / "tokenizer.json").read_text(encoding="utf8")),
            **({"words": words, "told": {"tokenizer_class": cls, **told}} if words is not None else {}),
            "texts": [
                {"text": text, "ids": ids(text, True), "plain": ids(text, False), "decoded": decoded(text)}
                for text in TEXTS + MORE
            ],
            "corpus": [ids(text, True) for text in texts],
        }


def main() -> None:
    texts = corpus(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/tokenizers"))
    OUT.mkdir(parents=True, exist_ok=True)
    for name, *kind in KINDS:
        golden = make(name, *kind, texts)
        target = OUT / f"{name}.json"
        target.write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf8")
        print(name, len(golden["texts"]), len(golden["corpus"]), target.stat().st_size)


main()
