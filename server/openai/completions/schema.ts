/** POST /v1/completions: what comes in. */
import { type Static, Type } from "typebox";
import { nullable, requestFields, samplingFields } from "../fields.ts";

const ids = Type.Array(Type.Integer());

export const completionRequest = Type.Object({
  prompt: nullable(Type.Union([Type.String(), Type.Array(Type.String()), ids, Type.Array(ids)])),
  ...samplingFields,
  ...requestFields,
  max_tokens: nullable(Type.Integer()),
  logprobs: nullable(Type.Integer()),
  echo: nullable(Type.Boolean()),
  suffix: nullable(Type.String()),
  prompt_embeds: Type.Optional(Type.Unknown()),
});

export type CompletionRequest = Static<typeof completionRequest>;

export const COMPLETION_UNBUILT: readonly string[] = ["prompt_embeds"];
