/**
 * A server in a process of its own, that tells the processor time it used: `forkServer(argv)`. It
 * is the command as it is shipped: compiled, and started with the launchers' flags and environment.
 * (tsx names each closure when it is made, which was a tenth of a short request.)
 */
import { execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { NODE_ENVIRONMENT, NODE_FLAGS } from "../../node-flags.ts";

export interface ForkedServer {
  readonly url: string;
  /** Microseconds of processor time so far. */
  cpu(): Promise<number>;
  /** Bytes resident. */
  memory(): Promise<number>;
  stop(): void;
}

/** Runs in the server's process: answers each message with what it used, and ends with whoever started it. */
const TELLS = `
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send({ cpu: user + system, memory: process.memoryUsage.rss() });
});
process.on("disconnect", () => process.exit(0));
`;

let made: string | undefined;

/** The folder of the sources as JavaScript, made once a run. */
function compiled(): string {
  if (made !== undefined) return made;
  mkdirSync(".cache", { recursive: true });
  const folder = mkdtempSync(resolve(".cache", "compiled-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const tsc = [join("node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.build.json"];
  const flags = ["--outDir", folder, "--declaration", "false", "--noCheck"];
  execFileSync(process.execPath, [...tsc, ...flags], { stdio: "inherit" });
  made = folder;
  return folder;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** `argv` as of `trainyard serve`. */
export async function forkServer(argv: readonly string[]): Promise<ForkedServer> {
  const port = await freePort();
  const cli = join(compiled(), "scripts", "cli.js");
  const child = fork(cli, ["serve", ...argv, "--port", String(port)], {
    execArgv: [...NODE_FLAGS, "--import", `data:text/javascript,${encodeURIComponent(TELLS)}`],
    env: { ...process.env, ...NODE_ENVIRONMENT },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const url = `http://127.0.0.1:${port}`;
  while (!(await fetch(`${url}/health`).catch(() => undefined))) {
    if (child.exitCode !== null) throw new Error(`The server ended with ${child.exitCode}.`);
    await sleep(50);
  }
  const asked = async (): Promise<{ readonly cpu: number; readonly memory: number }> => {
    child.send("what it used");
    const [used] = (await once(child, "message")) as [{ cpu: number; memory: number }]; // sent by TELLS
    return used;
  };
  return {
    url,
    cpu: async () => (await asked()).cpu,
    memory: async () => (await asked()).memory,
    stop: () => void child.kill(),
  };
}
