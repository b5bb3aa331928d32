/**
 * First import of the helper's entry: what ends the thread (an error that nobody catches, a module that
 * does not load) is told to the rank, which waits for jobs and looks at no events.
 */
import { workerData } from "node:worker_threads";
import { DONE, ENDED, type TeamMemory, teamControl } from "./expert-team.ts";

process.once("exit", () => {
  const control = teamControl(workerData as TeamMemory);
  Atomics.store(control, ENDED, 1);
  Atomics.notify(control, DONE);
});
