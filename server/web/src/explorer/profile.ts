/** What the explorer shows, as plain data: it crosses from the worker to the page. */

import type { SpanArgs } from "../../../../device/trace.ts";
import type { CollectiveRow, OpRow } from "../../../../device/trainium/profile/summary.ts";

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
}

/** Spans by columns; those of a track lie one after another, sorted by start. */
export interface SpanColumns {
  /** Rows of the timeline, in order. */
  readonly tracks: readonly Track[];
  readonly names: readonly string[];
  /** ns */
  readonly start: Float64Array;
  readonly duration: Float64Array;
  /** Index into `names`. */
  readonly name: Uint32Array;
  /** Index into `args`; 0xffffffff: none. */
  readonly detail: Uint32Array;
  readonly args: readonly SpanArgs[];
}

export interface Track {
  readonly process: string;
  readonly lane: string;
  /** Nested spans lie on tracks of their own below their parent's. */
  readonly depth: number;
  /** Spans [from, to) of the columns. */
  readonly from: number;
  readonly to: number;
}

export interface Profile {
  readonly title: string;
  /** Whose time this is, and how far it is to be believed. */
  readonly note: string;
  /** ns */
  readonly duration: number;
  readonly spans: SpanColumns;
  /** Absent: read from a file that says no more than its spans. */
  readonly totals?: {
    /** ns by part of the receipt. */
    readonly parts: Readonly<Record<string, number>>;
    /** ns by lane. */
    readonly engines: Readonly<Record<string, number>>;
    readonly ops: readonly OpRow[];
    readonly collectives: readonly CollectiveRow[];
    /** As `trainyard profile` writes the summary. */
    readonly fields: Readonly<Record<string, number | string | boolean>>;
    readonly advice: readonly string[];
    /** Bytes of one logical core's memory, by use. */
    readonly memory: Readonly<Record<string, number>>;
  };
}

export type WorkerTask =
  | { readonly kind: "profile"; readonly id: number; readonly spec: ProfileSpec }
  | {
      readonly kind: "open";
      readonly id: number;
      readonly name: string;
      readonly text: ArrayBuffer;
    };

export type WorkerAnswer =
  | { readonly kind: "done"; readonly id: number; readonly profile: Profile }
  | { readonly kind: "failed"; readonly id: number; readonly reason: string };
