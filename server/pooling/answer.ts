/** What all pooling routes do alike: who asked for which model, pooled states of prompts, and the counts. */
import { setImmediate as turn } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import { DEFAULT_SAMPLING, type GenerationRequest } from "../../engine/sequence.ts";
import { Exchange } from "../exchange/exchange.ts";
import type { ChoiceDelta } from "../generation/choice.ts";
import type { Prompt } from "../generation/prompt.ts";
import { hexId } from "../hex-id.ts";
import { tokenCounts } from "../openai/usage.ts";
import { pooledName, type Serving } from "../serving.ts";
import type { PoolingBody, PoolingPrompt } from "./inputs.ts";
import type { Pooler } from "./pooler.ts";
import { drawnOf } from "./synthetic.ts";

/** How states become what is answered. */
interface PooledAs {
  /** Absent: as the model has it. */
  readonly activated?: boolean | null | undefined;
  /** Numbers that are kept. */
  readonly dimensions?: number | undefined;
}

/** Vectors are made for so long before others have a turn. */
const TURN_MS = 8;

type Asked = Pick<PoolingBody, "model" | "request_id" | "priority" | "cache_salt">;

/** One request for pooled states: it has its turn, its place in the books and its end as a generation has. */
export class PoolingExchange {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
  readonly #pooler: Pooler;
  readonly #exchange: Exchange;
  readonly #body: Asked;

  /** Throws 404 for a model that is not served. */
  constructor(
    { serving, pooler }: { readonly serving: Serving; readonly pooler: Pooler },
    http: { readonly request: FastifyRequest; readonly reply: FastifyReply },
    { prefix, body }: { readonly prefix: string; readonly body: Asked },
  ) {
    this.model = pooledName(serving, body.model);
    const requestId = body.request_id ?? hexId();
    this.#exchange = new Exchange(serving, http, { prefix, requestId, model: body.model }, "-");
    this.#pooler = pooler;
    this.#body = body;
    this.id = this.#exchange.id;
    this.created = this.#exchange.created;
  }

  /**
   * Of each prompt what the model makes of it, `[width]`; undefined: the client is gone. Throws ApiError.
   */
  async pooled(
    prompts: readonly PoolingPrompt[],
    how: PooledAs,
  ): Promise<readonly Float32Array[] | undefined> {
    const found: Float32Array[] = [];
    const whole = await this.#each(prompts, how, (values) => found.push(values));
    return whole ? found : undefined;
  }

  /** The answer that most routes give, as JSON: an entry of each prompt. Undefined: the client is gone. Throws ApiError. */
  async list(
    prompts: readonly PoolingPrompt[],
    how: PooledAs,
    entry: (values: Float32Array, index: number) => object,
  ): Promise<string | undefined> {
    const entries: string[] = [];
    const whole = await this.#each(prompts, how, (values, index) => {
      entries.push(JSON.stringify(entry(values, index)));
    });
    if (!whole) return undefined;
    const { id, created, model } = this;
    const head = JSON.stringify({ id, object: "list", created, model }).slice(0, -1);
    const tail = JSON.stringify({ usage: usageOf(tokensOf(prompts)), ...this.drawn }).slice(1);
    return `${head},"data":[${entries.join(",")}],${tail}`;
  }

  /** `tell` gets what the model makes of each prompt, in order; others have their turns between. */
  async #each(
    prompts: readonly PoolingPrompt[],
    { activated, dimensions }: PooledAs,
    tell: (values: Float32Array, index: number) => void,
  ): Promise<boolean> {
    const { head, width, activation, activates } = this.#pooler;
    const deltas = await this.#compute(prompts);
    let since = performance.now();
    for (const [index, { pooled: state }] of (deltas ?? []).entries()) {
      const given = state ?? drawnOf(prompts[index]?.ids ?? NOTHING, width);
      const values = state === undefined || head === undefined ? given : head.apply(given);
      // Cut first, then made of length 1.
      const kept = dimensions === undefined ? values : values.subarray(0, dimensions);
      tell((activated ?? activates) ? activation(kept) : kept, index);
      if (performance.now() - since < TURN_MS) continue;
      await turn();
      since = performance.now();
    }
    return deltas !== undefined;
  }

  async #compute(prompts: readonly PoolingPrompt[]): Promise<readonly ChoiceDelta[] | undefined> {
    const { rank } = this.#exchange;
    const priority = this.#exchange.priority(this.#body.priority);
    const salt = this.#body.cache_salt;
    const requests = prompts.map(
      ({ ids, secondFrom }): GenerationRequest => ({
        ...{ prompt: ids, params: DEFAULT_SAMPLING, pooling: this.#pooler.kind, priority },
        ...(salt && { salt }),
        ...(secondFrom !== undefined && { secondFrom }),
      }),
    );
    const generation = this.#exchange.start({
      ...{ requests, stop: [], includeStop: false, skipSpecialTokens: false },
      ...(rank !== undefined && { rank }),
    });
    return generation && this.#exchange.collect(generation);
  }

  /** Said only where it is so: clients of vLLM know no such field. */
  get drawn(): object {
    return this.#pooler.synthetic ? { synthetic: true } : {};
  }
}

export function usageOf(tokens: number): object {
  const details = { prompt_tokens_details: null, completion_tokens_details: null };
  return { ...tokenCounts(tokens, 0), ...details };
}

const NOTHING = new Int32Array(0);

export function tokensOf(prompts: readonly Prompt[]): number {
  return prompts.reduce((sum, { ids }) => sum + ids.length, 0);
}
