/** What all pooling routes do alike: who asked for which model, pooled states of prompts, and the counts. */
import { randomUUID } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import { DEFAULT_SAMPLING, type GenerationRequest } from "../../engine/sequence.ts";
import type { ChoiceDelta } from "../generation/choice.ts";
import type { Prompt } from "../generation/prompt.ts";
import { Exchange } from "../http/exchange.ts";
import { tokenCounts } from "../openai/usage.ts";
import { type Serving, servedName } from "../serving.ts";
import type { PoolingBody, PoolingPrompt } from "./inputs.ts";
import type { Pooler } from "./pooler.ts";
import { drawnOf } from "./synthetic.ts";

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
    this.model = servedName(serving, body.model);
    const requestId = body.request_id ?? randomUUID().replaceAll("-", "").slice(0, 16);
    this.#exchange = new Exchange(serving, http, { prefix, requestId, model: body.model }, "-");
    this.#pooler = pooler;
    this.#body = body;
    this.id = this.#exchange.id;
    this.created = this.#exchange.created;
  }

  /**
   * Of each prompt what the model makes of it, `[width]`; undefined: the client is gone. Throws ApiError.
   * `dimensions`: numbers that are kept; `activated`: absent, as the model has it.
   */
  async pooled(
    prompts: readonly PoolingPrompt[],
    of: { readonly activated?: boolean | null | undefined; readonly dimensions?: number },
  ): Promise<readonly Float32Array[] | undefined> {
    const { head, width, activation, activates } = this.#pooler;
    const deltas = await this.#compute(prompts);
    return deltas?.map(({ pooled: state }, index) => {
      const drawn = state === undefined;
      const given = state ?? drawnOf(prompts[index]?.ids ?? NOTHING, width);
      const values = drawn || head === undefined ? given : head.apply(given);
      // Cut first, then made of length 1.
      const kept = of.dimensions === undefined ? values : values.subarray(0, of.dimensions);
      return (of.activated ?? activates) ? activation(kept) : kept;
    });
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

  /** The answer that most routes give, of so many prompt tokens. */
  list(data: readonly object[], tokens: number): object {
    const { id, created, model } = this;
    const details = { prompt_tokens_details: null, completion_tokens_details: null };
    const usage = { ...tokenCounts(tokens, 0), ...details };
    return { id, object: "list", created, model, data, usage, ...this.drawn };
  }

  /** Said only where it is so: clients of vLLM know no such field. */
  get drawn(): object {
    return this.#pooler.synthetic ? { synthetic: true } : {};
  }
}

const NOTHING = new Int32Array(0);

export function tokensOf(prompts: readonly Prompt[]): number {
  return prompts.reduce((sum, { ids }) => sum + ids.length, 0);
}
