/** What ends a sequence, in vLLM's order: minTokens guards, EOS, stop ids, length. */
import type { TokenId } from "../device/device.ts";
import type { LiveSequence } from "./live-sequence.ts";

export interface Ending {
  readonly reason: "stop" | "length";
  /** Absent for length and for the tokenizer's own EOS; of the model's further ones it is named. */
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
    if (!params.ignoreEos && params.eosTokenIds.includes(token)) {
      return token === params.eosTokenIds[0] ? EOS : { reason: "stop", stopTokenId: token };
    }
    if (params.stopTokenIds.includes(token)) return { reason: "stop", stopTokenId: token };
  }
  return position + 1 >= sequence.limit ? LENGTH : undefined;
}
