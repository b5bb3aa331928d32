/** A chat's body in the middle's terms: the checks that come before its prompt is made. */
import type { ChatAsk, ChatFields } from "../../generation/chat.ts";
import { checkBody, type SamplingWish } from "../../generation/prepare.ts";
import { badRequest } from "../../http/errors.ts";
import type { Serving } from "../../serving.ts";
import { CHAT_UNBUILT, type ChatRequest } from "./schema.ts";

export function readChat(serving: Serving, body: ChatRequest): ChatAsk {
  checkBody(body, CHAT_UNBUILT);
  refuseMedia(body);
  return { fields: body as ChatFields, wish: samplingWish(body, serving) };
}

/** As vLLM without --trust-request-mm-kwargs. */
function refuseMedia(body: ChatRequest): void {
  const what = {
    mm_processor_kwargs: "multimodal preprocessing",
    media_io_kwargs: "multimodal media loading",
  } as const;
  for (const name of ["mm_processor_kwargs", "media_io_kwargs"] as const) {
    if (Object.keys(body[name] ?? {}).length === 0) continue;
    throw badRequest(
      `Per-request ${name} are disabled by default because they can change ${what[name]} resource usage. Start the server with --trust-request-mm-kwargs only when clients are trusted.`,
      name,
    );
  }
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
