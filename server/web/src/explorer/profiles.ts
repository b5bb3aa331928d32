/** The profile that is shown, and the worker that makes it. */
import { signal } from "@preact/signals";
import type { Profile, ProfileSpec, WorkerAnswer, WorkerTask } from "./profile.ts";

export const profile = signal<Profile | undefined>(undefined);
export const failure = signal<string | undefined>(undefined);
export const busy = signal(false);

let worker: Worker | undefined;
let last = 0;

function send(task: (id: number) => WorkerTask, transfer: Transferable[] = []): void {
  if (worker === undefined) {
    worker = new Worker(new URL("./profile.worker.ts", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }: MessageEvent<WorkerAnswer>) => {
      if (data.id !== last) return; // a later one was asked for
      busy.value = false;
      if (data.kind === "failed") failure.value = data.reason;
      else profile.value = data.profile;
    });
  }
  last++;
  busy.value = true;
  failure.value = undefined;
  worker.postMessage(task(last), transfer);
}

export function price(spec: ProfileSpec): void {
  send((id) => ({ kind: "profile", id, spec }));
}

/** A Chrome trace, of this project's or any other's. */
export async function open(file: File): Promise<void> {
  const text = await file.arrayBuffer();
  send((id) => ({ kind: "open", id, name: file.name, text }), [text]);
}
