/**
 * Mooncake traces (FAST '25; Apache-2.0): JSON Lines of timestamp (ms),
 * input_length, output_length and hash_ids, one id for each 512 prompt tokens.
 */
import { type Lines, numbered } from "../lines.ts";
import { parseTimedTrace, TIMED_TRACE } from "./timed-trace.ts";
import type { Trace } from "./trace.ts";

export const MOONCAKE_BLOCK = 512;

export async function parseMooncake(lines: Lines): Promise<Trace> {
  const options = { ...TIMED_TRACE, blockTokens: MOONCAKE_BLOCK, seconds: 0.001 };
  return { ...(await parseTimedTrace(numbered(lines), options)), name: "mooncake" };
}
