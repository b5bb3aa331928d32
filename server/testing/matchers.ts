/**
 * Matchers for vitest and jest (`expect.extend(trainyardMatchers)`): of what a client got,
 * whole or as a stream. Each takes an answer, a stream, the promise of one, or a function
 * that asks; only the function lets times count from the request.
 */

import { isDeepStrictEqual } from "node:util";
import { Ajv2020 } from "ajv/dist/2020.js";
import { entryAt } from "../entry-at.ts";
import { type Output, readOutput } from "./output.ts";

/** For the types of `expect`: `declare module "vitest" { interface Matchers<T> extends TrainyardMatchers<Promise<void>> {} }`. */
export interface TrainyardMatchers<R = Promise<void>> {
  /** The whole text, or a pattern found in it. */
  toStreamText(expected: string | RegExp): R;
  /** The whole thought, or a pattern found in it. */
  toThink(expected: string | RegExp): R;
  /** A call of this name; `args`: these arguments, among others where it is an object. */
  toCallTool(name: string, args?: unknown): R;
  /** The text, as JSON, is of this schema (draft 2020-12). */
  toMatchJsonSchema(schema: object): R;
  /** As the format names it: stop, length, tool_calls, end_turn, completed. */
  toFinishWith(reason: string): R;
  /** It ends in an error, its message as given. */
  toBreakOff(expected?: string | RegExp): R;
  /** The first piece comes within so many ms. */
  toStartWithin(ms: number): R;
  /** All of it comes within so many ms. */
  toEndWithin(ms: number): R;
  /** So many pieces a second after the first, at least. */
  toKeepPace(piecesPerSecond: number): R;
  /** No gap between two pieces is longer than so many ms. */
  toPauseAtMost(ms: number): R;
}

export interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

type Check = (output: Output) => {
  readonly pass: boolean;
  readonly wanted: string;
  readonly got: string;
};

async function judged(received: unknown, check: Check, mayBreak = false): Promise<MatcherResult> {
  const output = await readOutput(received);
  const { error } = output;
  if (error !== undefined && !mayBreak) {
    // Neither the matcher nor its opposite holds of what broke off.
    throw error instanceof Error ? error : new Error(String(error));
  }
  const { pass, wanted, got } = check(output);
  return { pass, message: () => `expected ${pass ? "not " : ""}${wanted}\ngot ${got}` };
}

const shown = (value: unknown): string => JSON.stringify(value) ?? String(value);

const textMatches = (expected: string | RegExp, text: string): boolean =>
  typeof expected === "string"
    ? expected === text
    : new RegExp(expected.source, expected.flags.replace("g", "")).test(text);

const named = (expected: string | RegExp): string =>
  typeof expected === "string" ? shown(expected) : String(expected);

const milliseconds = (ms: number | undefined): string =>
  ms === undefined ? "nothing" : `${Math.round(ms * 10) / 10} ms`;

export const MATCHERS = {
  toStreamText: (received: unknown, expected: string | RegExp) =>
    judged(received, ({ text }) => ({
      pass: textMatches(expected, text),
      wanted: `the text ${named(expected)}`,
      got: shown(text),
    })),

  toThink: (received: unknown, expected: string | RegExp) =>
    judged(received, ({ reasoning }) => ({
      pass: reasoning !== "" && textMatches(expected, reasoning),
      wanted: `the thought ${named(expected)}`,
      got: shown(reasoning),
    })),

  toCallTool: (received: unknown, name: string, args?: unknown) =>
    judged(received, ({ calls }) => ({
      pass: calls.some(
        (call) => call.name === name && (args === undefined || holds(args, parsed(call.arguments))),
      ),
      wanted: `a call of ${name}${args === undefined ? "" : ` with ${shown(args)}`}`,
      got:
        calls.length === 0
          ? "no call"
          : calls.map((call) => `${call.name}(${call.arguments})`).join(", "),
    })),

  toMatchJsonSchema: (received: unknown, schema: object) =>
    judged(received, ({ text }) => {
      const ajv = new Ajv2020({ strict: false, allErrors: true });
      const value = parsed(text);
      const pass = value !== undefined && ajv.validate(schema, value);
      const why = value === undefined ? "no JSON" : ajv.errorsText(ajv.errors);
      return { pass, wanted: "JSON of the schema", got: `${shown(text)}${pass ? "" : `: ${why}`}` };
    }),

  toFinishWith: (received: unknown, reason: string) =>
    judged(received, ({ finish }) => ({
      pass: finish === reason,
      wanted: `the finish ${shown(reason)}`,
      got: shown(finish),
    })),

  toBreakOff: (received: unknown, expected?: string | RegExp) =>
    judged(
      received,
      ({ error, text }) => {
        const message = error instanceof Error ? error.message : shown(error);
        const fits =
          typeof expected === "string"
            ? message.includes(expected)
            : expected === undefined || textMatches(expected, message);
        return {
          pass: error !== undefined && fits,
          wanted: `an error${expected === undefined ? "" : ` ${named(expected)}`}`,
          got: error === undefined ? `all of ${shown(text)}` : shown(message),
        };
      },
      true,
    ),

  toStartWithin: (received: unknown, ms: number) =>
    judged(received, ({ times: [first] }) => ({
      pass: first !== undefined && first <= ms,
      wanted: `a first piece within ${milliseconds(ms)}`,
      got: milliseconds(first),
    })),

  toEndWithin: (received: unknown, ms: number) =>
    judged(received, (output) => ({
      pass: output.ms <= ms,
      wanted: `the end within ${milliseconds(ms)}`,
      got: milliseconds(output.ms),
    })),

  toKeepPace: (received: unknown, piecesPerSecond: number) =>
    judged(received, ({ times }) => {
      const [first = 0] = times;
      const pace = ((times.length - 1) * 1000) / ((times.at(-1) ?? 0) - first);
      return {
        pass: times.length > 1 && pace >= piecesPerSecond,
        wanted: `${piecesPerSecond} pieces a second`,
        got: times.length > 1 ? `${Math.round(pace * 10) / 10}` : `${times.length} piece`,
      };
    }),

  toPauseAtMost: (received: unknown, ms: number) =>
    judged(received, ({ times }) => {
      const gaps = times.slice(1).map((time, at) => time - entryAt(times, at));
      const longest = Math.max(0, ...gaps);
      return {
        pass: longest <= ms,
        wanted: `no pause above ${milliseconds(ms)}`,
        got: milliseconds(longest),
      };
    }),
};

/** Undefined: no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** All of an expected object's fields are there; anything else is equal. */
function holds(expected: unknown, value: unknown): boolean {
  const plain = (its: unknown): its is Readonly<Record<string, unknown>> =>
    typeof its === "object" && its !== null && !Array.isArray(its);
  if (isAsymmetric(expected)) return expected.asymmetricMatch(value);
  if (!plain(expected) || !plain(value)) return isDeepStrictEqual(expected, value);
  return Object.entries(expected).every(([name, its]) => holds(its, value[name]));
}

/** `expect.any(Number)` and its kin. */
function isAsymmetric(its: unknown): its is { asymmetricMatch(value: unknown): boolean } {
  return typeof its === "object" && its !== null && "asymmetricMatch" in its;
}
