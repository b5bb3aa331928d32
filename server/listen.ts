/** Where a server listens, and what is in its way there. */
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect, type Server } from "node:net";
import type { Settings } from "./settings/table.ts";

/** Fastify's words for where to listen. A socket's file that nobody listens on any more is removed. */
export async function listenOptions(
  settings: Settings,
): Promise<{ readonly path: string } | { readonly host: string; readonly port: number }> {
  const { uds, host, port } = settings;
  if (uds === undefined) return { host, port };
  if (statSync(uds, { throwIfNoEntry: false })?.isSocket() && !(await answers(uds))) rmSync(uds);
  return { path: uds };
}

/** Does anybody listen on the socket? */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** Of the files that a process may hold, those that are left for other things than connections. */
const KEPT_FILES = 64;

/**
 * The connections that a process of Linux has files for, besides those that it holds now;
 * elsewhere, and without a limit, undefined.
 */
export function connectionsLeft(
  limits: () => string = () => readFileSync("/proc/self/limits", "utf8"),
  held: () => number = () => readdirSync("/proc/self/fd").length,
): number | undefined {
  try {
    const files = /^Max open files\s+(\d+)/m.exec(limits())?.[1];
    return files === undefined ? undefined : Math.max(8, Number(files) - held() - KEPT_FILES);
  } catch {
    return undefined;
  }
}

const TOLD_EACH_MS = 10_000;

/**
 * Closes at once what comes above so many connections, and says so every ten seconds: without
 * files the system would close them in silence, and nothing else could be opened.
 */
export function boundConnections(
  server: Server,
  most: number | undefined,
  log: { warn(fields: object, message: string): void },
  now = () => performance.now(),
): void {
  if (most === undefined) return;
  server.maxConnections = most;
  let refused = 0;
  let told = Number.NEGATIVE_INFINITY;
  server.on("drop", () => {
    refused++;
    if (now() - told < TOLD_EACH_MS) return;
    told = now();
    const why = "Connections are closed at once: this process may open no more files (ulimit -n)";
    log.warn({ most, refused }, why);
  });
}

interface ListenError extends NodeJS.ErrnoException {
  readonly address?: string;
  readonly port?: number;
}

/** One line for whatever ended the start. */
export function startError(error: unknown): string {
  const { code, message, address, port } = error as ListenError; // whatever was thrown, these are all we want
  if (code === "EADDRINUSE" && (port === undefined || port < 0)) {
    return `another server listens on ${address}; choose another --uds, or end it.`;
  }
  if (code === "EADDRINUSE") {
    return `port ${port} on ${address} is in use; choose another --port, or end what listens there.`;
  }
  if (code === "EACCES") return `${message}. Choose another --port.`;
  return message;
}
