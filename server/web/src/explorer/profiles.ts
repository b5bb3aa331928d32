/** The profile that is shown, the one it is compared with, and the worker that makes them. */
import { signal } from "@preact/signals";
import { getFile } from "../api.ts";
import { startEngine } from "../start-engine.ts";
import type {
  ProfileSpec,
  ShownProfile,
  WorkerAnswer,
  WorkerResults,
  WorkerTask,
} from "./profile.ts";

/** `a` is what all views show, `b` stands beside it in the comparison. */
export type Slot = "a" | "b";

interface Place {
  readonly profile?: ShownProfile;
  readonly failure?: string;
  /** Share done; undefined: nothing is under way. */
  readonly progress?: number;
}

export const places = signal<Readonly<Record<Slot, Place>>>({ a: {}, b: {} });

function set(slot: Slot, place: Place): void {
  places.value = { ...places.value, [slot]: place };
}

interface Waiting {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
  readonly progress?: ((share: number) => void) | undefined;
}

let worker: Worker | undefined;
let last = 0;
const waiting = new Map<number, Waiting>();

function ask<Kind extends WorkerTask["kind"]>(
  task: Extract<WorkerTask, { readonly kind: Kind }>,
  progress?: (share: number) => void,
  transfer: Transferable[] = [],
): Promise<WorkerResults[Kind]> {
  if (worker === undefined) {
    worker = startEngine("profile");
    worker.addEventListener("message", ({ data }: MessageEvent<WorkerAnswer>) => {
      const asked = waiting.get(data.id);
      if ("progress" in data) {
        asked?.progress?.(data.progress);
        return;
      }
      waiting.delete(data.id);
      if ("failed" in data) asked?.reject(new Error(data.failed));
      else asked?.resolve(data.result as never); // what the task's kind asks for
    });
  }
  const id = ++last;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject, progress });
    worker?.postMessage({ ...task, id }, transfer);
  });
}

const newest: Record<Slot, number> = { a: 0, b: 0 };

/** What is asked for last is shown, whichever ends last. */
async function into(
  slot: Slot,
  make: (progress: (share: number) => void) => Promise<ShownProfile>,
): Promise<void> {
  const turn = ++newest[slot];
  const { profile } = places.value[slot];
  const before: Place = profile === undefined ? {} : { profile };
  set(slot, { ...before, progress: 0 });
  try {
    const made = await make((progress) => {
      if (turn === newest[slot]) set(slot, { ...before, progress });
    });
    if (turn === newest[slot]) set(slot, { profile: made });
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    if (turn === newest[slot]) set(slot, { ...before, failure });
  }
}

export function price(spec: ProfileSpec, slot: Slot = "a"): void {
  void into(slot, () => ask({ kind: "price", spec }));
}

/** By columns, a Chrome trace of this project's or any other's, or a summary-json. */
export function open(file: File, slot: Slot = "a"): Promise<void> {
  return into(slot, async (progress) => {
    const bytes = await file.arrayBuffer();
    return ask({ kind: "open", name: file.name, bytes }, progress, [bytes]);
  });
}

/** A file of this server's: what `trainyard open` and `trainyard compare` hand over. */
export function openLinked(path: string, slot: Slot = "a"): Promise<void> {
  return into(slot, async (progress) => {
    const file = await getFile(path);
    const bytes = await file.arrayBuffer();
    return ask({ kind: "open", name: file.name, bytes }, progress, [bytes]);
  });
}

export function detailOf(key: number, detail: number): Promise<WorkerResults["detail"]> {
  return ask({ kind: "detail", key, detail });
}

export function saved(key: number): Promise<Uint8Array> {
  return ask({ kind: "save", key });
}
