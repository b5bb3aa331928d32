/** Steps that chat and text completions take alike, between the schema and the engine. */
import type { GenerationRequest } from "../../engine/sequence.ts";
import { type Soon, soon } from "../../models/soon.ts";
import { badRequest, notImplemented, notSampled } from "../http/errors.ts";
import { type SharedFields, unbuiltField } from "./fields.ts";
import type { GenerationTask } from "./generate.ts";
import {
  type CheckedSampling,
  type SamplingContext,
  type SamplingRequest,
  samplingParams,
} from "./params.ts";
import type { OutputPlan } from "./planner.ts";
import { checkCharacters, outputBudget, type Prompt, type TokenizeOptions } from "./prompt.ts";
import type { ServedModel } from "./served-model.ts";

type Body = SharedFields & Readonly<Record<string, unknown>>;

/** What the wire wants of a stream. */
export interface StreamOptions {
  readonly includeUsage: boolean;
  readonly continuousUsage: boolean;
}

/** Checks that both endpoints make before anything is tokenized. */
export function checkBody(body: Body, unbuilt: readonly string[]): void {
  const field = unbuiltField(body, unbuilt);
  if (field !== undefined) throw notImplemented(field);
}

export function streamOptions(body: Body, { settings }: ServedModel): StreamOptions {
  const forced = settings["enable-force-include-usage"];
  const includeUsage = forced || (body.stream_options?.include_usage ?? false);
  return {
    includeUsage,
    continuousUsage:
      forced || (includeUsage && (body.stream_options?.continuous_usage_stats ?? false)),
  };
}

export function tokenizeOptions(body: Body, addSpecialTokens: boolean): TokenizeOptions {
  const truncate = body.truncate_prompt_tokens;
  // A completion's 16 are asked for where nothing is said; a chat's are not.
  const wanted = body["max_completion_tokens"] ?? body["max_tokens"] ?? (addSpecialTokens ? 16 : 0);
  return {
    outputKept: wanted === 0 ? 0 : 1,
    addSpecialTokens: body.add_special_tokens ?? addSpecialTokens,
    ...(typeof truncate === "number" && { truncate }),
    ...(body.truncation_side && { truncateFrom: body.truncation_side }),
  };
}

export interface SamplingWish extends Omit<SamplingRequest, "maxTokens"> {
  /** As the client asked; absent: what the context leaves, or less where the model says so. */
  readonly maxTokens?: number;
}

/** Checks that the prompt fits and turns the fields into parameters. */
export function checkedSampling(
  serving: ServedModel,
  body: Body,
  { prompt, wish }: { readonly prompt: Prompt; readonly wish: SamplingWish },
): Soon<CheckedSampling> {
  const completion = body["max_completion_tokens"] ?? null;
  const param = completion === null ? "max_tokens" : "max_completion_tokens";
  const budget = outputBudget(prompt, wish.maxTokens, { maxModelLen: serving.maxModelLen, param });
  const { maxNewTokens = budget, newTokensCap = budget } = serving.defaults;
  const asked = wish.maxTokens === undefined ? Math.min(budget, maxNewTokens) : budget;
  const request = { ...wish, maxTokens: Math.min(asked, newTokensCap) };
  if (!body.use_beam_search) return samplingParams(body, request, samplingContext(serving));
  return beamSampling(serving, body, request);
}

/** A search draws nothing: as many choices as beams, from the likeliest of twice as many tokens. */
async function beamSampling(
  serving: ServedModel,
  body: Body,
  request: SamplingRequest,
): Promise<CheckedSampling> {
  if (!serving.samples) throw notSampled("use_beam_search");
  const context = samplingContext(serving);
  const width = body.n ?? 1;
  if (width < 1) throw badRequest(`beam_width must be at least 1, got ${width}.`);
  const drawn = { ...body, n: 1, stop: null };
  // What the rounds ask for is bound by --max-logprobs, as in vLLM.
  await samplingParams(drawn, { ...request, logprobs: 2 * Math.max(1, width) }, context);
  const checked = await samplingParams({ ...drawn, n: width, temperature: 1 }, request, context);
  return {
    ...checked,
    beams: {
      width,
      lengthPenalty: body.length_penalty ?? 1,
      includeStop: checked.includeStop,
      ...(request.logprobs !== undefined && { wanted: request.logprobs }),
    },
  };
}

/** What the parameters of any request are checked against. */
export function samplingContext(serving: ServedModel): SamplingContext {
  const { defaults, vocabSize, maxModelLen, samples, settings, tokenizer } = serving;
  return {
    defaults,
    vocabSize,
    maxModelLen,
    maxLogprobs: settings["max-logprobs"],
    samples,
    ...(tokenizer && {
      encode: (text: string) => {
        checkCharacters(text.length, tokenizer, serving);
        return tokenizer.encode(text, { addSpecialTokens: false });
      },
    }),
  };
}

/** The request for the engine; constraints are compiled here, before the engine sees it. */
export function engineRequest(
  body: Body,
  prompt: Prompt,
  {
    sampling,
    plan,
    priority,
  }: {
    readonly sampling: CheckedSampling;
    readonly plan: OutputPlan;
    readonly priority: number;
  },
): Soon<GenerationRequest> {
  if (sampling.beams !== undefined && plan.constraints !== undefined) {
    throw badRequest("Beam search does not support structured outputs.", "use_beam_search");
  }
  const request = {
    prompt: prompt.ids,
    params: sampling.params,
    n: sampling.beams === undefined ? sampling.n : 1,
    priority,
    ...(body.cache_salt && { salt: body.cache_salt }),
  };
  if (plan.constraints === undefined) return request;
  return soon(plan.constraints(sampling.n, prompt.text), (constraints) => ({
    ...request,
    constraints,
  }));
}

export function generationTask(
  { settings }: ServedModel,
  body: Body,
  {
    requests,
    sampling,
    plan,
    rank,
  }: {
    readonly requests: readonly GenerationRequest[];
    readonly sampling: CheckedSampling;
    readonly plan: OutputPlan;
    readonly rank: number | undefined;
  },
): GenerationTask {
  const interval = body.stream ? (body.stream_interval ?? settings["stream-interval"]) : 1;
  return {
    requests,
    stop: sampling.stop,
    includeStop: sampling.includeStop,
    skipSpecialTokens: plan.skipSpecialTokens ?? body.skip_special_tokens ?? true,
    ...(rank !== undefined && { rank }),
    ...(interval > 1 && { interval }),
    ...(sampling.beams !== undefined && { beams: sampling.beams }),
  };
}
