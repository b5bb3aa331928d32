/** Entry of an encoder's thread: loads the weights, then answers one request after the other. */
import { parentPort, workerData } from "node:worker_threads";
import { BERT_PREFIXES, type BertShape } from "../../../models/bert.ts";
import type { Checkpoint } from "../../../models/model.ts";
import { findTensor } from "../../../models/weights/checkpoint.ts";
import { WeightReader } from "../../../models/weights/read.ts";
import { Session, Tensor } from "../session.ts";
import { ENCODER_INPUT, ENCODER_OUTPUT, encoderGraph } from "./graph.ts";

/** What becomes of a text's states: its first token's, or the mean of all. */
export type EncoderPooling = "cls" | "mean";

export interface EncoderData {
  readonly shape: BertShape;
  readonly checkpoint: Checkpoint;
  readonly pooling: EncoderPooling;
  readonly threads: number;
}

export interface EncoderRequest {
  readonly id: number;
  readonly ids: Int32Array;
}

export type EncoderReply =
  | { readonly type: "ready" }
  | { readonly type: "failed"; readonly id?: number; readonly error: Error }
  | { readonly type: "done"; readonly id: number; readonly vector: Float32Array };

class Encoder {
  readonly #data: EncoderData;
  readonly #reader: WeightReader;
  readonly #prefix: string;
  readonly #session: Session;
  readonly #words: string;
  /** Of positions, the type's row added. */
  readonly #places: Float32Array;

  constructor(data: EncoderData) {
    this.#data = data;
    const { checkpoint, shape, threads } = data;
    const first = "embeddings.word_embeddings.weight";
    this.#prefix = BERT_PREFIXES.find((prefix) => checkpoint.tensors.has(prefix + first)) ?? "";
    this.#reader = new WeightReader(checkpoint);
    this.#words = this.#prefix + first;
    findTensor(checkpoint, this.#words);
    this.#places = this.#read("embeddings.position_embeddings.weight").slice();
    const type = this.#read("embeddings.token_type_embeddings.weight");
    for (let i = 0; i < this.#places.length; i++) {
      this.#places[i] = (this.#places[i] as number) + (type[i % shape.hidden] as number);
    }
    const graph = encoderGraph(shape, (name) => this.#read(name));
    this.#session = new Session(graph, { threads, folder: checkpoint.folder });
  }

  /** The pooled state `[hidden]`. */
  run(ids: Int32Array): Float32Array {
    const { hidden, firstPosition } = this.#data.shape;
    const embedded = new Float32Array(ids.length * hidden);
    ids.forEach((id, row) => {
      const target = embedded.subarray(row * hidden, (row + 1) * hidden);
      this.#reader.read(this.#words, { axis: 0, begin: id, end: id + 1 }, target);
      const place = (firstPosition + row) * hidden;
      for (let i = 0; i < hidden; i++)
        target[i] = (target[i] as number) + (this.#places[place + i] as number);
    });
    const states = new Float32Array(embedded.length);
    const shape = [ids.length, hidden];
    this.#session.run(
      { [ENCODER_INPUT]: new Tensor("float32", embedded, shape) },
      { [ENCODER_OUTPUT]: new Tensor("float32", states, shape) },
    );
    if (this.#data.pooling === "cls") return states.slice(0, hidden);
    return Float32Array.from({ length: hidden }, (_, column) => {
      let sum = 0;
      for (let at = column; at < states.length; at += hidden) sum += states[at] as number;
      return sum / ids.length;
    });
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
  const reply = (message: EncoderReply): void => port.postMessage(message);
  const errorOf = (thrown: unknown): Error =>
    thrown instanceof Error ? thrown : new Error(String(thrown));
  try {
    const encoder = new Encoder(workerData as EncoderData);
    port.on("message", (request: EncoderRequest | "leave") => {
      if (request === "leave") process.exit(0);
      const { id, ids } = request;
      try {
        reply({ type: "done", id, vector: encoder.run(ids) });
      } catch (thrown) {
        reply({ type: "failed", id, error: errorOf(thrown) });
      }
    });
    reply({ type: "ready" });
  } catch (thrown) {
    reply({ type: "failed", error: errorOf(thrown) });
  }
}

main();
