/** Whatever a parser finds and however its text is cut: parts open, grow and end in order. */
import { describe, expect, it } from "vitest";
import { ChoiceReader, PLAIN } from "../../../server/generation/parser.ts";
import {
  callsOf,
  finishOf,
  type OutputPart,
  textOf,
  withClosedCalls,
} from "../../../server/generation/parts.ts";
import { createOutputParser } from "../../../server/generation/tools/output-parser.ts";
import { createToolParser, toolFormat } from "../../../server/generation/tools/registry.ts";

const CALL = '<tool_call>\n{"name": "f", "arguments": {"a": [1, "}"]}}\n</tool_call>';
const OUTPUTS = {
  plain: "Only words.",
  empty: "",
  thought: "<think>Let me see.</think>Yes.",
  "thought only": "<think>Let me",
  call: CALL,
  "two calls": `${CALL}\n${CALL}`,
  "words, call, words": `Look: ${CALL} There.`,
  "all of it": `<think>Hm.</think>Look: ${CALL}${CALL} There.`,
  "cut off": `<think>Hm.</think>${CALL.slice(0, 45)}`,
};

function read(text: string, size: number, maxCalls = Number.POSITIVE_INFINITY): OutputPart[] {
  const format = toolFormat("hermes");
  const reader = new ChoiceReader(
    createOutputParser({
      reasoning: text.startsWith("<think>") ? "think" : undefined,
      tools: format && createToolParser(format, []),
      maxCalls,
      showReasoning: true,
    }),
  );
  const delta = { index: 0, ids: [], logprobs: [] };
  const parts: OutputPart[] = [];
  for (let at = 0; at < text.length; at += size) {
    parts.push(...reader.read({ ...delta, text: text.slice(at, at + size) }).parts);
  }
  const finish = { reason: "stop", stopReason: null } as const;
  parts.push(...reader.read({ ...delta, text: "", finish }).parts);
  return parts;
}

/** The order that every wire format relies on. */
function check(parts: readonly OutputPart[]): void {
  let open: string | undefined;
  let calls = 0;
  parts.forEach((part, at) => {
    const [kind = "", what] = part.type.split("-");
    if (part.type === "finish") {
      expect(open).toBeUndefined();
      expect(at).toBe(parts.length - 1);
      expect(part.calls).toBe(calls);
      return;
    }
    if ("call" in part) expect(part.call).toBe(part.type === "call-start" ? calls : calls - 1);
    if (what === "start") {
      expect(open).toBeUndefined();
      open = kind;
      if (kind === "call") calls++;
    } else {
      expect(open).toBe(kind);
      if (what === "end") open = undefined;
    }
  });
  expect(finishOf(parts)?.reason).toBe("stop");
}

describe.each(Object.entries(OUTPUTS))("%s", (_, text) => {
  it.each([1, 2, 3, 7, 1000])("in pieces of %i", (size) => {
    const parts = read(text, size);
    check(parts);
    const whole = read(text, 1000);
    for (const type of ["text-delta", "reasoning-delta"] as const) {
      expect(textOf(parts, type)).toBe(textOf(whole, type));
    }
    const bare = (all: readonly OutputPart[]) => callsOf(all).map(({ id, ...call }) => call);
    expect(bare(parts)).toEqual(bare(whole));
  });

  it("with one call at most", () => check(read(text, 5, 1)));
});

it("says nothing of a held-back character, and ends what it began", () => {
  const reader = new ChoiceReader(PLAIN);
  const delta = { index: 0, ids: [1], logprobs: [] };
  expect(reader.read({ ...delta, text: "" }).parts).toEqual([]);
  const finish = { reason: "length", stopReason: null } as const;
  expect(reader.read({ ...delta, text: "é", finish }).parts.map((part) => part.type)).toEqual([
    "text-start",
    "text-delta",
    "text-end",
    "finish",
  ]);
});

describe("a call that is cut off in the piece that named it", () => {
  const start = { type: "call-start", call: 0, id: "c", name: "f" } as const;
  const end = { type: "call-end", call: 0 } as const;
  const words = { type: "call-delta", call: 0, text: '{"a":' } as const;
  const finish = { type: "finish", reason: "length", stopReason: null, calls: 1 } as const;
  const closed = (parts: readonly object[]) =>
    withClosedCalls({ index: 0, parts } as Parameters<typeof withClosedCalls>[0]).parts;

  it("is closed as one without arguments, and no other is", () => {
    expect(closed([start, end, finish])).toEqual([
      start,
      { type: "call-delta", call: 0, text: "{}" },
      end,
      finish,
    ]);
    for (const parts of [[start, words, end, finish], [start, end], [end, finish], [finish], []])
      expect(closed(parts)).toEqual(parts);
  });
});

it("blanks of arguments go out with what follows them, as vLLM's", () => {
  const pieces = (size: number) =>
    read('<tool_call>\n{"name": "f", "arguments": {"a":  1, "b c": ""} }\n</tool_call>', size)
      .filter((part) => part.type === "call-delta")
      .map(({ text }) => text);
  expect(pieces(1).join("")).toBe('{"a":  1, "b c": ""}');
  expect(pieces(1).filter((text) => text !== text.trimEnd())).toEqual([]);
  expect(pieces(1)).toContain("  1");
});
