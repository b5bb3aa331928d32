"""Tiny random models as llama.cpp's own tools write them, and what llama.cpp says of each.

    python make_gguf.py LLAMA_CPP LIBRARIES [NAME …]    writes models/tiny/gguf/NAME.gguf and NAME.json

LLAMA_CPP is a checkout (its converter and headers), LIBRARIES a folder with its built libraries; node-llama-cpp
ships both, as a git bundle and in its package for the platform. Needs transformers, torch and g++.
`twin` is the file widened to F32 by llama.cpp's quantize: what it computes of that has no rounding of
activations, which it does where weights are not F32. A prompt is kept when both give the same ids, every
choice beating the second by MARGIN. `read` is what it computes of the file itself when it reads the whole
text in one batch through its BLAS backend, which widens weights and rounds nothing; experts and projections
narrower than 32 do not go through that, so models that have them have no `read`. LIBRARIES needs
libggml-blas.so (its one source file, with OpenBLAS).
"""
from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = HERE.parents[3] / "models" / "tiny" / "gguf"
LLAMA_CPP, LIBRARIES = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
sys.path[:0] = [str(HERE.parent), str(LLAMA_CPP), str(LLAMA_CPP / "gguf-py")]

import sentencepiece
import torch
import transformers
from conversion.base import ModelBase, TextModel
import conversion
import gguf
from make_goldens import TEXTS
from tiny_models import CHATML_TEMPLATE, INST_TEMPLATE, randomize
from tiny_tokenizers import PROSE, byte_level
from transformers import PreTrainedTokenizerFast

STEPS, CASES, TRIES, MARGIN = 64, 4, 400, 0.01
LOGITS = ("first_logits", "last_logits")
CHATML = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SIZE = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
}
YARN = {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 64, "rope_theta": 1e4}
LLAMA3 = {
    "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64, "rope_theta": 1e4,
}
LONG = {
    "rope_type": "longrope", "rope_theta": 1e4, "original_max_position_embeddings": 256,
    "short_factor": [1.0 + 0.05 * i for i in range(4)], "long_factor": [1.0 + 0.5 * i for i in range(4)],
}
SLIDING = {
    "full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4},
    "sliding_attention": {"rope_type": "default", "rope_theta": 1e3},
}
# name: class, its settings, tokenizer, its name in GGUF (none: SentencePiece's), type
MODELS = {
    "llama-q4_0": ("Llama", {"head_dim": 16, "rope_parameters": LLAMA3}, "bytes", "llama-bpe", "Q4_0"),
    "llama-spm-f16": ("Llama", {"num_hidden_layers": 1, "tie_word_embeddings": True}, "pieces", None, "F16"),
    "mixtral-q8_0": ("Mixtral", {"head_dim": 16, "num_hidden_layers": 1, "num_local_experts": 4, "sliding_window": None}, "pieces", None, "Q8_0"),
    "qwen2-q8_0": ("Qwen2", {"tie_word_embeddings": True, "rope_parameters": YARN}, "bytes", "qwen2", "Q8_0"),
    "qwen3-bf16": ("Qwen3", {"head_dim": 32, "num_hidden_layers": 1}, "bytes", "qwen2", "BF16"),
    "qwen3moe-q4_0": (
        "Qwen3Moe",
        {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "norm_topk_prob": True},
        "bytes", "qwen2", "Q4_0",
    ),
    "phi3-q8_0": (
        "Phi3", {"rope_parameters": LONG, "original_max_position_embeddings": 256, "sliding_window": 400},
        "bytes", "dbrx", "Q8_0",
    ),
    "gemma3-q8_0": (
        "Gemma3",
        {"head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 24, "rope_parameters": SLIDING,
         "num_hidden_layers": 6, "intermediate_size": 32, "tie_word_embeddings": True},
        "bytes", "llama-bpe", "Q8_0",
    ),
    "llama-q4_k_m": (
        "Llama",
        {"hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 1, "head_dim": 64,
         "num_key_value_heads": 1, "tie_word_embeddings": True},
        "bytes", "llama-bpe", "Q4_K_M",
    ),
}


def folder_of(name: str, path: Path) -> None:
    family, settings, tokenizer, pre, _ = MODELS[name]
    if tokenizer == "bytes":
        words = byte_level(320, CHATML, None, pre == "qwen2")
        fast = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<|endoftext|>", eos_token="<|im_end|>")
    else:
        pieces(path / "tokenizer.model")
        fast = transformers.LlamaTokenizer.from_pretrained(path, legacy=True, add_bos_token=True)
    begin, end = fast.bos_token, fast.eos_token
    fast.chat_template = CHATML_TEMPLATE if tokenizer == "bytes" else INST_TEMPLATE
    fast.save_pretrained(path)
    told = json.loads((path / "tokenizer_config.json").read_text())
    told |= {"chat_template": fast.chat_template, "add_bos_token": tokenizer == "pieces"}
    # The converter of Phi goes by the class.
    told["tokenizer_class"] = "GPT2Tokenizer" if family == "Phi3" else "PreTrainedTokenizerFast"
    (path / "tokenizer_config.json").write_text(json.dumps(told))
    config_class = getattr(transformers, f"{family}TextConfig", None) or getattr(transformers, f"{family}Config")
    config = config_class(
        vocab_size=len(fast), bos_token_id=fast.convert_tokens_to_ids(begin),
        eos_token_id=fast.convert_tokens_to_ids(end), pad_token_id=None, **{**SIZE, **settings},
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"{family}ForCausalLM")(config)
    randomize(model, sum(map(ord, name)))
    # Gentler than the others': what llama.cpp rounds away grows from layer to layer.
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data *= 0.4
    if family == "Gemma3":
        for key, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.data -= 1.0
    model.save_pretrained(path)


