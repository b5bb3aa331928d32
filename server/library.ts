/**
 * The library: vLLM's offline API, a thin layer over the engine.
 *
 *     import { LLM, SamplingParams } from "trainyard";
 *     const llm = new LLM({ tensorParallelSize: 2 });
 *     const [output] = await llm.generate("Once upon a time", new SamplingParams({ temperature: 0.8 }));
 *     console.log(output?.outputs[0]?.text);
 *     await llm.close();
 */
import type { PositionLogprobs, TokenId } from "../device/device.ts";
import { parseSettings } from "./config.ts";
import { type ChatFields, prepareChat } from "./generation/chat.ts";
import type { ChoiceDelta } from "./generation/choice.ts";
import type { SamplingFields } from "./generation/fields.ts";
import { Generation, type GenerationTask } from "./generation/generate.ts";
import type { ChatMessage } from "./generation/messages.ts";
import {
  checkedSampling,
  engineRequest,
  generationTask,
  type SamplingWish,
} from "./generation/prepare.ts";
import { idsPrompt, type Prompt, textPrompt } from "./generation/prompt.ts";
import { badRequest } from "./http/errors.ts";
import {
  conversationList,
  type LibraryFields,
  type OneOrMore,
  type PromptInput,
  promptList,
  samplingFields,
} from "./library-inputs.ts";
import type { Serving } from "./serving.ts";
import type { Settings } from "./settings/table.ts";
import { buildWorld, type World } from "./world/world.ts";

