/** Thread entry: parses large bodies, so that the event loop does not. */
import { parentPort } from "node:worker_threads";
import type { ErrorCode } from "./error-table.ts";
import { toApiError } from "./errors.ts";
import { parseBytes } from "./validation.ts";

export type ParseAnswer =
  | { readonly ok: true; readonly body: unknown }
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      readonly message: string;
      readonly param: string | null;
    };

const port = parentPort;
port?.on("message", (bytes: Uint8Array) => port.postMessage(answer(bytes)));
port?.postMessage("ready");

function answer(bytes: Uint8Array): ParseAnswer {
  try {
    return { ok: true, body: parseBytes(bytes) };
  } catch (error) {
    const { code, message, param } = toApiError(error);
    return { ok: false, code, message, param };
  }
}
