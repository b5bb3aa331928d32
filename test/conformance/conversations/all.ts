/** All conversations, and what vLLM answered to them. */
import type { WireAnswer } from "../../../scripts/maintain/goldens/wire-answer.ts";
import { messagesConversations } from "./messages.ts";
import type { Conversation, World } from "./play.ts";
import { responsesConversations } from "./responses.ts";

export const conversations: readonly Conversation[] = [
  ...responsesConversations,
  ...messagesConversations,
];

const COMMON =
  "--dtype float32 --max-num-seqs 16 --served-model-name m --enforce-eager --enable-auto-tool-choice --tool-call-parser hermes";

/** vLLM's. */
export const FLAGS: Readonly<Record<World, string>> = {
  plain: COMMON,
  thinks: `${COMMON} --reasoning-parser qwen3`,
};

export interface Goldens {
  readonly vllm: string;
  readonly flags: Readonly<Record<World, string>>;
  readonly answers: Readonly<Record<string, readonly WireAnswer[]>>;
}
