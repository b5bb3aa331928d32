/** The splitter of a format whose thoughts stand between marks. */
import type { ReasoningFormat } from "./registry.ts";
import { TaggedSplitter } from "./tagged.ts";
import { type ReasoningSplitter, ThinkSplitter } from "./think.ts";

/** `opens`: marks that calls begin with in the format of whoever reads them. */
export function splitterOf(
  { kind, marks, calls = [] }: ReasoningFormat,
  opens: readonly string[] = [],
): ReasoningSplitter {
  const all = [...new Set([...calls, ...opens])];
  return kind === "tagged" ? new TaggedSplitter(marks, all) : new ThinkSplitter(marks, all);
}
