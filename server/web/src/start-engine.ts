/** Workers of the page: the engine, fetched when the first job is asked for. */
export type Job = "plan" | "profile" | "steady" | "studies" | "sweep";

export function startEngine(job: Job): Worker {
  return new Worker(new URL("./engine.worker.ts", import.meta.url), { type: "module", name: job });
}
