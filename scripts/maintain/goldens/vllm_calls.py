"""What vLLM 0.32's own tool parsers read in test/unit/apps/call-samples.json, as call-goldens.json beside it.

    VENV/bin/python scripts/maintain/goldens/vllm_calls.py
"""

import json
from pathlib import Path

from transformers import AutoTokenizer
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.tool_parsers import ToolParserManager

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "test/unit/apps/call-samples.json"
GOLDENS = ROOT / "test/unit/apps/call-goldens.json"
MARKS = """<｜tool▁calls▁begin｜> <｜tool▁calls▁end｜> <｜tool▁call▁begin｜> <｜tool▁call▁end｜> <｜tool▁sep｜>
<|tool_calls_section_begin|> <|tool_calls_section_end|> <|tool_call_begin|> <|tool_call_end|>
<|tool_call_argument_begin|> <tool_call> </tool_call> <|tool_call|> <think> </think> <minimax:tool_call>
</minimax:tool_call> <|python_tag|> [TOOL_CALLS] <arg_key> </arg_key> <arg_value> </arg_value> <tool_calls>
</tool_calls> <longcat_tool_call> </longcat_tool_call> <seed:think> </seed:think> <seed:tool_call> </seed:tool_call>""".split()


def tool(name, properties, **more):
    parameters = {"type": "object", "properties": properties, **more}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS = [
    tool(
        "get_weather",
        {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "exact": {"type": "boolean"},
            "tags": {"type": "array"},
            "place": {"type": "object"},
        },
    ),
    tool(
        "typed",
        {
            "where": {"$ref": "#/$defs/Place"},
            "count": {"$ref": "#/$defs/Count"},
            "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "word": {"type": "string"},
        },
        **{"$defs": {"Place": {"type": "object"}, "Count": {"type": "integer"}}},
    ),
    tool("now", {}),
    tool("run", {}),
]


def read(sample, tokenizer):
    request = ChatCompletionRequest(messages=[{"role": "user", "content": "x"}], tools=TOOLS)
    parser = ToolParserManager.get_tool_parser(sample["format"])(tokenizer, request.tools)
    found = parser.extract_tool_calls(sample["text"], request)
    calls = [[call.function.name, json.loads(call.function.arguments)] for call in found.tool_calls]
    return {**sample, "content": found.content, "calls": calls}


def main():
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "models/bundled/trainyard-tiny")
    tokenizer.add_tokens(MARKS, special_tokens=True)
    goldens = []
    for sample in json.loads(SAMPLES.read_text()):
        try:
            goldens.append(read(sample, tokenizer))
        except Exception as error:
            print(sample["format"], sample["what"], repr(error)[:300])
    lines = ",\n".join(json.dumps(golden, ensure_ascii=False) for golden in goldens)
    GOLDENS.write_text(f"[\n{lines}\n]\n")


main()
