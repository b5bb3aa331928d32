/** Entry of an attention helper's thread. */
import { workerData } from "node:worker_threads";
import type { TeamSettings } from "./team.ts";
import { Member } from "./team.ts";

// The rank's thread, which ends this one with itself, gives these.
new Member(workerData as TeamSettings, 1).serve();
