/** Benchmarks that compute with weights run as the launchers start servers. */
import { spawn } from "node:child_process";
import { NODE_ENVIRONMENT } from "../../node-flags.ts";

/**
 * Runs this very script once more with the environment of the launchers, which glibc reads at the
 * start only, and ends as that does; false: the environment says something already.
 */
export async function rerunAsLaunched(): Promise<boolean> {
  const names = Object.keys(NODE_ENVIRONMENT);
  if (names.every((name) => process.env[name] !== undefined)) return false;
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    env: { ...process.env, ...NODE_ENVIRONMENT },
    stdio: "inherit",
  });
  const stop = (): void => void child.kill();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
  return true;
}

/** The environment of a peer: its own, without ours. */
export function peerEnvironment(): NodeJS.ProcessEnv {
  const without: NodeJS.ProcessEnv = { ...process.env };
  for (const name of Object.keys(NODE_ENVIRONMENT)) delete without[name];
  return without;
}
