/** A server in a process of its own, that tells the processor time it used: `forkServer(argv)`. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath, pathToFileURL } from "node:url";
import { pino } from "pino";
import { parseSettings } from "../../../server/config.ts";
import { serve } from "../../../server/main.ts";

export interface ForkedServer {
  readonly url: string;
  /** Microseconds of processor time so far. */
  cpu(): Promise<number>;
  stop(): void;
}

/** `argv` as of `trainyard serve`. */
export async function forkServer(argv: readonly string[]): Promise<ForkedServer> {
  const child = fork(fileURLToPath(import.meta.url), [...argv], { execArgv: ["--import", "tsx"] });
  const [{ url }] = (await once(child, "message")) as [{ url: string }]; // sent below
  return {
    url,
    cpu: async () => {
      child.send("cpu");
      const [{ cpu }] = (await once(child, "message")) as [{ cpu: number }]; // sent below
      return cpu;
    },
    stop: () => void child.kill(),
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { settings } = parseSettings([...process.argv.slice(2), "--port", "0"]);
  const { url } = await serve(settings, pino({ level: "silent" }));
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpu: user + system });
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.({ url });
}
