/**
 * Beam search over the engine, as vLLM does it: in each round every beam asks for one
 * token and its likeliest alternatives; the best continuations are the next beams. A
 * beam that ends is set aside, and at the end the best of all are the choices. The
 * prefix cache spares the rounds what the beams have in common.
 */

import type { Nanos } from "../../device/clock.ts";
import type { PositionLogprobs, TokenId } from "../../device/device.ts";
import type { GenerationRequest } from "../../engine/sequence.ts";
import { entryAt } from "../entry-at.ts";
import { badRequest } from "../http/errors.ts";
import type { ChoiceDelta, ChoiceFinish } from "./choice.ts";
import {
  type BeamOptions,
  Generation,
  type GenerationParts,
  type GenerationTask,
  type GenerationTimings,
  type Running,
} from "./generate.ts";

interface Beam {
  readonly ids: readonly TokenId[];
  readonly positions: readonly PositionLogprobs[];
  readonly sum: number;
  readonly finish?: ChoiceFinish;
}

/** A choice of the search: nothing until the end, then all of it. */
interface BeamChoice {
  readonly index: number;
  tokens: number;
  cached: number;
  finish: ChoiceFinish | undefined;
  readonly times: { scheduled?: Nanos; firstToken?: Nanos; last?: Nanos };
}

export class BeamSearch implements Running {
  readonly choices: readonly BeamChoice[];
  readonly receipts = [];
  readonly lives = [];
  onChange: (more: boolean) => void = () => {};
  onFail: (error: Error) => void = () => {};
  readonly #parts: GenerationParts;
  readonly #task: GenerationTask;
  readonly #beams: BeamOptions;
  readonly #submitted: Nanos;
  readonly #rounds = new Set<Generation>();
  #deltas: readonly ChoiceDelta[] | undefined;
  #taken = false;
  #aborted = false;
  #failure: Error | undefined;

