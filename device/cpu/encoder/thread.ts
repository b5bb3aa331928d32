/** Entry of an encoder's thread: loads the weights, then answers one step after the other. */
import { parentPort, workerData } from "node:worker_threads";
import { BERT_PREFIXES, type BertShape } from "../../../models/bert.ts";
import type { Checkpoint } from "../../../models/model.ts";
import { findTensor } from "../../../models/weights/checkpoint.ts";
import { WeightReader } from "../../../models/weights/read.ts";
import { Session, Tensor } from "../session.ts";
import { ENCODER_INPUT, ENCODER_OUTPUT, encoderGraph } from "./graph.ts";

export interface EncoderData {
  readonly shape: BertShape;
  readonly checkpoint: Checkpoint;
  readonly threads: number;
}

export interface Text {
  readonly ids: Int32Array;
  /** Are the states of all positions wanted, or the last alone? */
  readonly all: boolean;
  /** Of a pair: where the second text begins. */
  readonly secondFrom?: number;
}

/** The texts of a step. */
export type EncoderRequest = readonly Text[];

export type EncoderReply =
  | { readonly type: "ready" }
  /** Config and weights do not fit together. */
  | { readonly type: "unusable"; readonly error: Error }
  | { readonly type: "failed"; readonly error: Error }
  /** Of each text. */
  | { readonly type: "done"; readonly states: readonly Float32Array<ArrayBuffer>[] };

class Encoder {
  readonly #data: EncoderData;
  readonly #reader: WeightReader;
  readonly #prefix: string;
  readonly #session: Session;
  readonly #words: string;
  /** Of positions, a type's row added: of the first text and, where there are types, of the second. */
  readonly #places: readonly Float32Array[];

  constructor(data: EncoderData) {
    this.#data = data;
    const { checkpoint, shape, threads } = data;
    const first = "embeddings.word_embeddings.weight";
    this.#prefix = BERT_PREFIXES.find((prefix) => checkpoint.tensors.has(prefix + first)) ?? "";
    this.#reader = new WeightReader(checkpoint);
    this.#words = this.#prefix + first;
    findTensor(checkpoint, this.#words);
    const places = this.#read("embeddings.position_embeddings.weight");
    const types = this.#read("embeddings.token_type_embeddings.weight");
    const { hidden } = shape;
    this.#places = Array.from({ length: Math.min(2, types.length / hidden) }, (_, type) =>
      places.map((value, at) => value + (types[type * hidden + (at % hidden)] as number)),
    );
    const graph = encoderGraph(shape, (name) => this.#read(name));
    this.#session = new Session(graph, { threads, folder: checkpoint.folder });
  }

  /** Its states `[tokens, hidden]`, or the last `[hidden]`. */
  run({ ids, all, secondFrom = ids.length }: Text): Float32Array<ArrayBuffer> {
    const { hidden, firstPosition } = this.#data.shape;
    const [first, second = first] = this.#places;
    const embedded = new Float32Array(ids.length * hidden);
    ids.forEach((id, row) => {
      const target = embedded.subarray(row * hidden, (row + 1) * hidden);
      this.#reader.read(this.#words, { axis: 0, begin: id, end: id + 1 }, target);
      const places = (row < secondFrom ? first : second) as Float32Array; // a model has a type
      const place = (firstPosition + row) * hidden;
      for (let i = 0; i < hidden; i++)
        target[i] = (target[i] as number) + (places[place + i] as number);
    });
    const states = new Float32Array(embedded.length);
    const shape = [ids.length, hidden];
    this.#session.run(
      { [ENCODER_INPUT]: new Tensor("float32", embedded, shape) },
      { [ENCODER_OUTPUT]: new Tensor("float32", states, shape) },
    );
    return all ? states : states.slice(-hidden);
  }

  #read(name: string): Float32Array<ArrayBuffer> {
    const stored = findTensor(this.#data.checkpoint, this.#prefix + name);
    const count = stored.shape.reduce((product, size) => product * size, 1);
    const target = new Float32Array(count);
    this.#reader.read(stored.name, undefined, target);
    return target;
  }
}

function main(): void {
  const port = parentPort;
  if (port === null) throw new Error("thread.ts is the entry of a worker thread.");
  const reply = (message: EncoderReply, moved: readonly ArrayBuffer[] = []): void =>
    port.postMessage(message, moved);
  const errorOf = (thrown: unknown): Error =>
    thrown instanceof Error ? thrown : new Error(String(thrown));
  try {
    const encoder = new Encoder(workerData as EncoderData);
    port.on("message", (request: EncoderRequest | "leave") => {
      if (request === "leave") process.exit(0);
      try {
        const states = request.map((text) => encoder.run(text));
        reply(
          { type: "done", states },
          states.map(({ buffer }) => buffer),
        );
      } catch (thrown) {
        reply({ type: "failed", error: errorOf(thrown) });
      }
    });
    reply({ type: "ready" });
  } catch (thrown) {
    reply({ type: "unusable", error: errorOf(thrown) });
  }
}

main();
