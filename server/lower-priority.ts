/** For threads that do what clients ask for: the event loop goes first. */
import { setPriority } from "node:os";

const NICE = 4;

/** On Linux a priority is one thread's own; elsewhere it is the process's, and stays as it is. */
export function lowerPriority(): void {
  if (process.platform !== "linux") return;
  try {
    setPriority(NICE);
  } catch {
    // Not allowed here: the thread works all the same.
  }
}
