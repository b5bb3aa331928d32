/** A whole output, as vLLM reads it where nothing streams. */
import { readJson } from "../http/shape/json.ts";
import { pyJson } from "../http/shape/python.ts";
import { callsOf, type OutputCall, type OutputPart, textOf } from "./parts.ts";

export interface WholeOutput {
  /** Undefined: there is none. */
  readonly reasoning: string | undefined;
  /** Undefined: there is none. */
  readonly text: string | undefined;
  readonly calls: readonly OutputCall[];
}

/**
 * `rewritten`, as vLLM reads hermes: a call that is cut off makes all of `raw` text
 * again, and arguments are written anew.
 */
export function wholeOutput(
  parts: readonly OutputPart[],
  { raw, rewritten }: { readonly raw: string; readonly rewritten: boolean },
): WholeOutput {
  const calls = callsOf(parts);
  const reasoning = textOf(parts, "reasoning-delta");
  const text = textOf(parts, "text-delta");
  if (!rewritten || calls.length === 0) return { reasoning, text, calls };
  try {
    const written = calls.map((call) => ({
      ...call,
      arguments: pyJson(readJson(call.arguments, true)),
    }));
    return { reasoning, text, calls: written };
  } catch {
    return { reasoning, text: raw, calls: [] };
  }
}
