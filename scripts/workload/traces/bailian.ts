/**
 * Alibaba Bailian usage traces: JSON Lines of chat_id, parent_chat_id (−1: first
 * turn), timestamp (s), input_length, output_length, type, turn and hash_ids, one
 * for each 16 prompt tokens.
 */
import { parseMooncake } from "./mooncake.ts";
import type { Trace } from "./trace.ts";

export const BAILIAN_BLOCK = 16;

export interface Turns {
  readonly chats: number;
  /** Requests that continue another one of the trace. */
  readonly followUps: number;
}

export function parseBailian(text: string): Trace & { readonly turns: Turns } {
  const known = new Set<unknown>();
  let followUps = 0;
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const seconds = lines.map((line, index) => {
    const entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
    if (!("chat_id" in entry)) throw new Error(`Line ${index + 1}: chat_id is missing.`);
    known.add(entry["chat_id"]);
    const parent = entry["parent_chat_id"];
    if (parent !== -1 && parent !== undefined && parent !== null && known.has(parent)) followUps++;
    // Bailian counts seconds where Mooncake counts milliseconds.
    return JSON.stringify({ ...entry, timestamp: Number(entry["timestamp"]) * 1000 });
  });
  const trace = parseMooncake(seconds.join("\n"), BAILIAN_BLOCK);
  return { ...trace, name: "bailian", turns: { chats: known.size - followUps, followUps } };
}
