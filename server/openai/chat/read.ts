/** A chat's body in the middle's terms: the checks that come before its prompt is made. */
import type { ChatAsk, ChatFields } from "../../generation/chat.ts";
import { checkBody, type SamplingWish } from "../../generation/prepare.ts";
import type { Serving } from "../../serving.ts";
import { CHAT_UNBUILT, type ChatRequest } from "./schema.ts";

export function readChat(serving: Serving, body: ChatRequest): ChatAsk {
  checkBody(body, CHAT_UNBUILT);
  return { fields: body as ChatFields, wish: samplingWish(body, serving) };
}

function samplingWish(body: ChatRequest, { samples }: Serving): SamplingWish {
  const top = body.top_logprobs ?? 0;
  const maxTokens = body.max_completion_tokens ?? body.max_tokens;
  // An echo is scored with it, as in vLLM; a stream has no place for the scores.
  const scored = body.echo && !body.stream && samples ? top : undefined;
  const promptLogprobs = body.prompt_logprobs ?? scored;
  return {
    ...(typeof maxTokens === "number" && { maxTokens }),
    ...(body.logprobs && { logprobs: top }),
    ...(typeof promptLogprobs === "number" && { promptLogprobs }),
  };
}
