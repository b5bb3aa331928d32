/** What ends a sequence, in vLLM's order: minTokens guards, EOS, stop ids, length. */
import type { TokenId } from "../device/device.ts";
import type { LiveSequence } from "./live-sequence.ts";

export interface Ending {
  readonly reason: "stop" | "length";
  /** Absent for EOS and for length. */
  readonly stopTokenId?: TokenId;
}

const EOS: Ending = { reason: "stop" };
const LENGTH: Ending = { reason: "length" };

/** The ending that `token` at `position` brings, if any. */
export function endingOf(
  sequence: LiveSequence,
  token: TokenId,
  position: number,
): Ending | undefined {
  const { params } = sequence;
  const outputs = position + 1 - sequence.promptLength;
  if (!sequence.endsByLength && outputs > params.minTokens - 1) {
    if (!params.ignoreEos && params.eosTokenIds.includes(token)) return EOS;
    if (params.stopTokenIds.includes(token)) return { reason: "stop", stopTokenId: token };
  }
  return position + 1 >= sequence.limit ? LENGTH : undefined;
}
