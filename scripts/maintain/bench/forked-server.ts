/** A server in a process of its own, that tells the processor time it used: `forkServer(argv)`. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath, pathToFileURL } from "node:url";
import { pino } from "pino";
import { parseSettings } from "../../../server/config.ts";
import { serve } from "../../../server/main.ts";
import { NODE_FLAGS } from "../../node-flags.ts";

export interface ForkedServer {
  readonly url: string;
  /** Microseconds of processor time so far. */
  cpu(): Promise<number>;
  /** Bytes resident. */
  memory(): Promise<number>;
  stop(): void;
}

/** `argv` as of `trainyard serve`. */
export async function forkServer(argv: readonly string[]): Promise<ForkedServer> {
  const child = fork(fileURLToPath(import.meta.url), [...argv], {
    execArgv: [...NODE_FLAGS, "--import", "tsx"],
  });
  const [{ url }] = (await once(child, "message")) as [{ url: string }]; // sent below
  const asked = async (): Promise<{ readonly cpu: number; readonly memory: number }> => {
    child.send("what it used");
    const [used] = (await once(child, "message")) as [{ cpu: number; memory: number }]; // sent below
    return used;
  };
  return {
    url,
    cpu: async () => (await asked()).cpu,
    memory: async () => (await asked()).memory,
    stop: () => void child.kill(),
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { settings } = parseSettings([...process.argv.slice(2), "--port", "0"]);
  const { url } = await serve(settings, pino({ level: "silent" }));
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpu: user + system, memory: process.memoryUsage.rss() });
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.({ url });
}
