/** The cpu device of an encoder: it embeds texts on a thread of its own, and runs no batches. */
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { readBert } from "../../../models/bert.ts";
import { ConfigReader } from "../../../models/config.ts";
import { readPooling } from "../../../models/weights/pooling.ts";
import type { Batch, Device, DeviceLimits, StepResult } from "../../device.ts";
import type { DeviceSettings } from "../../settings.ts";
import { startThread } from "../../thread.ts";
import type { EncoderData, EncoderReply, EncoderRequest } from "./thread.ts";

interface Asked {
  readonly resolve: (vector: Float32Array) => void;
  readonly reject: (error: Error) => void;
}

/** Rejects with what is wrong with config or weights. */
export async function createEncoderDevice(settings: DeviceSettings): Promise<Device> {
  const { model } = settings;
  const { checkpoint } = model;
  if (checkpoint === undefined) throw new Error(`The cpu device needs weights. ${model.unread}.`);
  const { folder } = checkpoint;
  const shape = readBert(new ConfigReader(model.config, `${folder}/config.json`));
  const pooling = readPooling(folder)?.kind ?? "cls";
  if (pooling === "last") throw new Error("An encoder has no last token that saw all others.");
  const data: EncoderData = {
    shape,
    checkpoint,
    pooling,
    threads: Math.max(1, availableParallelism() - Number(settings.own["spare-cores"] ?? 0)),
  };
  const maxContext = Math.min(settings.maxContext ?? shape.maxContext, shape.maxContext);
  return EncoderDevice.start(data, maxContext);
}

class EncoderDevice implements Device {
  readonly name = "cpu";
  readonly limits: DeviceLimits;
  readonly vocabSize: number;
  readonly can = {
    draft: false,
    promptLogprobs: false,
    grammar: false,
    hidden: false,
    adapters: false,
  } as const;
  readonly #thread: Worker;
  readonly #asked = new Map<number, Asked>();
  #ended: Error | undefined;
  #next = 0;

  static async start(data: EncoderData, maxContext: number): Promise<EncoderDevice> {
    const device = new EncoderDevice(data, maxContext);
    await device.#ready;
    return device;
  }

  readonly #ready: Promise<void>;
  readonly #gone: Promise<void>;

  private constructor(data: EncoderData, maxContext: number) {
    this.vocabSize = data.shape.vocabSize;
    this.limits = {
      ...{ blockSize: 16, blocks: Math.ceil(maxContext / 16), maxRows: 1, maxTokens: maxContext },
      ...{ maxContext, maxDrafted: 0, inFlight: 1 },
    };
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
        else if (reply.type === "failed" && reply.id === undefined) reject(reply.error);
        else this.#answered(reply);
      });
      thread.on("error", ended);
      thread.on("exit", (code) =>
        ended(new Error(`The encoder's thread ended with code ${code}.`)),
      );
    });
  }

  /** The pooled states, in the order of the prompts. */
  embed(prompts: readonly Int32Array[]): Promise<readonly Float32Array[]> {
    return Promise.all(prompts.map((ids) => this.#embed(ids)));
  }

  execute(_batch: Batch, done: (result: StepResult) => void): void {
    const error = new Error("An encoder embeds texts and generates none.");
    setImmediate(done, { ok: false, error });
  }

  release(): void {}

  /** The thread leaves by itself: one that is ended inside the runtime takes the process with it. */
  async close(): Promise<void> {
    this.#end(new Error("The device is closed."));
    this.#thread.postMessage("leave");
    await this.#gone;
  }

  #embed(ids: Int32Array): Promise<Float32Array> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const request: EncoderRequest = { id: this.#next++, ids };
    return new Promise((resolve, reject) => {
      this.#asked.set(request.id, { resolve, reject });
      this.#thread.postMessage(request);
    });
  }

  #answered(reply: Exclude<EncoderReply, { type: "ready" }>): void {
    const asked = this.#asked.get(reply.id ?? -1);
    this.#asked.delete(reply.id ?? -1);
    if (reply.type === "done") asked?.resolve(reply.vector);
    else asked?.reject(reply.error);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
  }
}
