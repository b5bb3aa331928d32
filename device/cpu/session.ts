/**
 * One ONNX session, run synchronously on the thread that calls. The runtime's
 * public API turns the event loop once a run (58 µs against 14 µs for the call
 * itself), so its native binding is called as the public API calls it; the
 * package is pinned to the version this was written for.
 */
import { createRequire } from "node:module";
import { Tensor } from "onnxruntime-node";
import type { BuiltGraph } from "./graph/builder.ts";

export type Tensors = Readonly<Record<string, Tensor>>;

/** What onnxruntime-node 1.30's binding offers of a session. */
interface NativeSession {
  loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: object): void;
  run(feeds: Tensors, fetches: Tensors, options: object): Tensors;
  dispose(): void;
}

interface Binding {
  readonly binding: { readonly InferenceSession: new () => NativeSession };
  readonly initOrt: () => void;
}

let loaded: Binding | undefined;

function native(): Binding {
  if (loaded === undefined) {
    // The package has no type for this file; its shape is as the interface above says.
    loaded = createRequire(import.meta.url)("onnxruntime-node/dist/binding.js") as Binding;
    loaded.initOrt();
  }
  return loaded;
}

export interface SessionOptions {
  /** Threads a product is divided over. */
  readonly threads: number;
  /** Folder that mapped weights are relative to. */
  readonly folder: string;
}

/** What computes a segment. */
export interface Runner {
  /** Fills the tensors of `fetches` in place. */
  run(feeds: Tensors, fetches: Tensors): void;
  close(): void;
}

const RUN_OPTIONS = { logSeverityLevel: 4 };

export class Session implements Runner {
  readonly #session: NativeSession;

  constructor(graph: BuiltGraph, options: SessionOptions) {
    const { model } = graph;
    this.#session = new (native().binding.InferenceSession)();
    this.#session.loadModel(model.buffer, model.byteOffset, model.byteLength, {
      intraOpNumThreads: options.threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "all",
      // Step sizes vary: remembered allocation patterns would rarely fit.
      enableMemPattern: false,
      // Each session's arena would keep what its largest step needed: malloc gives it to the next.
      enableCpuMemArena: false,
      // Errors are thrown; the runtime need not print them too.
      logSeverityLevel: 4,
      externalData: graph.externalData,
      extra: {
        session: {
          // Each session has threads of its own; one that spins on after its
          // run takes the core from the next session.
          force_spinning_stop: "1",
          intra_op: { spin_duration_us: "50" },
          model_external_initializers_file_folder_path: options.folder,
        },
      },
    });
  }

  run(feeds: Tensors, fetches: Tensors): void {
    this.#session.run(feeds, fetches, RUN_OPTIONS);
  }

  close(): void {
    this.#session.dispose();
  }
}

export { Tensor };
