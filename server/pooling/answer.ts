/** What all pooling routes do alike: who asked for which model, vectors of prompts, and the counts. */
import { randomUUID } from "node:crypto";
import type { FastifyRequest } from "fastify";
import type { Prompt } from "../generation/prompt.ts";
import { tokenCounts } from "../openai/usage.ts";
import { type Serving, servedName } from "../serving.ts";
import type { Pooler } from "./pooler.ts";
import { normalised } from "./vectors.ts";

export interface Answering {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
}

/** Throws 404 for a model that is not served. */
export function answering(
  serving: Serving,
  request: FastifyRequest,
  {
    prefix,
    body,
  }: { readonly prefix: string; readonly body: { model?: string | null; request_id?: string } },
): Answering {
  const model = servedName(serving, body.model);
  const given = request.headers["x-request-id"];
  const own = (typeof given === "string" && given) || body.request_id;
  const id = `${prefix}-${own ?? randomUUID().replaceAll("-", "").slice(0, 16)}`;
  request.record.id = id;
  return { id, created: Math.floor(Date.now() / 1000), model };
}

export async function vectorsOf(
  pooler: Pooler,
  prompts: readonly Prompt[],
  activation: boolean | null | undefined,
): Promise<readonly Float32Array[]> {
  const states = await pooler.embed(prompts.map(({ ids }) => ids));
  return (activation ?? pooler.normalises) ? states.map(normalised) : states;
}

export function tokensOf(prompts: readonly Prompt[]): number {
  return prompts.reduce((sum, { ids }) => sum + ids.length, 0);
}

export function poolingUsage(tokens: number): object {
  return {
    ...tokenCounts(tokens, 0),
    prompt_tokens_details: null,
    completion_tokens_details: null,
  };
}
