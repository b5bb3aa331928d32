/**
 * Alibaba Bailian usage traces: JSON Lines of chat_id, parent_chat_id (−1: first
 * turn), timestamp (s), input_length, output_length, type, turn and hash_ids, one
 * for each 16 prompt tokens.
 */
import { type Lines, numbered } from "../lines.ts";
import { parseTimedTrace, TIMED_TRACE } from "./timed-trace.ts";
import type { Trace } from "./trace.ts";

export const BAILIAN_BLOCK = 16;

export interface Turns {
  readonly chats: number;
  /** Requests that continue another one of the trace. */
  readonly followUps: number;
}

export async function parseBailian(lines: Lines): Promise<Trace & { readonly turns: Turns }> {
  const known = new Set<unknown>();
  let followUps = 0;
  const watch = (entry: Readonly<Record<string, unknown>>, line: number): void => {
    if (!("chat_id" in entry)) throw new Error(`Line ${line}: chat_id is missing.`);
    known.add(entry["chat_id"]);
    const parent = entry["parent_chat_id"];
    if (parent !== -1 && parent !== undefined && parent !== null && known.has(parent)) followUps++;
  };
  const options = { ...TIMED_TRACE, blockTokens: BAILIAN_BLOCK };
  const trace = await parseTimedTrace(numbered(lines), options, watch);
  return { ...trace, name: "bailian", turns: { chats: known.size - followUps, followUps } };
}
