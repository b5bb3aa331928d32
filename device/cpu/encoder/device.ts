/** The cpu device of an encoder: its thread computes the states of whole texts, and samples nothing. */
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { readBert } from "../../../models/bert.ts";
import { ConfigReader } from "../../../models/config.ts";
import type { Batch, BatchRow, Device, DeviceLimits, StepResult } from "../../device.ts";
import type { DeviceSettings } from "../../settings.ts";
import { startThread } from "../../thread.ts";
import type { EncoderData, EncoderReply, EncoderRequest, Text } from "./thread.ts";

/** Tokens and texts in a step: a client that leaves waits for one at most. */
const STEP_TOKENS = 2048;
const STEP_TEXTS = 64;
/** Texts keep nothing; the engine counts their tokens in blocks of so many. */
const BLOCK = 16;

interface Asked {
  readonly batch: Batch;
  readonly done: (result: StepResult) => void;
}

/** Rejects with what is wrong with config or weights. */
export async function createEncoderDevice(settings: DeviceSettings): Promise<Device> {
  const { model } = settings;
  const { checkpoint } = model;
  if (checkpoint === undefined) throw new Error(`The cpu device needs weights. ${model.unread}.`);
  const shape = readBert(new ConfigReader(model.config, `${checkpoint.folder}/config.json`));
  const data: EncoderData = {
    shape,
    checkpoint,
    threads: Math.max(1, availableParallelism() - Number(settings.own["spare-cores"] ?? 0)),
  };
  const longest = Math.min(shape.maxContext, model.architecture.maxContext);
  const maxContext = Math.min(settings.maxContext ?? longest, longest);
  const maxRows = settings.maxRows ?? STEP_TEXTS;
  const maxTokens = Math.max(maxContext, settings.maxTokens ?? STEP_TOKENS);
  const inFlight = settings.inFlight ?? 2;
  const blocks = inFlight * (Math.ceil(maxTokens / BLOCK) + maxRows);
  return EncoderDevice.start(data, {
    ...{ blockSize: BLOCK, blocks, maxRows, maxTokens, maxContext, maxDrafted: 0, inFlight },
  });
}

class EncoderDevice implements Device {
  readonly name = "cpu";
  readonly limits: DeviceLimits;
  readonly vocabSize: number;
  readonly can = {
    draft: false,
    promptLogprobs: false,
    grammar: false,
    hidden: true,
    adapters: false,
  } as const;
  readonly #thread: Worker;
  /** Steps under way, oldest first: the thread answers in their order. */
  readonly #asked: Asked[] = [];
  #ended: Error | undefined;

  static async start(data: EncoderData, limits: DeviceLimits): Promise<EncoderDevice> {
    const device = new EncoderDevice(data, limits);
    await device.#ready;
    return device;
  }

  readonly #ready: Promise<void>;
  readonly #gone: Promise<void>;

  private constructor(data: EncoderData, limits: DeviceLimits) {
    this.vocabSize = data.shape.vocabSize;
    this.limits = limits;
    const thread = startThread("./thread", import.meta.url, data);
    this.#thread = thread;
    this.#gone = new Promise((resolve) => thread.once("exit", () => resolve()));
    this.#ready = new Promise((resolve, reject) => {
      const ended = (error: Error): void => {
        reject(error);
        this.#end(error);
      };
      thread.on("message", (reply: EncoderReply) => {
        if (reply.type === "ready") resolve();
        else if (reply.type === "unusable") reject(reply.error);
        else this.#answered(reply);
      });
      thread.on("error", ended);
      thread.on("exit", (code) =>
        ended(new Error(`The encoder's thread ended with code ${code}.`)),
      );
    });
  }

  /** A row that does not hold its whole text fails the step: an encoder's tokens see what follows. */
  execute(batch: Batch, done: (result: StepResult) => void): void {
    const cut = batch.rows.find(({ start, count, context }) => start + count !== context.length);
    const error = cut && new Error("An encoder computes whole texts: chunked prefill must be off.");
    const failed = this.#ended ?? error;
    if (failed !== undefined) {
      setImmediate(done, { ok: false, error: failed });
      return;
    }
    this.#asked.push({ batch, done });
    this.#thread.postMessage(batch.rows.map(textOf) satisfies EncoderRequest);
  }

  release(): void {}

  /** The thread leaves by itself: one that is ended inside the runtime takes the process with it. */
  async close(): Promise<void> {
    this.#end(new Error("The device is closed."));
    this.#thread.postMessage("leave");
    await this.#gone;
  }

  #answered(reply: Extract<EncoderReply, { type: "done" | "failed" }>): void {
    const asked = this.#asked.shift();
    if (asked === undefined) return;
    const { batch, done } = asked;
    if (reply.type === "failed") {
      done({ ok: false, error: reply.error });
      return;
    }
    const hidden = new Map(batch.rows.map(({ id }, at) => [id, reply.states[at] ?? NOTHING]));
    done({ ok: true, sampled: new Map(), hidden });
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { done } of this.#asked.splice(0)) done({ ok: false, error });
  }
}

const NOTHING = new Float32Array(0);

function textOf({ context, want, secondFrom }: BatchRow): Text {
  const all = want === "states";
  return { ids: context.slice(), all, ...(secondFrom !== undefined && { secondFrom }) };
}