def pieces(path: Path) -> None:
    """SentencePiece's own BPE, which GGUF keeps as scores without merges."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(PROSE.strip().splitlines() * 3), model_prefix=str(path.with_suffix("")), vocab_size=400,
        hard_vocab_limit=False, model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, minloglevel=2, character_coverage=1.0,
    )


def convert(name: str, folder: Path, target: Path) -> None:
    pre = MODELS[name][3]
    if pre is not None:
        TextModel.get_vocab_base_pre = lambda self, tokenizer: pre
    hparams = ModelBase.load_hparams(folder, False)
    cls = conversion.get_model_class(hparams["architectures"][0], mmproj=False)
    with torch.inference_mode():
        cls(folder, gguf.LlamaFileType.ALL_F32, target, model_name="tiny").write()


def peer(*arguments: str) -> list:
    done = subprocess.run([str(PEER), str(LIBRARIES), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{arguments[:2]}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def read(name: str, target: Path, case: dict) -> list[float] | None:
    settings = SIZE | MODELS[name][1]
    narrow = settings["num_key_value_heads"] * settings["head_dim"] < 32
    if narrow or any("experts" in key for key in settings):
        return None
    prompt, output = case["prompt_ids"], case["output_ids"]
    (answer,) = peer("read", str(target), ",".join(map(str, prompt + output[:-1])))
    assert answer["output_ids"][len(prompt) - 1 :] == output, name
    return short(answer["last_logits"])


def cases_of(name: str, target: Path, twin: Path, vocabulary: int) -> list[dict]:
    drawn = random.Random(7)
    prompts = [[drawn.randrange(vocabulary - 10) for _ in range(drawn.randrange(4, 40))] for _ in range(TRIES)]
    text = ";".join(",".join(map(str, prompt)) for prompt in prompts)
    wide, own = (peer("greedy", str(path), str(STEPS), text) for path in (twin, target))
    kept = []
    for prompt, exact, rounded in zip(prompts, wide, own):
        same = exact["output_ids"] == rounded["output_ids"]
        if len(kept) < CASES and same and min(exact["margin"], rounded["margin"]) >= MARGIN:
            kept.append({
                "prompt_ids": prompt, "output_ids": exact["output_ids"],
                "logits": {"twin": [short(exact[key]) for key in LOGITS], "own": [short(rounded[key]) for key in LOGITS]},
            })
    errors = [
        max(abs(a - b) for a, b in zip(exact["first_logits"], rounded["first_logits"])) for exact, rounded in zip(wide, own)
    ]
    flat = [v for answer in wide for v in answer["first_logits"]]
    mean = sum(flat) / len(flat)
    spread = (sum((v - mean) ** 2 for v in flat) / len(flat)) ** 0.5
    same = sum(a["output_ids"] == b["output_ids"] for a, b in zip(wide, own))
    print(f"  logits spread by {spread:.2f}; rounding of activations moves them by up to {max(errors):.4f}, ids alike in {same} of {TRIES}")
    for case in kept[1:]:
        del case["logits"]
    batch = read(name, target, kept[0])
    if batch is not None:
        kept[0]["logits"]["read"] = [batch]
    return kept


def short(value):
    return [round(each, 4) if isinstance(each, float) else each for each in value] if isinstance(value, list) else value


def make(name: str) -> None:
    with tempfile.TemporaryDirectory() as path:
        folder, whole, twin, texts = (Path(path) / part for part in ("hf", "f32.gguf", "twin.gguf", "texts"))
        target = OUT / f"{name}.gguf"
        folder.mkdir()
        folder_of(name, folder)
        convert(name, folder, whole)
        peer("quantize", str(whole), str(target), MODELS[name][4])
        peer("quantize", str(target), str(twin), "F32")
        texts.write_bytes("\0".join(TEXTS).encode())
        hf = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        piece_file = folder / "tokenizer.model"
        piece = sentencepiece.SentencePieceProcessor(model_file=str(piece_file)) if piece_file.exists() else None
        golden = {
            "tensors": peer("hashes", str(target)),
            "texts": [
                {"text": text, "ids": ids, "source": [piece.bos_id(), *piece.encode(text)] if piece else hf.encode(text)}
                for text, ids in zip(TEXTS, peer("tokenize", str(target), str(texts)))
            ],
            "cases": cases_of(name, target, twin, len(hf)),
        }
    (OUT / f"{name}.json").write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(name, target.stat().st_size, len(golden["cases"]))


OUT.mkdir(parents=True, exist_ok=True)
with tempfile.TemporaryDirectory() as built:
    PEER = Path(built) / "llama_peer"
    libraries = [str(path) for part in ("llama", "ggml", "ggml-base") for path in sorted(LIBRARIES.glob(f"lib{part}.*so*"))[:1]]
    includes = [f"-I{LLAMA_CPP / part}" for part in ("include", "ggml/include")]
    subprocess.run(
        ["g++", "-O1", "-std=c++17", *includes, "-o", str(PEER), str(HERE / "llama_peer.cpp"), *libraries,
         f"-Wl,-rpath,{LIBRARIES}"], check=True,
    )
    for each in sys.argv[3:] or MODELS:
        make(each)
