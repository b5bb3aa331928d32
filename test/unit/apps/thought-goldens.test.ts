/** Our reasoning parsers read what vLLM 0.32's own read, for any split of the text. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { reasoningFormat } from "../../../server/generation/reasoning/registry.ts";
import { splitterOf } from "../../../server/generation/reasoning/splitter.ts";

interface Golden {
  readonly format: string;
  readonly text: string;
  readonly reasoning: string | null;
  readonly content: string | null;
}

const GOLDENS = JSON.parse(
  readFileSync(new URL("thought-goldens.json", import.meta.url), "utf8"),
) as readonly Golden[]; // written by scripts/maintain/goldens/vllm_thoughts.py
const NAMES = [...new Set(GOLDENS.map(({ format }) => format))];

function read(name: string, pieces: readonly string[]) {
  const format = reasoningFormat(name);
  if (format === undefined) throw new Error(`There is no ${name}.`);
  const splitter = splitterOf(format);
  const splits = [...pieces.map((piece) => splitter.push(piece)), splitter.end()];
  return {
    reasoning: splits.map(({ reasoning }) => reasoning).join(""),
    content: splits.map(({ content }) => content).join(""),
  };
}

describe.each(NAMES)("%s", (name) => {
  const goldens = GOLDENS.filter(({ format }) => format === name);

  it("reads whole texts as vLLM does", () => {
    for (const { text, reasoning, content } of goldens) {
      const vllm = { reasoning: reasoning ?? "", content: content ?? "" };
      expect({ text, ...read(name, [text]) }).toEqual({ text, ...vllm });
    }
  });

  it("reads the same in pieces of 1, 2, 3 and 5 characters", () => {
    for (const { text } of goldens) {
      for (const size of [1, 2, 3, 5]) {
        const pieces = text.match(new RegExp(`[^]{1,${size}}`, "gu")) ?? [];
        expect({ text, size, ...read(name, pieces) }).toEqual({
          text,
          size,
          ...read(name, [text]),
        });
      }
    }
  });
});

describe("a call", () => {
  it("keeps the marks that stand in its arguments, and loses those after it", () => {
    const call = '<tool_call>{"code": "</think>"}</tool_call>';
    expect(read("qwen3", [`hm${call}</think> there`])).toEqual({
      reasoning: "hm",
      content: `${call} there`,
    });
  });
});
