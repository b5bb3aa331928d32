"""Folders as the families of embedders, rerankers and classifiers are published, small and random, by transformers.

    python pooling_folders.py       writes test/conformance/pooling/folders.json

Each entry: `files` (path → text or JSON, as they lie in such a folder), `tensors` (as encoder.py draws them; of
model.safetensors), and what transformers gives in float32: `embeddings` of texts or ids (pooled and normalised as
modules.json says), `logits` of a head over texts or ids, or over pairs.
"""
from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch
from encoder import TEXTS, VOCABULARY, draw
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, BertTokenizerFast, PreTrainedTokenizerFast

OUT = Path(__file__).parents[3] / "test/conformance/pooling/folders.json"
SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
BERT = {
    "model_type": "bert", **SIZES, "vocab_size": len(VOCABULARY), "max_position_embeddings": 128, "type_vocab_size": 2,
    "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0, "position_embedding_type": "absolute",
}
PIECES = ["▁the", "▁cat", "▁sat", "▁on", "▁mat", "▁river", "▁bank", "s", "ing", "▁money", ".", ",", "?", "▁"]
LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
UNIGRAM = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
UNIGRAM += [(piece, -2.0 - index / 16) for index, piece in enumerate(PIECES)] + [(each, -6.0) for each in LETTERS]
XLMR = {
    "model_type": "xlm-roberta", **SIZES, "vocab_size": len(UNIGRAM) + 1, "max_position_embeddings": 66, "type_vocab_size": 1,
    "hidden_act": "gelu", "layer_norm_eps": 1e-5, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2,
    "position_embedding_type": "absolute",
}
DECODER = {
    **SIZES, "vocab_size": 120, "num_key_value_heads": 1, "head_dim": 32, "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": False, "pad_token_id": 0,
}
IDS = [[5, 9, 33, 70, 2, 11], [7], [(index * 31) % 119 + 1 for index in range(90)]]
PAIRS = [["the cat sat", "the river bank."], ["money", "cats sitting on the mat, the river, and the bank of money"], ["the cat", "the cat"]]


def modules(mode: str, normalise: bool = True, newer: bool = False) -> dict:
    kind = lambda name: {
        "Transformer": "sentence_transformers.base.modules.transformer.Transformer",
        "Pooling": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
        "Normalize": "sentence_transformers.sentence_transformer.modules.normalize.Normalize",
    }[name] if newer else f"sentence_transformers.models.{name}"
    listed = [("", "Transformer"), ("1_Pooling", "Pooling"), *([("2_Normalize", "Normalize")] if normalise else [])]
    pooling = {"pooling_mode": mode} if newer else {
        f"pooling_mode_{each}": each.startswith(mode) for each in ("cls_token", "mean_tokens", "max_tokens", "lasttoken")
    }
    return {
        "modules.json": [{"idx": i, "name": str(i), "path": path, "type": kind(name)} for i, (path, name) in enumerate(listed)],
        "1_Pooling/config.json": {"word_embedding_dimension": 64, **pooling, "include_prompt": True},
        "config_sentence_transformers.json": {"__version__": {"sentence_transformers": "5.1.0"}, "prompts": {}},
    }


def word_piece(folder: Path):
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    return BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True, model_max_length=128)


def unigram(folder: Path):
    inner = Tokenizer(models.Unigram(UNIGRAM, unk_id=3))
    inner.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" {2,}", " ")])
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=inner, model_max_length=64, **names)


def entry(name: str, config: dict, *, tokenizer=None, files=None, positions=False, inputs=None, pairs=None) -> dict:
    """`positions`: the file has the old buffer of position ids."""
    [cls] = config["architectures"]
    headed = cls.endswith("ForSequenceClassification")
    auto = AutoModelForSequenceClassification if headed else AutoModel
    files = dict(files or {})
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        parsed = AutoConfig.for_model(**config)
        torch.manual_seed(0)
        auto.from_config(parsed, attn_implementation="eager").save_pretrained(folder)
        words = tokenizer and tokenizer(folder)
        tensors = draw(folder)
        model = auto.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
        if words:
            words.save_pretrained(folder)
            for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
                if (folder / file).exists():
                    text = (folder / file).read_text()
                    files[file] = json.loads(text) if file.endswith(".json") else text
        run = lambda given: model(**{key: torch.tensor([value]) for key, value in given.items()})
        encode = lambda one: {"input_ids": one} if isinstance(one, list) else dict(words(one))
        told = {"name": name, "files": {"config.json": config, **files}, "tensors": tensors, "positions": positions}
        with torch.no_grad():
            if pairs:
                found = [(pair, words(*pair), run(dict(words(*pair))).logits[0]) for pair in pairs]
                told["pairs"] = [
                    {"pair": pair, "ids": given["input_ids"], "logits": rounded(logits)} for pair, given, logits in found
                ]
            elif headed:
                told["logits"] = [{"input": one, "logits": rounded(run(encode(one)).logits[0])} for one in inputs]
            else:
                told["embeddings"] = [{"input": one, "vector": pooled(run(encode(one)).last_hidden_state[0], files)} for one in inputs]
    return told


