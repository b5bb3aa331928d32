/** What crosses between the explorer's page and its worker: plain data. */
import type { SpanArgs } from "../../../../device/trace.ts";
import type { Profile } from "../../../../device/trainium/profile/profile.ts";

/** What is priced: a catalogue model's steps of one shape on one machine. */
export interface ProfileSpec {
  readonly model: string;
  readonly instance: string;
  readonly tensorParallel: number;
  readonly rows: number;
  readonly context: number;
  readonly steps: number;
  /** 0: no prompt passes before. */
  readonly prompt: number;
  /** As --neuron-kernels; empty: the stack's own. */
  readonly kernels: string;
  /** As --quantization; empty: as the model declares. */
  readonly quantization: string;
  /** As --serving-stack; empty: the default one. */
  readonly stack: string;
  /** As --set: figures of the machine otherwise; empty: as they are. */
  readonly set: string;
}

/** A profile that the worker keeps the arguments of. */
export interface ShownProfile extends Profile {
  readonly key: number;
  /** Bytes a ns of each span of DMA; absent: no span says what it moves. */
  readonly rates?: Float32Array;
}

export type WorkerTask =
  | { readonly kind: "price"; readonly spec: ProfileSpec }
  | { readonly kind: "open"; readonly name: string; readonly bytes: ArrayBuffer }
  /** Arguments of a span. */
  | { readonly kind: "detail"; readonly key: number; readonly detail: number }
  /** The file by columns. */
  | { readonly kind: "save"; readonly key: number };

export interface WorkerResults {
  readonly price: ShownProfile;
  readonly open: ShownProfile;
  readonly detail: SpanArgs | undefined;
  readonly save: Uint8Array;
}

export type WorkerAnswer =
  | { readonly id: number; readonly result: WorkerResults[keyof WorkerResults] }
  | { readonly id: number; readonly failed: string }
  /** Share of a file that was read. */
  | { readonly id: number; readonly progress: number };
