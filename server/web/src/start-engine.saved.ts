/** Workers of a saved page: the engine is a part of the file. */

import Engine from "./engine.worker.ts?worker&inline";
import type { Job } from "./start-engine.ts";

export function startEngine(job: Job): Worker {
  return new Engine({ name: job });
}
