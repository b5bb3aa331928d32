/**
 * `trainyard health`: whether the server answers, for a container's health check.
 * It takes the flags of `serve`; without any it reads those of process 1, which in
 * a container is the server itself, and so finds its port, scheme and socket.
 */
import { readFile } from "node:fs/promises";
import { request as plain } from "node:http";
import { request as secure } from "node:https";
import { parseSettings } from "../../server/config.ts";

export interface HealthTarget {
  readonly secure: boolean;
  readonly socketPath?: string;
  readonly host: string;
  readonly port: number;
}

/** Where a server with these flags listens. Throws SettingsError. */
export function healthTarget(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): HealthTarget {
  const { settings } = parseSettings(argv, env);
  const { host, port, uds } = settings;
  return {
    secure: settings["ssl-certfile"] !== undefined,
    // Who listens everywhere is asked here.
    host: host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host,
    port,
    ...(uds === undefined ? {} : { socketPath: uds }),
  };
}

/** What follows `serve` on a command line as /proc shows it; undefined when it serves nothing. */
export function servedFlags(commandLine: string): string[] | undefined {
  const words = commandLine.split("\0").slice(0, -1);
  const at = words.indexOf("serve");
  return at < 0 ? undefined : words.slice(at + 1);
}

const SECONDS = 3;

export async function run(argv: readonly string[]): Promise<number> {
  const flags =
    argv.length > 0 ? argv : servedFlags(await readFile("/proc/1/cmdline", "utf8").catch(() => ""));
  const target = healthTarget(flags ?? [], process.env);
  const status = await ask(target);
  process.stdout.write(`${status}\n`);
  return status === "200" ? 0 : 1;
}

function ask({ secure: tls, ...target }: HealthTarget): Promise<string> {
  return new Promise((resolve) => {
    const options = { ...target, path: "/health", timeout: SECONDS * 1000 };
    // The certificate names the outside's host; whoever asks here is inside.
    const outgoing = (tls ? secure : plain)(
      { ...options, rejectUnauthorized: false },
      (incoming) => {
        incoming.resume();
        resolve(String(incoming.statusCode));
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer")));
    outgoing.on("error", (error) => resolve(error.message));
    outgoing.end();
  });
}
