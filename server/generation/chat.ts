/**
 * The middle of every chat: fields in the engine's terms become a generation whose
 * deltas are read as parts. Wire formats stand on both sides of it and know nothing
 * of prompts, parsers or engines.
 */
import { type Soon, soon } from "../../models/soon.ts";
import type { ToolParse } from "../metrics/frontend-metrics.ts";
import { type ChatPromptFields, chatPrompt } from "./chat-prompt.ts";
import type { ChoiceDelta } from "./choice.ts";
import type { RequestFields, SamplingFields } from "./fields.ts";
import type { GenerationTask, Running } from "./generate.ts";
import type { CheckedSampling } from "./params.ts";
import { ChoiceReader, PLAIN } from "./parser.ts";
import { type OutputDelta, withClosedCalls } from "./parts.ts";
import type { OutputFields, OutputPlan } from "./planner.ts";
import {
  checkedSampling,
  engineRequest,
  generationTask,
  type SamplingWish,
  tokenizeOptions,
} from "./prepare.ts";
import type { Prompt } from "./prompt.ts";
import type { ServedModel } from "./served-model.ts";
import { type WholeOutput, wholeOutput } from "./whole.ts";

/** What a chat asks for, whatever its wire format: shapes are checked, meanings not yet. */
export type ChatFields = ChatPromptFields &
  OutputFields &
  SamplingFields &
  RequestFields &
  Readonly<Record<string, unknown>>;

export interface ChatAsk {
  readonly fields: ChatFields;
  readonly wish: SamplingWish;
  /** Absent: as the planner reads the fields. */
  readonly plan?: OutputPlan;
}

/** Who asks: gives what the body does not say, and may be gone by the time of the start. */
export interface Asker {
  priority(body: number | null | undefined): number;
  readonly rank: number | undefined;
  /** Undefined: nobody wants the answer any more. */
  start(task: GenerationTask): Running | undefined;
  /** As metrics name it; absent: other. */
  readonly requestType?: ToolParse["request"];
  /** What is answered whatever the model would say; absent: the model answers. */
  readonly fixed?: FixedChat | undefined;
}

/** Puts a fixed answer in the place of what would be drawn. */
export interface FixedChat {
  chat(prepared: PreparedChat): PreparedChat;
}

/** The same for whatever is asked. */
export interface FixedReply extends FixedChat {
  force(task: GenerationTask): GenerationTask;
}

export interface PreparedChat {
  readonly fields: ChatFields;
  readonly plan: OutputPlan;
  readonly prompt: Prompt;
  readonly sampling: CheckedSampling;
  readonly task: GenerationTask;
}

/** The prompt that a chat makes, and what its fields ask of the output. Throws ApiError. */
export function chatPromptOf(
  serving: ServedModel,
  fields: ChatFields,
  given?: OutputPlan,
): Soon<{ readonly plan: OutputPlan; readonly prompt: Prompt }> {
  return soon(given ?? serving.planner.plan(fields, "chat"), (plan) => {
    const tokenize = tokenizeOptions(fields, false);
    return soon(chatPrompt(serving, fields, { plan, tokenize }), (prompt) => ({ plan, prompt }));
  });
}

/** Checks all that can be checked before the engine sees it. Throws ApiError. */
export function prepareChat(
  serving: ServedModel,
  { fields, wish, plan: given }: ChatAsk,
  asker: Pick<Asker, "priority" | "rank">,
): Soon<PreparedChat> {
  return soon(chatPromptOf(serving, fields, given), ({ plan, prompt }) =>
    soon(checkedSampling(serving, fields, { prompt, wish }), (sampling) => {
      const priority = asker.priority(fields.priority);
      return soon(engineRequest(fields, prompt, { sampling, plan, priority }), (request) => {
        const of = { requests: [request], sampling, plan, rank: asker.rank };
        const task = generationTask(serving, fields, of);
        return { fields, plan, prompt, sampling, task };
      });
    }),
  );
}

/** Undefined: nobody wants the answer any more. */
export function chatGeneration(
  serving: ServedModel,
  ask: ChatAsk,
  asker: Asker,
): Soon<ChatGeneration | undefined> {
  return soon(prepareChat(serving, ask, asker), (asked) => {
    const prepared = asker.fixed?.chat(asked) ?? asked;
    const generation = asker.start(prepared.task);
    return generation && new ChatGeneration(prepared, generation, serving, asker);
  });
}

/** A chat under way. */
export class ChatGeneration {
  readonly prepared: PreparedChat;
  readonly generation: Running;
  /** By choice, made when first asked for. */
  readonly #readers: (ChoiceReader | undefined)[] = [];
  readonly #reasons: boolean;
  readonly #hermes: boolean;
  readonly #parsedTools: (called: boolean) => void;

  constructor(
    prepared: PreparedChat,
    generation: Running,
    { settings, parsedTools }: Pick<ServedModel, "settings" | "parsedTools">,
    { requestType: request = "other", fixed }: Pick<Asker, "requestType" | "fixed"> = {},
  ) {
    this.prepared = prepared;
    this.generation = generation;
    this.#reasons = settings["reasoning-parser"] !== undefined;
    this.#hermes = settings["tool-call-parser"] === "hermes" && fixed === undefined;
    const streaming = prepared.fields["stream"] === true;
    this.#parsedTools = (called) => parsedTools?.({ streaming, called, request });
  }

  reader(index: number): ChoiceReader {
    const known = this.#readers[index];
    if (known !== undefined) return known;
    const { plan, prompt } = this.prepared;
    const parser = plan.parser?.(prompt.text) ?? PLAIN;
    const made = new ChoiceReader(parser, this.#parsedTools);
    this.#readers[index] = made;
    return made;
  }

  get prompt(): Prompt {
    return this.prepared.prompt;
  }

  /** Deltas of the generation, each once and in order, as parts. */
  read(deltas: readonly ChoiceDelta[]): readonly OutputDelta[] {
    return deltas.map((delta) => this.reader(delta.index).read(delta));
  }

  /** The same for a stream: what is begun there is also ended. */
  readStream(deltas: readonly ChoiceDelta[]): readonly OutputDelta[] {
    const read = this.read(deltas);
    return this.#hermes ? read.map(withClosedCalls) : read;
  }

  /** A delta that is a whole output. */
  whole({ index, text, parts }: OutputDelta): WholeOutput {
    const { tool_choice: choice } = this.prepared.fields;
    const asked = choice === "required" || (typeof choice === "object" && choice !== null);
    const raw = this.reader(index).parser.content ?? text;
    return wholeOutput(parts, { raw, rewritten: this.#hermes && !asked });
  }

  /** Of one choice, or of all; undefined: the server parses no reasoning. */
  reasoningTokens(index?: number): number | undefined {
    if (!this.#reasons) return undefined;
    const readers = index === undefined ? this.#readers : this.#readers.slice(index, index + 1);
    return readers.reduce((sum, reader) => sum + (reader?.parser.reasoningTokens ?? 0), 0);
  }
}
