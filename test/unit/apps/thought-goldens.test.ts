/** Our reasoning parsers read what vLLM 0.32's own read, for any split of the text. */
import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
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

describe("blanks", () => {
  it("before the mark that opens a thought are none of it, before another text they are", () => {
    const split = (pieces: readonly string[]) => read("deepseek_r1", pieces).reasoning;
    expect(split([" \n<think>a"])).toBe("a");
    expect(split([..." \n<think>a"])).toBe("a");
    expect(split([" \n<thin"])).toBe(" \n<thin");
    expect(split([" \n", "a <think>"])).toBe(" \na ");
  });

  it("and a mark that opens a thought again: deepseek_r1 drops it, as vLLM's streams do", () => {
    for (const pieces of [["a<think>b</think>c<think>"], [..."a<think>b</think>c<think>"]]) {
      expect(read("deepseek_r1", pieces)).toEqual({ reasoning: "ab", content: "c<think>" });
    }
    expect(read("step3", ["<think>a</think>"]).reasoning).toBe("<think>a");
    expect(read("granite", ["Here is my thought process:a Here's my thought process:b"])).toEqual({
      reasoning: "a Here's my thought process:b",
      content: "",
    });
  });

  const MANY = 2_000;

  /** Characters that are looked at for blanks, of all texts. */
  function lookedAt(run: () => void): number {
    let looked = 0;
    const spies = (["trimStart", "trimEnd", "slice"] as const).map((method) => {
      const plain = String.prototype[method] as (...args: unknown[]) => string;
      return vi.spyOn(String.prototype, method).mockImplementation(function (
        this: string,
        ...args: unknown[]
      ) {
        looked += this.length;
        return plain.apply(this, args);
      });
    });
    try {
      run();
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
    return looked;
  }

  it.each(["glm45", "deepseek_r1"])("of %s are read as often as there are of them", (name) => {
    const blanks = " \n".repeat(MANY / 2);
    for (const pieces of [
      [`${blanks}<b${blanks}`, "c"],
      [...blanks, "c"],
    ]) {
      let found = { reasoning: "", content: "" };
      const looked = lookedAt(() => {
        found = read(name, pieces);
      });
      expect(found).toEqual({ reasoning: pieces.join(""), content: "" });
      expect(looked).toBeLessThan(10 * MANY);
    }
  });
});