type Camel<Text extends string> = Text extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Text;
type CamelOfSnake<Text extends string> = Text extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelOfSnake<Tail>>}`
  : Text;

/** Every setting of `trainyard serve`, in camel case: `tensorParallelSize`, `maxModelLen`, … */
export type LLMOptions = {
  readonly [Flag in keyof Settings as Camel<Flag>]?: Settings[Flag];
};

/** Every sampling field of a request, in camel case, with vLLM's defaults and checks. */
export type SamplingOptions = {
  readonly [Field in keyof SamplingFields as CamelOfSnake<Field>]?: NonNullable<
    SamplingFields[Field]
  >;
} & {
  /** Absent: 16, as in vLLM; a chat: what the context leaves. */
  readonly maxTokens?: number;
  /** Log-probabilities of each output position. */
  readonly logprobs?: number;
};

export class SamplingParams {
  readonly options: SamplingOptions;

  constructor(options: SamplingOptions = {}) {
    this.options = options;
  }
}

export interface CompletionOutput {
  readonly index: number;
  readonly text: string;
  readonly tokenIds: readonly TokenId[];
  /** One for each token, when asked for. */
  readonly logprobs?: readonly PositionLogprobs[];
  readonly finishReason: string;
  /** The stop string or the stop token's id. */
  readonly stopReason: string | number | null;
}

export interface RequestOutput {
  /** Absent: the prompt came as ids. */
  readonly prompt?: string;
  readonly promptTokenIds: readonly TokenId[];
  /** Of prompt positions 1, 2, …, when asked for. */
  readonly promptLogprobs?: readonly PositionLogprobs[];
  /** Prompt tokens found in the prefix cache. */
  readonly numCachedTokens: number;
  readonly outputs: readonly CompletionOutput[];
}

export class LLM {
  readonly #options: LLMOptions;
  #world: Promise<World> | undefined;

  /** The model is loaded at the first call, or by `ready`. */
  constructor(options: LLMOptions = {}) {
    this.#options = options;
  }

  /** Loads the model. Throws what is wrong with it or with the options. */
  async ready(): Promise<void> {
    await this.#start();
  }

  /** All prompts are submitted at once and batched; outputs come in their order. */
  async generate(
    prompts: OneOrMore<string> | readonly number[] | readonly PromptInput[],
    sampling: SamplingParams | readonly SamplingParams[] = new SamplingParams(),
  ): Promise<readonly RequestOutput[]> {
    const world = await this.#start();
    const { serving } = world;
    const tokenize = { addSpecialTokens: true };
    const list = promptList(prompts);
    const chosen = samplingOf(sampling, list.length);
    const tasks = list.map(async (given, index) => {
      const fields = chosen[index] as LibraryFields; // one for each
      const prompt =
        typeof given === "string"
          ? await textPrompt(given, serving.tokenizer, serving, tokenize)
          : idsPrompt(given, serving, {});
      const wish = { maxTokens: 16, ...wishOf(fields) };
      const checked = await checkedSampling(serving, fields, { prompt, wish });
      const request = await engineRequest(fields, prompt, {
        sampling: checked,
        plan: {},
        priority: 0,
      });
      const task = generationTask(serving, fields, {
        requests: [request],
        sampling: checked,
        plan: {},
        rank: undefined,
      });
      return { prompt, task };
    });
    return run(serving, await Promise.all(tasks));
  }

  /** One conversation or several; each gets an answer. */
  async chat(
    conversations: readonly ChatMessage[] | readonly (readonly ChatMessage[])[],
    sampling: SamplingParams | readonly SamplingParams[] = new SamplingParams(),
  ): Promise<readonly RequestOutput[]> {
    const world = await this.#start();
    const list = conversationList(conversations);
    const chosen = samplingOf(sampling, list.length);
    const tasks = list.map(async (messages, index) => {
      const { logprobs, ...sampled } = chosen[index] as LibraryFields; // one for each
      const fields: ChatFields = { ...sampled, messages };
      // The text as it comes: nothing is parsed.
      const ask = { fields, wish: wishOf({ ...sampled, logprobs }), plan: {} };
      return prepareChat(world.serving, ask, { priority: () => 0, rank: undefined });
    });
    return run(world.serving, await Promise.all(tasks));
  }

  /** Ends what runs and frees the device. */
  async close(): Promise<void> {
    await (await this.#world)?.close();
    this.#world = undefined;
  }

  #start(): Promise<World> {
    this.#world ??= startedWorld(this.#options);
    return this.#world;
  }
}

/** Everything is checked before anything is submitted. */
async function run(
  serving: Serving,
  prepared: readonly { readonly prompt: Prompt; readonly task: GenerationTask }[],
): Promise<readonly RequestOutput[]> {
  const generations = prepared.map(({ task }) => new Generation(serving, task));
  return Promise.all(
    generations.map(async (generation, index) => {
      const deltas = await generation.collect();
      const failed = deltas.find((delta) => delta.finish?.error !== undefined);
      if (failed?.finish?.error !== undefined) throw failed.finish.error;
      return requestOutput(prepared[index]?.prompt, generation, deltas);
    }),
  );
}

/** What is asked for each of `count` prompts. */
function samplingOf(
  sampling: SamplingParams | readonly SamplingParams[],
  count: number,
): readonly LibraryFields[] {
  const all: unknown = sampling instanceof SamplingParams ? Array(count).fill(sampling) : sampling;
  if (!Array.isArray(all) || !all.every((one) => one instanceof SamplingParams)) {
    throw badRequest("sampling_params must be SamplingParams.", "sampling_params");
  }
  if (all.length === count) return all.map(({ options }) => samplingFields(options));
  throw badRequest(
    "The lengths of prompts and sampling_params must be the same.",
    "sampling_params",
    all.length,
  );
}

function wishOf({ max_tokens, logprobs, prompt_logprobs }: LibraryFields): SamplingWish {
  return {
    ...(max_tokens != null && { maxTokens: max_tokens }),
    ...(logprobs != null && { logprobs }),
    ...(prompt_logprobs != null && { promptLogprobs: prompt_logprobs }),
  };
}

function requestOutput(
  prompt: Prompt | undefined,
  generation: Generation,
  deltas: readonly ChoiceDelta[],
): RequestOutput {
  const prompted = deltas.find((delta) => delta.promptLogprobs !== undefined)?.promptLogprobs;
  return {
    ...(prompt?.text !== undefined && { prompt: prompt.text }),
    promptTokenIds: [...(prompt?.ids ?? [])],
    ...(prompted !== undefined && { promptLogprobs: prompted }),
    numCachedTokens: generation.cachedTokens,
    outputs: deltas.map((delta) => ({
      index: delta.index,
      text: delta.text,
      tokenIds: delta.ids,
      ...(delta.logprobs.length > 0 && { logprobs: delta.logprobs }),
      finishReason: delta.finish?.reason ?? "abort",
      stopReason: delta.finish?.stopReason ?? null,
    })),
  };
}

async function startedWorld(options: LLMOptions): Promise<World> {
  const world = await buildWorld(parseSettings(argumentsOf(options), process.env).settings);
  await world.simulatedStart?.run();
  return world;
}

/** Options as a command line, so that they are checked like one. */
function argumentsOf(options: LLMOptions): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (typeof value === "boolean") return [value ? `--${flag}` : `--no-${flag}`];
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    return [`--${flag}=${text}`];
  });
}
