/** Whether an answer is right. */
import { isDeepStrictEqual } from "node:util";
import type { Output } from "../../../server/testing/output.ts";
import type { Expected } from "./items.ts";

export function isRight(expected: Expected, { text, calls }: Output): boolean {
  switch (expected.kind) {
    case "text":
      return plain(text).startsWith(plain(expected.text));
    case "regex":
      return expected.regex.test(text);
    case "choice":
      return firstNamed(text, expected.choices) === expected.choice;
    case "json":
      return holds(expected.json, parsed(text));
    case "call":
      return calls.some(
        ({ name, arguments: given }) =>
          name === expected.name &&
          (expected.args === undefined || holds(expected.args, parsed(given))),
      );
  }
}

const plain = (text: string): string => text.trim().toLowerCase().replaceAll(/\s+/g, " ");

/** The choice that stands first in a text as a word of its own; of two at one place the longer. */
export function firstNamed(text: string, choices: readonly string[]): string | undefined {
  let best: { readonly at: number; readonly choice: string } | undefined;
  for (const choice of choices) {
    const escaped = choice.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const at = text.search(new RegExp(`(?<![\\p{L}\\p{N}])${escaped}(?![\\p{L}\\p{N}])`, "iu"));
    if (at < 0) continue;
    const longer = at === best?.at && choice.length > best.choice.length;
    if (best === undefined || at < best.at || longer) best = { at, choice };
  }
  return best?.choice;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function holds(expected: unknown, value: unknown): boolean {
  const isFields = (its: unknown): its is Readonly<Record<string, unknown>> =>
    typeof its === "object" && its !== null && !Array.isArray(its);
  if (!isFields(expected) || !isFields(value)) return isDeepStrictEqual(expected, value);
  return Object.entries(expected).every(([name, its]) => holds(its, value[name]));
}
