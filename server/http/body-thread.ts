/** Thread entry: parses large bodies, so that the event loop does not. */
import { isUtf8 } from "node:buffer";
import { parentPort } from "node:worker_threads";
import { toApiError } from "./errors.ts";
import { parseBody } from "./validation.ts";

export type ParseAnswer =
  | { readonly ok: true; readonly body: unknown }
  /** `message` absent: the bytes are no text. */
  | { readonly ok: false; readonly message?: string; readonly param?: string | null };

const port = parentPort;
port?.on("message", (bytes: Uint8Array) => port.postMessage(answer(bytes)));
port?.postMessage("ready");

function answer(bytes: Uint8Array): ParseAnswer {
  if (!isUtf8(bytes)) return { ok: false };
  try {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
    return { ok: true, body: parseBody(text) };
  } catch (error) {
    const { message, param } = toApiError(error);
    return { ok: false, message, param };
  }
}
