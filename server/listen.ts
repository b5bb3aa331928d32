/** Where a server listens, and what is in its way there. */
import { rmSync, statSync } from "node:fs";
import { connect } from "node:net";
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
