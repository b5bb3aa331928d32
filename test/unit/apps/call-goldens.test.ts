/** Our tool parsers read what vLLM 0.32's own read, for any split of the text. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { callsOf, type ParsedPart, textOf } from "../../../server/generation/parts.ts";
import { createOutputParser } from "../../../server/generation/tools/output-parser.ts";
import { createToolParser, toolFormat } from "../../../server/generation/tools/registry.ts";

interface Golden {
  readonly format: string;
  readonly what: string;
  readonly text: string;
  readonly content: string | null;
  readonly calls: readonly (readonly [name: string, args: unknown])[];
}

const GOLDENS = JSON.parse(
  readFileSync(new URL("call-goldens.json", import.meta.url), "utf8"),
) as readonly Golden[]; // written by scripts/maintain/goldens/vllm_calls.py

/** Where ours keeps more than vLLM does: references of the schema are followed, no value is dropped. */
const OTHERWISE: Readonly<Record<string, Golden["calls"]>> = {
  "types by reference": [["typed", { where: { lat: 1.5 }, count: 7, maybe: null, word: "12" }]],
  "the last closing tag forgotten": [["get_weather", { days: 4 }]],
  "cut inside a closing tag": [["get_weather", { city: "Paris", days: 3 }]],
  "cut inside a closing tag of one line": [["get_weather", { city: "Paris", days: 3 }]],
};

const tool = (name: string, properties: object, more: object = {}) => ({
  type: "function",
  function: { name, parameters: { type: "object", properties, ...more } },
});
const TOOLS = [
  tool("get_weather", {
    city: { type: "string" },
    days: { type: "integer" },
    exact: { type: "boolean" },
    tags: { type: "array" },
    place: { type: "object" },
  }),
  tool(
    "typed",
    {
      where: { $ref: "#/$defs/Place" },
      count: { $ref: "#/$defs/Count" },
      maybe: { anyOf: [{ type: "integer" }, { type: "null" }] },
      word: { type: "string" },
    },
    { $defs: { Place: { type: "object" }, Count: { type: "integer" } } },
  ),
];

function parse(name: string, pieces: readonly string[]): readonly ParsedPart[] {
  const format = toolFormat(name);
  if (format === undefined) throw new Error(`There is no ${name}.`);
  const parser = createOutputParser({
    tools: createToolParser(format, TOOLS),
    maxCalls: Number.POSITIVE_INFINITY,
    showReasoning: true,
  });
  return [...pieces.flatMap((piece) => [...parser.push(piece, [])]), ...parser.end()];
}

const read = (parts: readonly ParsedPart[]) => ({
  content: textOf(parts, "text-delta") ?? "",
  calls: callsOf(parts).map((call) => [call.name, JSON.parse(call.arguments)]),
});

describe.each(GOLDENS)("$format: $what", ({ format, what, text, content, calls }) => {
  it("is read as vLLM reads it", () => {
    const ours = read(parse(format, [text]));
    expect(ours.calls).toEqual(OTHERWISE[what] ?? calls);
    expect(ours.content.trim()).toBe((content ?? "").trim());
  });

  it("is read the same character by character, and in sevens", () => {
    const whole = read(parse(format, [text]));
    for (const size of [1, 7]) {
      const pieces = text.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
      expect(read(parse(format, pieces))).toEqual(whole);
    }
  });

  it("gives no argument of a cut-off call twice, and never throws", () => {
    for (let end = 0; end < text.length; end += 3) {
      const begun = parse(format, [text.slice(0, end)]).filter((p) => p.type === "call-start");
      expect(begun.map((part) => part.call)).toEqual(begun.map((_, index) => index));
    }
  });
});

describe("ids", () => {
  it("are the model's own where it gives them", () => {
    const golden = GOLDENS.find(({ format }) => format === "kimi_k2");
    const parts = parse("kimi_k2", [golden?.text ?? ""]);
    const ids = parts.flatMap((part) => (part.type === "call-start" ? [part.id] : []));
    expect(ids).toEqual(["functions.get_weather:0", "functions.now:1"]);
  });
});