  /** Throws ApiError when the engine refuses the first round. */
  constructor(parts: GenerationParts, task: GenerationTask, beams: BeamOptions) {
    this.#parts = parts;
    this.#task = task;
    this.#beams = beams;
    this.#submitted = parts.clock.now();
    this.choices = task.requests.flatMap((_, prompt) =>
      Array.from({ length: beams.width }, (_, rank) => ({
        ...{ index: prompt * beams.width + rank, tokens: 0, cached: 0, finish: undefined },
        times: {},
      })),
    );
    const first = task.requests.map((request) => this.#round(request, [EMPTY]));
    void Promise.all(
      task.requests.map((request, prompt) => this.#search(request, first[prompt])),
    ).then(
      (found) => this.#end(found),
      (error: Error) => this.#fail(error),
    );
  }

  get done(): boolean {
    return this.#deltas !== undefined;
  }

  get outputTokens(): number {
    return this.choices.reduce((sum, choice) => sum + choice.tokens, 0);
  }

  get cachedTokens(): number {
    return 0;
  }

  get timings(): GenerationTimings {
    return { submitted: this.#submitted, ...(this.done && { finished: this.#parts.clock.now() }) };
  }

  take(): readonly ChoiceDelta[] {
    if (this.#deltas === undefined || this.#taken) return [];
    this.#taken = true;
    return this.#deltas;
  }

  async collect(): Promise<readonly ChoiceDelta[]> {
    if (!this.done && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.onChange = () => resolve();
        this.onFail = () => resolve();
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
    return this.take();
  }

  abort(): void {
    this.#aborted = true;
    for (const round of this.#rounds) round.abort();
  }

  /** One token and its alternatives for each beam. */
  #round(request: GenerationRequest, beams: readonly Beam[]): Generation {
    const { rank, origin } = this.#task;
    const params = {
      ...request.params,
      ...{ maxTokens: 1, minTokens: 0, temperature: 0, logprobs: 2 * this.#beams.width },
    };
    const round = new Generation(this.#parts, {
      requests: beams.map(({ ids }) => ({
        ...request,
        ...{ prompt: [...request.prompt, ...ids], params, n: 1 },
      })),
      ...{ stop: [], includeStop: true, skipSpecialTokens: false },
      ...(rank !== undefined && { rank }),
      ...(origin && { origin: { ...origin, id: `${origin.id}-beam`, numbered: "-" } }),
    });
    this.#rounds.add(round);
    return round;
  }

  async #search(
    request: GenerationRequest,
    first: Generation | undefined,
  ): Promise<readonly Beam[]> {
    const { width } = this.#beams;
    const ended: Beam[] = [];
    let beams: readonly Beam[] = [EMPTY];
    let round = first;
    for (let length = 0; length < request.params.maxTokens && beams.length > 0; length++) {
      round ??= this.#round(request, beams);
      const deltas = await round.collect();
      this.#rounds.delete(round);
      round = undefined;
      const failed = deltas.find((delta) => delta.finish?.reason === "error")?.finish?.error;
      if (failed !== undefined) throw failed;
      if (this.#aborted || deltas.some((delta) => delta.finish?.reason === "abort")) {
        beams = beams.map((beam) => ({ ...beam, finish: { reason: "abort", stopReason: null } }));
        break;
      }
      const candidates = deltas.flatMap((delta, at) => continuations(entryAt(beams, at), delta));
      const ends = ({ ids }: Beam) => this.#ends(request, ids.at(-1));
      ended.push(...candidates.filter(ends).map((beam) => this.#ended(beam)));
      beams = candidates
        .filter((beam) => !ends(beam))
        .sort((a, b) => b.sum - a.sum)
        .slice(0, width);
    }
    // As in vLLM the prompt counts towards the length, and the end does not.
    const score = ({ ids, sum, finish }: Beam) => {
      const ending = finish?.reason === "stop" && this.#beams.includeStop ? 1 : 0;
      const length = request.prompt.length + ids.length - ending;
      const share = Math.max(1, length) ** this.#beams.lengthPenalty;
      // As Python has it; where nothing is left of it, it divides by zero.
      if (share === 0 || share === Number.POSITIVE_INFINITY) {
        throw badRequest("(34, 'Numerical result out of range')");
      }
      return sum / share;
    };
    return [...ended, ...beams].sort((a, b) => score(b) - score(a)).slice(0, width);
  }

  #ends({ params }: GenerationRequest, id: TokenId | undefined): boolean {
    return id !== undefined && !params.ignoreEos && id === params.eosTokenIds[0];
  }

  #ended(beam: Beam): Beam {
    const finish: ChoiceFinish = { reason: "stop", stopReason: beam.ids.at(-1) ?? null };
    return { ...beam, ids: this.#beams.includeStop ? beam.ids : beam.ids.slice(0, -1), finish };
  }

  #end(found: readonly (readonly Beam[])[]): void {
    const { tokenizer } = this.#parts;
    const { wanted } = this.#beams;
    this.#deltas = found.flatMap((beams, prompt) =>
      Array.from({ length: this.#beams.width }, (_, rank) => {
        const beam = beams[rank] ?? EMPTY;
        const index = prompt * this.#beams.width + rank;
        const finish = beam.finish ?? { reason: "length" as const, stopReason: null };
        const choice = this.choices[index];
        if (choice !== undefined) {
          choice.tokens = beam.ids.length;
          choice.finish = finish;
        }
        const skipSpecial = this.#task.skipSpecialTokens;
        return {
          ...{ index, ids: beam.ids, finish },
          text: tokenizer?.decode(Int32Array.from(beam.ids), { skipSpecial }) ?? "",
          logprobs: wanted === undefined ? [] : beam.positions.map((one) => cutTop(one, wanted)),
        };
      }),
    );
    this.onChange(false);
  }

  #fail(error: Error): void {
    this.#failure = error;
    this.abort();
    this.onFail(error);
  }
}

const EMPTY: Beam = { ids: [], positions: [], sum: 0 };

/** The beam with each of the tokens that may follow it. */
function continuations(beam: Beam, { logprobs: [position] }: ChoiceDelta): readonly Beam[] {
  if (position === undefined) return [];
  return position.topIds.map((id, rank) => {
    const logprob = entryAt(position.topLogprobs, rank);
    return {
      ids: [...beam.ids, id],
      positions: [...beam.positions, { ...position, chosen: logprob, rank: rank + 1 }],
      sum: beam.sum + logprob,
    };
  });
}

function cutTop(position: PositionLogprobs, most: number): PositionLogprobs {
  const { topIds, topLogprobs } = position;
  return {
    ...position,
    topIds: topIds.slice(0, most + 1),
    topLogprobs: topLogprobs.slice(0, most + 1),
  };
}
