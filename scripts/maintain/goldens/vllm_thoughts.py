"""What vLLM 0.32's own reasoning parsers read in drawn texts, as test/unit/apps/thought-goldens.json.

    VENV/bin/python scripts/maintain/goldens/vllm_thoughts.py
"""

import json
import random
from pathlib import Path

from transformers import AutoTokenizer
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.reasoning import ReasoningParserManager

ROOT = Path(__file__).resolve().parents[3]
GOLDENS = ROOT / "test/unit/apps/thought-goldens.json"
THINK = ("<think>", "</think>")
DSML = "｜DSML｜"
PLAMO = ("<|plamo:begin_%s:plamo|>", "<|plamo:end_%s:plamo|>")
FORMATS = {
    "deepseek_v4": (*THINK, f"<{DSML}tool_calls>", f"</{DSML}tool_calls>"),
    "deepseek_v41": (*THINK, f"<{DSML} calls>", f"</{DSML} calls>"),
    "glm45": (*THINK, "<tool_call>", "</tool_call>"),
    "kimi_k2": (*THINK, "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
    "ling3": (*THINK, "<tool_call>", "</tool_call>"),
    "mimo": (*THINK, "<tool_call>", "</tool_call>"),
    "minimax_m2": (*THINK, "<minimax:tool_call>", "</minimax:tool_call>"),
    "mistral": ("[THINK]", "[/THINK]", "[TOOL_CALLS]", ""),
    "nemotron_v3": (*THINK, "<tool_call>", "</tool_call>"),
    "plamo3": (*(mark % "think" for mark in PLAMO), *(mark % "tool_requests" for mark in PLAMO)),
    "qwen3": (*THINK, "<tool_call>", "</tool_call>"),
    "seed_oss": ("<seed:think>", "</seed:think>", "<seed:tool_call>", "</seed:tool_call>"),
    "step3": (*THINK, "", ""),
    "step3p5": (*THINK, "<tool_call>", "</tool_call>"),
}
WORDS = ["hm", " so", "\n", "\n\n", " ", "a < b", "<th", "</", "[T", "<thinking>", "é", "{}", "."]
DRAWN = 40


def texts(name):
    opened, closed, call, called = FORMATS[name]
    random.seed(name)
    yield from (f"{opened}hm{closed}\n\nHi", f"hm {opened}so\n{closed} Hi{closed} there", f"hm{opened}")
    if call:
        yield f"hm {call}f {{}}{called}"
    for _ in range(DRAWN):
        marks = [opened, closed, closed, opened[:-1], closed[:3]]
        if called and random.random() < 0.3:
            marks.append(f"{call}f {{}}{called}")
        parts = random.choices(marks, k=random.randint(1, 4)) + random.choices(WORDS, k=random.randint(1, 5))
        random.shuffle(parts)
        yield "".join(parts)


def main():
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "models/bundled/trainyard-tiny")
    marks = sorted({mark for marks in FORMATS.values() for mark in marks if mark} | {"[ARGS]"})
    tokenizer.add_tokens(marks, special_tokens=True)
    request = ChatCompletionRequest(messages=[{"role": "user", "content": "x"}])
    goldens = []
    for name in FORMATS:
        parser = ReasoningParserManager.get_reasoning_parser(name)(tokenizer)
        for text in dict.fromkeys(texts(name)):
            reasoning, content = parser.extract_reasoning(text, request)
            goldens.append({"format": name, "text": text, "reasoning": reasoning, "content": content})
    lines = ",\n".join(json.dumps(golden, ensure_ascii=False) for golden in goldens)
    GOLDENS.write_text(f"[\n{lines}\n]\n")


main()