def rounded(values: torch.Tensor) -> list[float]:
    return [round(value, 7) for value in values.tolist()]


def pooled(states: torch.Tensor, files: dict) -> list[float]:
    told = files["1_Pooling/config.json"]
    mode = told.get("pooling_mode") or next(key for key, value in told.items() if value is True).removeprefix("pooling_mode_")
    vector = states[0] if mode.startswith("cls") else states[-1] if mode.startswith("last") else states.mean(0)
    return rounded(vector / vector.norm() if any("Normalize" in each["type"] for each in files["modules.json"]) else vector)


def labels(*names: str) -> dict:
    return {"id2label": {str(index): name for index, name in enumerate(names)}, "label2id": {name: index for index, name in enumerate(names)}}


def main() -> None:
    bert = {**BERT, "architectures": ["BertModel"]}
    xlmr = {**XLMR, "architectures": ["XLMRobertaModel"]}
    head = {"architectures": ["BertForSequenceClassification"]}
    llama, qwen = {**DECODER, "model_type": "llama"}, {**DECODER, "model_type": "qwen3"}
    sentence = lambda most, lower: {"sentence_bert_config.json": {"max_seq_length": most, "do_lower_case": lower}}
    texts = TEXTS[:4]
    entries = [
        entry("bge", bert, tokenizer=word_piece, files={**modules("cls"), **sentence(96, True)}, positions=True, inputs=texts),
        entry("minilm", bert, tokenizer=word_piece, files={**modules("mean"), **sentence(48, False)}, positions=True, inputs=texts),
        entry("e5", bert, tokenizer=word_piece, files={**modules("mean", newer=True), **sentence(128, False)}, inputs=[f"query: {one}" for one in texts]),
        entry("multilingual-e5", xlmr, tokenizer=unigram, files={**modules("mean"), **sentence(64, False)}, inputs=texts),
        entry("bge-m3", xlmr, tokenizer=unigram, files={**modules("cls"), **sentence(64, False)}, inputs=texts),
        entry("bge-reranker", {**XLMR, "architectures": ["XLMRobertaForSequenceClassification"], **labels("LABEL_0")}, tokenizer=unigram, pairs=PAIRS),
        entry(
            "ms-marco-minilm", {**BERT, **head, **labels("LABEL_0"), "sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}},
            tokenizer=word_piece, pairs=PAIRS,
        ),
        entry("sentiment", {**BERT, **head, **labels("negative", "neutral", "positive")}, tokenizer=word_piece, inputs=texts),
        entry("toxicity", {**BERT, **head, **labels("toxic", "insult"), "problem_type": "multi_label_classification"}, tokenizer=word_piece, inputs=texts),
        entry("llama-classifier", {**llama, "architectures": ["LlamaForSequenceClassification"], **labels("a", "b", "c")}, inputs=IDS),
        entry("qwen3-reward", {**qwen, "architectures": ["Qwen3ForSequenceClassification"], **labels("LABEL_0"), "problem_type": "regression"}, inputs=IDS),
        entry("qwen3-embedding", {**qwen, "architectures": ["Qwen3ForCausalLM"], "tie_word_embeddings": True}, files=modules("lasttoken"), inputs=IDS),
        entry("llama-mean", {**llama, "architectures": ["LlamaModel"]}, files=modules("mean", normalise=False), inputs=IDS),
    ]
    OUT.write_text("[\n" + ",\n".join(json.dumps(each, ensure_ascii=False) for each in entries) + "\n]\n")


if __name__ == "__main__":
    main()
