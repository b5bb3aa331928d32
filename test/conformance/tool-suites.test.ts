/** Real function definitions and grammars: calls survive every format, schemas and GBNF compile. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { callsOf as callsIn, type ParsedPart, textOf } from "../../server/generation/parts.ts";
import { createOutputParser } from "../../server/generation/tools/output-parser.ts";
import { createToolParser, toolFormat } from "../../server/generation/tools/registry.ts";
import { Automaton } from "../../server/grammar/automaton.ts";
import { parseEbnf } from "../../server/grammar/ebnf.ts";
import { compileSchema } from "../../server/grammar/schema/compile.ts";

const DATA = process.env["TRAINYARD_DATA"] ?? "../shared/data";
const BFCL = join(DATA, "function-calling-bfcl");
const GBNF = join(DATA, "grammars-gbnf");

interface Case {
  readonly function: readonly Described[];
  readonly ground_truth: readonly Readonly<
    Record<string, Readonly<Record<string, readonly unknown[]>>>
  >[];
}

interface Described {
  readonly name: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

interface Call {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** BFCL's own type names as JSON schema's. */
const TYPES: Readonly<Record<string, string>> = {
  dict: "object",
  float: "number",
  tuple: "array",
  any: "string",
};

function schemaOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(schemaOf);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === "type" && typeof inner === "string" ? (TYPES[inner] ?? inner) : schemaOf(inner),
    ]),
  );
}

function casesOf(name: string): readonly Case[] {
  const text = gunzipSync(readFileSync(join(BFCL, `${name}.jsonl.gz`))).toString("utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Case); // our data set
}

/** Each truth lists the values that are right; the first is taken, "" means left out. */
function callsOf({ ground_truth: truth }: Case): Call[] {
  return truth.flatMap((one) =>
    Object.entries(one).map(([name, given]) => ({
      name,
      arguments: Object.fromEntries(
        Object.entries(given).flatMap(([key, values]) =>
          values[0] === "" || values[0] === undefined ? [] : [[key, values[0]]],
        ),
      ),
    })),
  );
}

function python(value: unknown): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, inner]) => `${JSON.stringify(key)}: ${python(inner)}`)
    .join(", ")}}`;
}

const WRITE: Readonly<Record<string, (calls: readonly Call[]) => string>> = {
  hermes: (calls) =>
    calls.map((call) => `<tool_call>\n${JSON.stringify(call)}\n</tool_call>`).join("\n"),
  llama3_json: (calls) =>
    calls
      .map(({ name, arguments: given }) => JSON.stringify({ name, parameters: given }))
      .join("; "),
  mistral: (calls) => `[TOOL_CALLS]${JSON.stringify(calls)}`,
  pythonic: (calls) =>
    `[${calls
      .map(
        ({ name, arguments: given }) =>
          `${name}(${Object.entries(given)
            .map(([key, value]) => `${key}=${python(value)}`)
            .join(", ")})`,
      )
      .join(", ")}]`,
};

function parse(format: string, text: string, piece: number): readonly Call[] {
  const known = toolFormat(format);
  if (known === undefined) throw new Error(`There is no format ${format}.`);
  const parser = createOutputParser({
    tools: createToolParser(known, []),
    maxCalls: Number.POSITIVE_INFINITY,
    showReasoning: true,
  });
  const parts: ParsedPart[] = [];
  for (let at = 0; at < text.length; at += piece)
    parts.push(...parser.push(text.slice(at, at + piece), []));
  parts.push(...parser.end());
  expect(textOf(parts, "text-delta") ?? "").toBe("");
  return callsIn(parts).map(({ name, arguments: given }) => ({
    name,
    arguments: JSON.parse(given),
  }));
}

describe.skipIf(!existsSync(BFCL))("BFCL (skipped without TRAINYARD_DATA)", () => {
  it.each(["simple_python", "parallel", "parallel_multiple"])(
    "%s: calls are read back from each format",
    (name) => {
      for (const [i, one] of casesOf(name).entries()) {
        const calls = callsOf(one);
        for (const [format, write] of Object.entries(WRITE))
          expect(parse(format, write(calls), 1 + (i % 9))).toEqual(calls);
      }
    },
  );

  it("compiles the parameters of every function", () => {
    const functions = ["simple_python", "multiple", "parallel", "live_simple"].flatMap((name) =>
      casesOf(name).flatMap((one) => one.function),
    );
    expect(functions.length).toBeGreaterThan(1_000);
    const refused = functions.filter((one) => {
      try {
        return (
          new Automaton(
            compileSchema(schemaOf(one.parameters) as Parameters<typeof compileSchema>[0]),
          ).start.leaves.length === 0
        );
      } catch {
        return true;
      }
    });
    // It contradicts itself: a required list whose `enum` has only texts.
    expect(refused.map((one) => one.name)).toEqual(["extract_parameters_v1"]);
  });
});

it.skipIf(!existsSync(GBNF))(
  "compiles llama.cpp's grammars (skipped without TRAINYARD_DATA)",
  () => {
    const accepts: Readonly<Record<string, readonly [yes: string, no: string]>> = {
      "json.gbnf": ['{"a": [1, true]}', '{"a": }'],
      "arithmetic.gbnf": ["(1+2)*3=9\n", "1++"],
      "list.gbnf": ["- one\n- two\n", "one"],
      "json_arr.gbnf": ["[\n1,\n2]", "{}"],
    };
    const files = readdirSync(GBNF).filter((name) => name.endsWith(".gbnf"));
    expect(files.length).toBe(9);
    for (const name of files) {
      const automaton = new Automaton(parseEbnf(readFileSync(join(GBNF, name), "utf8")));
      const [yes, no] = accepts[name] ?? [];
      if (yes !== undefined) expect([name, automaton.accepts(yes)]).toEqual([name, true]);
      if (no !== undefined) expect([name, automaton.accepts(no)]).toEqual([name, false]);
    }
  },
);
