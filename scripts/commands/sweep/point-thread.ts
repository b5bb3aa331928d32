/** Entry of a thread that measures points beside others (side-by-side.ts). */
import { parentPort, workerData } from "node:worker_threads";
import { type Shared, takeTasks } from "./side-by-side.ts";

await takeTasks(workerData as Shared, (told) => parentPort?.postMessage(told));
